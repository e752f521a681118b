"""What every log is read as, whatever wrote it: a run's metrics, each a series of values by epoch and step."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from regtui.errors import InputError
from regtui.text import one_line

EPOCHS = frozenset({"epoch", "epochs", "current_epoch", "train/epoch", "trainer/epoch"})
STEPS = frozenset(
    {"step", "steps", "global_step", "_step", "iteration", "iter", "train/global_step", "trainer/global_step"}
)
PHASES = frozenset({"phase", "split", "mode", "stage", "subset"})
"""Names, in small letters, of what says when a row was measured, and on what."""
APART = ("seed", "random_seed", "run", "run_id", "run_name", "trial")
"""Columns, in small letters, that tell several runs in one table apart."""
RUN_OF = "::"
"""Between a file and the name of a run in it."""
NO_METRICS = frozenset({"_runtime", "_timestamp", "wall_time", "timestamp", "time", "relative time (process)"})
LONGEST_NAME = 200
MOST_METRICS = 5_000
MOST_VALUES = 5_000_000
"""More of a file is not read; no run that people log by hand has as many."""


class Point(NamedTuple):
    """A value, and the epoch and the step of its measurement, None where the log doesn't tell; NaN may be a value."""

    epoch: float | None
    step: float | None
    value: float


@dataclass(frozen=True)
class LoggedRun:
    """One run, as some program logged it.

    Attributes:
        name: Its file, as it was named; a run of a file that has several as FILE::RUN. Safe to show.
        path: Its log: a file, or a folder of event files.
        series: Its values by metric, in the order of training.
        seed: What the log itself tells of its seed.
        notes: What had to be passed over while it was read, in words.
    """

    name: str
    path: Path
    series: Mapping[str, list[Point]]
    seed: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where its log is, beside which its settings may be."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def identity(self) -> tuple[str, str]:
        """What tells it from every other run, however its file was named."""
        return os.path.realpath(self.path), self.name.partition(RUN_OF)[2]


@dataclass
class LoggedRows:
    """Collects the rows of a log into series; a row that goes back, as after a resumption, replaces what was later.

    Attributes:
        replaced: Whether one did.
        anew: Whether one went back to the beginning, as where one training follows another.
    """

    series: dict[str, list[Point]] = field(default_factory=dict)
    replaced: bool = False
    anew: bool = False
    count: int = 0

    def add(self, row: Mapping[str, object]) -> None:
        """Add a row: names and values, of which those that are no numbers are passed over.

        A text such as 'val' under a name such as 'phase' becomes the beginning of its metrics' names: 'val/loss'.
        """
        epoch = step = None
        phase = ""
        for name, value in row.items():
            small = name.strip().lower()
            if small in EPOCHS:
                epoch = _finite(value) if epoch is None else epoch
            elif small in STEPS:
                step = _finite(value) if step is None else step
            elif small in PHASES and isinstance(value, str) and value.strip() and number(value) is None:
                phase = f"{value.strip()}/"
        for name, value in row.items():
            small = name.strip().lower()
            if not small or small in EPOCHS or small in STEPS or small in NO_METRICS:
                continue
            measured = number(value)
            if measured is not None:
                self.put(f"{phase}{name.strip()}", Point(epoch, step, measured))

    def put(self, name: str, point: Point) -> None:
        """Add a value of one metric."""
        name = one_line(name, LONGEST_NAME)
        if self.count >= MOST_VALUES or (name not in self.series and len(self.series) >= MOST_METRICS):
            return
        self.count += 1
        points = self.series.setdefault(name, [])
        if points and _is_before(point, points[-1]):
            self.replaced = True
            self.anew |= len(points) > 1 and not _is_before(points[0], point)
            while points and not _is_before(points[-1], point):
                points.pop()
        if points and point.step is not None and points[-1][:2] == point[:2]:
            points.pop()  # measured twice: the later one is the program's last word
        points.append(point)


def runs_of(tables: Iterable[Mapping[str, object]], name: str, path: Path, notes: Sequence[str]) -> list[LoggedRun]:
    """The run of a table's rows; several where a column such as 'seed' or 'run' tells them apart.

    Raises:
        InputError: There are no numbers, or one training follows another.
    """
    groups: dict[str, LoggedRows] = {}
    apart = ""
    for table in tables:
        small = {key.strip().lower(): key for key in table}
        apart = apart or next((small[key] for key in APART if key in small), "")
        group = str(table[apart]).strip() if apart in table else ""
        groups.setdefault(group, LoggedRows()).add({key: value for key, value in table.items() if key != apart})
    groups = {group: rows for group, rows in groups.items() if rows.series}
    if not groups:
        raise InputError(f"{name} has no numbers but epochs, steps and times")
    runs = []
    for group, rows in groups.items():
        title = f"{name}{RUN_OF}{one_line(group, LONGEST_NAME)}" if len(groups) > 1 else name
        if rows.anew:
            raise InputError(
                f"{title} has several trainings one after the other: its epochs or steps begin anew; split it, or give "
                "it a column 'seed' or 'run'"
            )
        more = ["it goes back to an earlier epoch or step: what came later replaces it"] if rows.replaced else []
        seed = int(group) if "seed" in apart.lower() and re.fullmatch(r"\d{1,18}", group) else None
        runs.append(LoggedRun(title, path, rows.series, seed, (*notes, *more)))
    return runs


def number(value: object) -> float | None:
    """The number that a value or a text is, NaN and infinity included; None where it is none."""
    if isinstance(value, str):
        text = value.strip()
        if not text or "_" in text:
            return None
        try:
            return float(text)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def flat(row: Mapping[object, object], prefix: str = "", depth: int = 6) -> Iterable[tuple[str, object]]:
    """The values of nested tables by dotted name: 'val.acc'."""
    for name, value in row.items():
        if not isinstance(value, Mapping):
            yield f"{prefix}{name}", value
        elif depth > 1:
            yield from flat(value, f"{prefix}{name}.", depth - 1)


def _finite(value: object) -> float | None:
    found = number(value)
    return found if found is not None and math.isfinite(found) else None


def _is_before(point: Point, other: Point) -> bool:
    """Whether a point lies before another, by epoch, and within the same epoch by step."""
    if point.epoch is not None and other.epoch is not None and point.epoch != other.epoch:
        return point.epoch < other.epoch
    return point.step is not None and other.step is not None and point.step < other.step
