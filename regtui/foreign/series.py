"""What every log is read as, whatever wrote it: a run's metrics, each a series of values by epoch and step."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import Literal, NamedTuple

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
NO_METRICS = frozenset(
    {"_runtime", "_timestamp", "timestamp", "time", "wall_time", "wall time"},
).union({"relative time (process)", "relative time (wall)"})
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
        measured = []
        for name, value in row.items():
            kind = _kind(name)
            if kind == "metric":
                measured.append((name, value))
            elif kind == "epoch":
                epoch = _finite(value) if epoch is None else epoch
            elif kind == "step":
                step = _finite(value) if step is None else step
            elif kind == "phase" and isinstance(value, str) and value.strip() and number(value) is None:
                phase = f"{value.strip()}/"
            elif kind == "phase":
                measured.append((name, value))
        for name, value in measured:
            found = number(value)
            if found is not None:
                self.put(f"{phase}{name.strip()}", Point(epoch, step, found))

    def put(self, name: str, point: Point) -> None:
        """Add a value of one metric."""
        points = self.series.get(name)
        if self.count >= MOST_VALUES or (points is None and len(self.series) >= MOST_METRICS):
            return
        if points is None:
            points = self.series.setdefault(one_line(name, LONGEST_NAME), [])
        self.count += 1
        if points and _is_before(point, points[-1]):
            self.replaced = True
            self.anew |= len(points) > 1 and not _is_before(points[0], point)
            while points and not _is_before(points[-1], point):
                points.pop()
        if points and point.step is not None and points[-1][:2] == point[:2]:
            points.pop()  # measured twice: the later one is the program's last word
        points.append(point)


def runs_of(
    tables: Iterable[Mapping[str, object]], name: str, path: Path, notes: Sequence[str] = ()
) -> list[LoggedRun]:
    """The run of a table's rows; several where a column such as 'seed' or 'run' tells them apart.

    Raises:
        InputError: There are no numbers, or one training follows another.
    """
    groups: dict[str, LoggedRows] = {}
    apart = ""
    for table in tables:
        apart = apart or next((key for key in table if key.strip().lower() in APART), "")
        group = ""
        if apart in table:
            table = dict(table)
            group = str(table.pop(apart)).strip()
        groups.setdefault(group, LoggedRows()).add(table)
    return _runs({group: rows for group, rows in groups.items() if rows.series}, apart, name, path, notes)


def runs_of_columns(
    header: Sequence[str], table: Sequence[Sequence[str]], name: str, path: Path, notes: Sequence[str] = ()
) -> list[LoggedRun]:
    """As `runs_of`, for rows that have the same columns; a blank cell was not measured. In a quarter of the time.

    Raises:
        InputError: There are no numbers, or one training follows another.
    """
    kinds = [_kind(title) for title in header]
    if "phase" in kinds or any(title.strip().lower() in APART for title in header):
        rows = ({title: cell for title, cell in zip(header, cells, strict=False) if cell} for cells in table)
        return runs_of(rows, name, path, notes)
    columns = [column[1:] for column in zip_longest(header, *table, fillvalue="")]
    nothing = [None] * len(table)
    epochs, steps = (
        list(map(_finite, columns[kinds.index(kind)])) if kind in kinds else nothing for kind in ("epoch", "step")
    )
    collected = LoggedRows()
    for title, kind, column in zip(header, kinds, columns, strict=True):
        for epoch, step, cell in zip(epochs, steps, column, strict=True) if kind == "metric" else ():
            value = number(cell) if cell else None
            if value is not None:
                collected.put(title, Point(epoch, step, value))
    return _runs({"": collected} if collected.series else {}, "", name, path, notes)


def _runs(groups: Mapping[str, LoggedRows], apart: str, name: str, path: Path, notes: Sequence[str]) -> list[LoggedRun]:
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
        try:
            return None if "_" in value else float(value)
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


@lru_cache(maxsize=MOST_METRICS)
def _kind(name: str) -> Literal["epoch", "step", "phase", "metric", "other"]:
    """What stands under a name; each name is asked about once a row."""
    small = name.strip().lower()
    if small in EPOCHS:
        return "epoch"
    if small in STEPS:
        return "step"
    if small in PHASES:
        return "phase"
    return "other" if not small or small in NO_METRICS else "metric"


def _finite(value: object) -> float | None:
    found = number(value)
    return found if found is not None and math.isfinite(found) else None


def _is_before(point: Point, other: Point) -> bool:
    """Whether a point lies before another, by epoch, and within the same epoch by step."""
    if point.epoch is not None and other.epoch is not None and point.epoch != other.epoch:
        return point.epoch < other.epoch
    return point.step is not None and other.step is not None and point.step < other.step
