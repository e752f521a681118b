"""What a rule of diagnosis comes to: a sentence with numbers, and the next thing worth trying as a command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from regtui.evidence.steered import MAIN_KNOBS
from regtui.preset.model import Preset
from regtui.preset.wording import Wording

SEEDS = 8
"""So many seeds are suggested: with them a mean difference of 1.2 of its standard deviations is found in 80 %."""
STRONGEST = 0.8
"""No larger share is suggested."""


class Advice(NamedTuple):
    """What a rule found.

    Attributes:
        rule: The rule's name.
        sentence: What is seen, with its numbers; empty where the verdict says it already.
        command: What to try next, as typed in a shell; empty where nothing follows, or the preset can't be named.
    """

    rule: str
    sentence: str
    command: str = ""


class Strength(NamedTuple):
    """How strong the one technique of an arm is that has a strength.

    Attributes:
        key: Its dotted key in the preset: 'regularized.dropout.rate'.
        value: Its value, above 0.
        scale: The kind of its steps.
    """

    key: str
    value: float
    scale: str

    def weaker(self) -> list[float]:
        """Three values up to the present one."""
        parts = (4, 2, 1) if self.scale == "share" else (10, 3, 1)
        return [self.value / part for part in parts]

    def stronger(self) -> list[float]:
        """Values from the present one on; one alone where no stronger one makes sense."""
        if self.scale != "share":
            return [self.value, 3 * self.value, 10 * self.value]
        step = min(self.value, (STRONGEST - self.value) / 2)
        return [self.value, self.value + step, self.value + 2 * step] if step > 0.01 else [self.value]


def strength_of(preset: Preset, arm: str) -> Strength | None:
    """An arm's strength; None if it has none, or several."""
    found = [
        Strength(f"{preset.table_of(arm)}.{name}.{knob}", value, steps.scale)
        for name, technique in preset.arms()[arm].active().items()
        for knob, steps in technique.live.items()
        if knob in MAIN_KNOBS and (value := getattr(technique, knob)) > 0
    ]
    return found[0] if len(found) == 1 else None


def run_command(preset: Wording, *options: str) -> str:
    """A command that trains a preset otherwise; empty where it can't be named."""
    return shlex.join(["regtui", "--preset", *preset.words, *preset.seed, *options]) if preset.words else ""


def study_command(preset: Wording, *options: str) -> str:
    """A command that makes a study of a preset; empty where it can't be named."""
    return shlex.join(["regtui", "study", *preset.words, "--seeds", str(SEEDS), *options]) if preset.words else ""


def varied(key: str, values: Sequence[float]) -> tuple[str, str]:
    """The option that varies a setting of a study."""
    return "--vary", f"{key}={','.join(f'{value:.2g}' for value in values)}"
