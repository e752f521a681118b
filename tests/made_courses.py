"""The courses of studies that were made up: the epochs of each of their runs, for tests of what shows them."""

from __future__ import annotations

import math
import random
from pathlib import Path

from regtui.protocol.events import EpochDone
from regtui.study.outcome import StudyOutcome


def made_courses(outcome: StudyOutcome, epochs: int = 30) -> dict[Path, dict[str, dict[int, EpochDone]]]:
    """The epochs of each of its runs: losses that fall, the baseline's rising again."""
    chance = random.Random(2)
    found = {}
    for cell in outcome.cells.values():
        for folder in cell.runs.values():
            shift = chance.gauss(0, 0.02)
            course = {}
            for place, arm in enumerate(("baseline", *cell.arms)):
                losses = (
                    0.3 + shift + 2 * math.exp(-epoch / 3) + (0.01 * epoch if place == 0 else 0.02 * place)
                    for epoch in range(1, epochs + 1)
                )
                course[arm] = {
                    epoch: EpochDone(
                        t=epoch, arm=arm, epoch=epoch, train_loss=0.2, val_loss=loss + chance.gauss(0, 0.01),
                        train_metrics={"accuracy": 0.9}, val_metrics={"accuracy": 0.9 - loss / 10}, penalties={},
                        weights={}, order="", wait=0, seconds=0.1, best=False,
                    )
                    for epoch, loss in enumerate(losses, start=1)
                }  # fmt: skip
            found[folder] = course
    return found
