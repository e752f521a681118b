"""The arms of a run: a baseline, and one or more others beside it. What their names may be, without pydantic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

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


MARKS = {BASELINE: "●", REGULARIZED: "◆"}
"""Tell the two arms of a run apart without colours."""
BESIDE = "ABCDEFGHIJKLMNPQ"
"""Marks of the arms beside the baseline where there are several: letters, but for O, which is the baseline in ASCII."""


def marks_of(arms: Iterable[str]) -> dict[str, str]:
    """The mark of each arm of a run, by its place: the baseline comes first."""
    baseline, *others = arms
    marks = BESIDE if len(others) > 1 else MARKS[REGULARIZED]
    return {baseline: MARKS[BASELINE], **dict(zip(others, marks, strict=False))}


def arm_of_setting(key: str) -> tuple[str, str]:
    """The arm that a preset's dotted key is a setting of, and the key in its table; no arm for settings of all arms."""
    table, _, rest = key.partition(".")
    if table == "arms":
        table, _, rest = rest.partition(".")
        return table, rest
    return (table, rest) if table in (BASELINE, REGULARIZED) else ("", key)


def are_possible(names: Sequence[str]) -> bool:
    """Whether a run can have these arms beside its baseline; a damaged log may tell of others."""
    lower = {name.lower() for name in names}
    return (
        0 < len(names) == len(lower) <= MOST_ARMS
        and BASELINE not in lower
        and all(re.match(ARM_PATTERN, name) and name.isascii() and name.isprintable() for name in names)
    )
