"""What a study, its arms and its settings are called, and how its numbers are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from regtui.evidence.student import Interval
from regtui.preset.arms import BASELINE, marks_of
from regtui.preset.model import Preset
from regtui.preset.validation import validate
from regtui.study.outcome import CellOutcome, StudyOutcome
from regtui.study.plan import PlannedCell, Value, with_setting
from regtui.text import NBSP, counted, listed, number, one_line, signed

LONGEST_LABEL, SHORT_LABEL = 60, 24
"""An arm whose techniques take more characters goes by its name; where there are several arms, the second."""
MOST_SEEDS_TOLD = 6
"""So many seeds that are not in a row are told one by one."""


class StudyNames:
    """The names and numbers of a study."""

    def __init__(self, outcome: StudyOutcome) -> None:
        """Take what is told of."""
        self.outcome = outcome
        self.plan = outcome.plan
        self.metric = outcome.metric
        self.first = next(iter(outcome.cells.values()))
        self.marks = marks_of([BASELINE, *(arm.name for arm in self.plan.arms)])

    @cached_property
    def preset(self) -> Preset:
        """The preset as the first cell has it."""
        return self.preset_in(self.first.cell)

    def preset_in(self, cell: PlannedCell) -> Preset:
        """The preset as a cell has it."""
        table: Mapping[str, object] = self.plan.preset
        for key, value in cell.settings.items():
            table = with_setting(table, key, value)
        return validate(table, "the study's preset")

    @property
    def judged(self) -> list[CellOutcome]:
        """The cells of the verdict."""
        return [cell for cell in self.outcome.cells.values() if cell.cell.role == "verdict"]

    @property
    def several(self) -> bool:
        """Whether there is more than one arm beside the baseline."""
        return len(self.plan.arms) > 1

    @property
    def quantity(self) -> str:
        """What is judged: 'test accuracy'."""
        return f"test {self.metric.title}"

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """What each arm beside the baseline does: 'dropout 0.5 + L2 0.0001'; of a tuned knob that it is tuned."""
        return {arm.name: one_line(self._label(arm.name)) for arm in self.plan.arms}

    def _label(self, arm: str) -> str:
        table, techniques = self.preset.table_of(arm), self.preset.arms()[arm]
        told = []
        for name, technique in techniques.active().items():
            knobs = [
                key.removeprefix(f"{table}.{name}.") for key in self.plan.tune if key.startswith(f"{table}.{name}.")
            ]
            told.append(f"{name.replace('_', ' ')} ({listed(knobs)} tuned)" if knobs else technique.label())
        return " + ".join(told) or techniques.label()

    def label(self, arm: str) -> str:
        """What an arm does; its name where that is long."""
        label = self.labels[arm]
        return label if len(label) <= LONGEST_LABEL else f"the {arm} arm"

    def named(self, arm: str) -> str:
        """An arm as sentences and tables call it: alone by what it does, else by its mark and that, or its name."""
        if not self.several:
            return self.label(arm)
        return f"{self.marks[arm]}{NBSP}{self._short[arm].replace(' ', NBSP)}"

    @cached_property
    def _short(self) -> Mapping[str, str]:
        """What each arm does, where that is short and no other does the same; else its name."""
        told = list(self.labels.values())
        return {
            arm: label if len(label) <= SHORT_LABEL and told.count(label) == 1 else arm
            for arm, label in self.labels.items()
        }

    def where(self, cell: PlannedCell) -> str:
        """A cell's settings in words; see `cell_words`."""
        return cell_words(cell, self.first.cell, self.preset.dataset.examples)

    def place(self, cell: PlannedCell) -> str:
        """The same as a heading or a row's name: 'as in the preset' where none is set."""
        return self.where(cell) or "as in the preset"

    @property
    def unit(self) -> str:
        """What stands behind a difference."""
        return self.metric.points or f" in {self.quantity}"

    def difference(self, value: float | None) -> str:
        """A difference with its sign, without its unit."""
        return number(value, f"+.{self.metric.digits}f")

    def amount(self, value: float | None) -> str:
        """A difference with sign and unit: '+1.45 points'."""
        return f"{self.difference(value)}{self.unit}"

    def plain(self, value: float) -> str:
        """A difference without sign: '0.5 points'."""
        return f"{value:g}{self.unit}"

    def interval(self, interval: Interval | None) -> str:
        """An interval without its unit: '+0.96 to +1.93'."""
        return "–" if interval is None else f"{NBSP}to{NBSP}".join(self.difference(end) for end in interval)

    def level(self, values: Mapping[int, float]) -> str:
        """The mean of values in the metric, as it is shown: '96.53 %'."""
        mean = sum(values.values()) / len(values) if values else None
        return self.metric.show(None if mean is None else mean / self.metric.factor)


def span(seeds: Sequence[int]) -> str:
    """'0–7' for seeds in a row, else '0, 1, 3'; of many that are not in a row the first few."""
    ordered = sorted(seeds)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{ordered[0]}–{ordered[-1]}"
    return ", ".join(map(str, ordered[:MOST_SEEDS_TOLD])) + (", …" if len(ordered) > MOST_SEEDS_TOLD else "")


def tried(what: str, values: Sequence[Value]) -> str:
    """That a setting was tuned: 'learning rate of 0.0003, 0.001'."""
    return f"{what} of {', '.join(map(shown_setting, values))}"


def cell_words(cell: PlannedCell, first: PlannedCell, examples: str) -> str:
    """A cell's settings in words: '30 epochs'; of another condition, those that the first cell has not."""
    known = first.settings if cell.role == "sensitivity" else {}
    settings = {key: value for key, value in cell.settings.items() if known.get(key) != value}
    return ", ".join(setting_words(key, value, examples) for key, value in settings.items())


def setting_words(key: str, value: Value, examples: str) -> str:
    """A setting in words: '30 epochs', 'learning rate 0.0005', '500 training images', else 'train.clip_norm = 1'."""
    if key == "train.epochs" and isinstance(value, int):
        return counted(value, "epoch")
    if key == "train.learning_rate":
        return f"learning rate {shown_setting(value)}"
    if key == "data.train_samples" and isinstance(value, int):
        return f"{value:,} training {examples}"
    return f"{one_line(key)} = {shown_setting(value)}"


def shown_setting(value: Value) -> str:
    """A setting's value: '0.0003', 'true', 'cosine'."""
    if isinstance(value, float):
        return signed(f"{value:g}")
    return one_line(str(value).lower() if isinstance(value, bool) else value, 40)
