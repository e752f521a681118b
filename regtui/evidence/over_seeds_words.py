"""What a verdict over several seeds is called, on screen, in a table, and by the program's exit code."""

from __future__ import annotations

from collections.abc import Mapping

from regtui.evidence.over_seeds import Call, Compared
from regtui.text import p_value

TITLES: Mapping[Call, str] = {
    "helps": "HELPS",
    "hurts": "HURTS",
    "no difference": "NO DIFFERENCE THAT MATTERS",
    "inconclusive": "INCONCLUSIVE",
    "open": "OPEN",
    "none": "NO VERDICT",
}
"""The word of each call."""
VERDICT_EXIT: Mapping[Call, int] = {
    "helps": 0,
    "hurts": 11,
    "no difference": 10,
    "inconclusive": 10,
    "open": 10,
    "none": 10,
}
"""The program's exit code with --verdict-exit."""


def disagreement(found: Compared) -> str:
    """That Student's t and sign-flip fall on different sides of the level, and what that means; empty if they don't."""
    if not found.disagree or found.p_t is None or found.p_flip is None or found.call in ("open", "none"):
        return ""
    count = len(found.differences)
    lowest = 2 / 2**count
    told = (
        f"with {count} seeds sign-flip can't go below {lowest:.3g}"
        if found.p_flip > found.level >= found.p_t and lowest > found.level
        else "look at each difference; with few or skewed values t is easily too sure"
    )
    return (
        f"Student's t ({p_value(found.p_t)}) and the exact sign-flip ({p_value(found.p_flip)}) fall on different sides "
        f"of {found.level:g}: {told}."
    )
