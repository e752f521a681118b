"""The arms of a run: a baseline, and one or more others beside it. What their names may be, without pydantic."""

from __future__ import annotations

import re
from collections.abc import Sequence

BASELINE = "baseline"
"""The name of the arm that each other is compared with."""
REGULARIZED = "regularized"
"""The name of the one other arm of a preset that names none."""
MOST_ARMS = 16
"""Arms beside the baseline."""
LONGEST_ARM = 24
"""Characters of an arm's name."""
ARM_PATTERN = rf"^[A-Za-z0-9][A-Za-z0-9_-]{{0,{LONGEST_ARM - 1}}}$"
"""A plain word: it names files and columns."""


def are_possible(names: Sequence[str]) -> bool:
    """Whether a run can have these arms beside its baseline; a damaged log may tell of others."""
    lower = {name.lower() for name in names}
    return (
        0 < len(names) == len(lower) <= MOST_ARMS
        and BASELINE not in lower
        and all(re.match(ARM_PATTERN, name) and name.isascii() and name.isprintable() for name in names)
    )
