"""The plan of a study, study.toml: what is decided before anything runs.

A study is one preset, with all its arms, run over several seeds and, where data or training vary, in several cells.
A cell and a seed is an ordinary run. Where a setting is tuned, a cell and a seed has several trials, each a run.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import Field

from regtui.preset.arms import BASELINE, REGULARIZED
from regtui.preset.model import Preset
from regtui.preset.train import SEEDS, Table
from regtui.preset.validation import validate

Value = bool | int | float | str
"""A setting's value."""
Role = Literal["verdict", "sensitivity"]
"""What a cell is for: the study's verdict, or to see whether that holds under other conditions."""


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
        threads: With which each run computes; with another number the same seed may give other last digits.
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
    threads: int = 1

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that another plan has not; study.toml keeps them, so that a change is noticed."""
        whole = json.dumps(self.model_dump(by_alias=True, exclude_none=True), sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    @property
    def trials(self) -> list[dict[str, Value]]:
        """The tuned settings of each trial; one trial without any where nothing is tuned."""
        return [dict(zip(self.tune, values, strict=True)) for values in itertools.product(*self.tune.values())]

    def jobs(self, seeds: Sequence[int] | None = None) -> list[Job]:
        """Every run: by seed, then by cell, then by trial, so that all cells fill evenly.

        Args:
            seeds: Of these; of the plan's if left out.

        Raises:
            PresetError: The preset of a cell or a trial is not valid.
        """
        presets = [
            (cell.name, trial, self._preset(cell.settings, tuned))
            for cell in self.cells
            for trial, tuned in enumerate(self.trials)
        ]
        return [
            Job(cell, seed, trial, self._seeded(preset, seed, trial))
            for seed in (self.seeds if seeds is None else seeds)
            for cell, trial, preset in presets
        ]

    def _preset(self, *settings: Mapping[str, Value]) -> Preset:
        """The preset with these settings."""
        table, origin = self.preset, "the study's preset"
        for one in settings:
            for key, value in one.items():
                table = with_setting(table, key, value)
                origin += f", with {key} = {value}"
        return validate(table, origin)

    def _seeded(self, preset: Preset, seed: int, trial: int) -> Preset:
        """The preset of a seed's trial.

        Where a knob of one arm is tuned, the other arms have as many trials, which differ in their random streams
        alone: the trial's own `train.seed`, and the seed itself as `data.seed`, so that split and test set stay.
        """
        if not any(is_of_arm(key) for key in self.tune):
            return preset.model_copy(update={"train": preset.train.model_copy(update={"seed": seed})})
        train = preset.train.model_copy(update={"seed": seed_of_trial(seed, trial)})
        data = preset.data if preset.data.seed is not None else preset.data.model_copy(update={"seed": seed})
        return preset.model_copy(update={"train": train, "data": data})


class Job(NamedTuple):
    """A run of a study: a cell, a seed, and where something is tuned the number of a trial, from 0; what is run."""

    cell: str
    seed: int
    trial: int
    preset: Preset

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells it from the study's other jobs: cell, seed, trial."""
        return self[:3]


def is_of_arm(key: str) -> bool:
    """Whether a dotted key is a setting of an arm, the baseline included."""
    return key.partition(".")[0] in (BASELINE, REGULARIZED, "arms")


def seed_of_trial(seed: int, trial: int) -> int:
    """The `train.seed` of a trial: the seed itself for the first, for others one that follows from both."""
    if trial == 0:
        return seed
    digest = hashlib.sha256(f"seed {seed}, trial {trial}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % SEEDS


def with_setting(table: Mapping[str, Any], key: str, value: object) -> dict[str, Any]:
    """A copy of nested tables with the value at a dotted key; missing tables are made.

    Raises:
        KeyError: A part of the key is a value, not a table.
    """
    part, _, rest = key.partition(".")
    if not rest:
        return {**table, part: value}
    inner = table.get(part, {})
    if not isinstance(inner, Mapping):
        raise KeyError(part)
    return {**table, part: with_setting(inner, rest, value)}
