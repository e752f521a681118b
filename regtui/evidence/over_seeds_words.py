"""What a verdict over several seeds is called, on screen, in a table, and by the program's exit code."""

from __future__ import annotations

from collections.abc import Mapping

from regtui.evidence.over_seeds import Call

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
