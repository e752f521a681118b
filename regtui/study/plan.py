"""The plan of a study, study.toml: what is decided before anything runs.

A study is one preset, with all its arms, run over several seeds and, where data or training vary, in several cells.
A cell and a seed is an ordinary run. Where a setting is tuned, a cell and a seed has several trials, each a run.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import Field

from regtui.preset.model import Preset
from regtui.preset.train import Table

Value = bool | int | float | str
"""A setting's value."""
Role = Literal["verdict", "sensitivity"]
"""What a cell is for: the study's verdict, or to see whether that holds under other conditions."""
FILE = "study.toml"


class PlannedArm(Table):
    """An arm beside the baseline.

    Attributes:
        name: Its name in every run.
        of: The arm of the preset from which it was made.
        settings: Its varied knobs by dotted key, {"dropout.rate": 0.3}; empty for an arm as it is in the preset.
    """

    name: str
    of: str
    settings: dict[str, Value] = Field({})


class PlannedCell(Table):
    """A setting of data and training in which all arms run over all seeds.

    Attributes:
        name: Tells it from the others: 'data.train_samples=500'; empty for the one that is as the preset says.
        settings: The preset's dotted keys that differ, with their values here.
        role: What it is for.
    """

    name: str
    settings: dict[str, Value] = Field({})
    role: Role = "verdict"


class StudyPlan(Table):
    """What a study is: written before anything runs, and never changed.

    Attributes:
        preset: The preset's table, with the arms of the study.
        arms: The arms beside the baseline, in the preset's order.
        cells: Where they run; the first is what the verdict's sentence speaks of.
        seeds: In the order in which they run.
        metric: What is judged: the task's metric ("accuracy") or "loss", on the test set.
        smallest_effect: The smallest difference in it that matters, in its shown unit (percentage points); None where
            nobody said, so that no difference can be called too small to matter.
        alpha: The share of studies without any difference that may call one.
        looks: Numbers of seeds at which the study may end early, the last being all; empty for one look at the end.
        tune: Keys whose values each arm tries, the same number for every arm; all their values, by key.
        resample: How training sets differ from seed to seed: as always ("split"), or drawn with replacement from one
            ("bootstrap").
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    preset: dict[str, Any]
    arms: list[PlannedArm]
    cells: list[PlannedCell]
    seeds: list[int]
    metric: str
    smallest_effect: float | None = None
    alpha: float = 0.05
    looks: list[int] = Field([])
    tune: dict[str, list[Value]] = Field({})
    resample: Literal["split", "bootstrap"] | None = None


class Job(NamedTuple):
    """A run of a study: a cell, a seed, and where something is tuned the number of a trial, from 0; what is run."""

    cell: str
    seed: int
    trial: int
    preset: Preset
