"""The courses of studies that were made up: the epochs of each of their runs, for tests of what shows them."""

from __future__ import annotations

import math
import random
from pathlib import Path

from regtui.study.outcome import StudyOutcome
from regtui.tui.study.session import Course, EpochMeasured


def made_courses(outcome: StudyOutcome, epochs: int = 30) -> dict[Path, Course]:
    """The epochs of each of its runs: losses that fall, the baseline's rising again."""
    chance = random.Random(2)
    found = {}
    for cell in outcome.cells.values():
        for folder in cell.runs.values():
            shift = chance.gauss(0, 0.02)
            course: Course = {}
            for place, arm in enumerate(("baseline", *cell.arms)):
                losses = (
                    0.3 + shift + 2 * math.exp(-epoch / 3) + (0.01 * epoch if place == 0 else 0.02 * place)
                    for epoch in range(1, epochs + 1)
                )
                course[arm] = {
                    epoch: EpochMeasured(loss + chance.gauss(0, 0.01), 0.9 - loss / 10)
                    for epoch, loss in enumerate(losses, start=1)
                }
            found[folder] = course
    return found
