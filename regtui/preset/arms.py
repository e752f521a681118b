"""The arms of a run: a baseline, and one or more others beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence

BASELINE = "baseline"
REGULARIZED = "regularized"
"""The one other arm of a preset that names none."""
MOST_ARMS = 16
"""Arms beside the baseline, at most."""
NAME = re.compile(r"[a-z][a-z0-9_-]{0,23}")
"""A plain word, short enough for a column's head."""


def arms_fault(names: Sequence[str]) -> str:
    """What is wrong with the names of the arms beside the baseline, to follow their key; empty if nothing is."""
    for name in names:
        if not NAME.fullmatch(name):
            return f"{name!r} is no plain word: an arm's name has small letters, digits, - and _, at most 24 of them"
        if name == BASELINE:
            return f"an arm beside the baseline can't be called {BASELINE!r}"
    if not names:
        return "there is no arm beside the baseline"
    if len(names) > MOST_ARMS:
        return f"{len(names)} arms beside the baseline are too many; at most {MOST_ARMS} are allowed"
    return ""
