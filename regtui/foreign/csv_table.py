"""CSV with a row a measurement: Lightning's metrics.csv, and the tables of pandas, Keras or a spreadsheet.

Lightning writes a row for each logging call: the columns of the other calls are blank in it, so that training and
validation stand in rows of their own (lightning/fabric/loggers/csv_logs.py). A blank cell was not measured there, a
`nan` was.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from regtui.errors import InputError
from regtui.foreign import wandb_chart
from regtui.foreign.series import LoggedRun, number, runs_of_columns
from regtui.text import one_line

MOST_COLUMNS = 10_000


def read(text: str, name: str, path: Path) -> list[LoggedRun]:
    """The run of a table, or the runs of a chart's.

    Raises:
        InputError: It is no table with rows of numbers below a row of names.
    """
    rows = _rows(text, name)
    header = [one_line(cell.strip(), 500) for cell in next(rows, [])]
    header[:1] = [cell.removeprefix("#").strip() for cell in header[:1]]  # numpy's mark of a row of names
    names = [cell for cell in header if cell]
    if not names or len(header) > MOST_COLUMNS or any(number(cell) is not None for cell in names):
        raise InputError(
            f"{name} is no log that is known here: it has neither JSON nor a row of names above its columns"
        )
    table = list(rows)
    if not table:
        raise InputError(f"{name} has a row of names, and no row of values below it")
    if wandb_chart.is_chart(header):
        return wandb_chart.read(header, table, name, path)
    if {"name", "state"} <= {cell.lower() for cell in header}:
        raise InputError(f"{name} has a row for each run, not for each epoch; export a chart instead, or the history")
    notes = []
    if not text.endswith(("\n", "\r")):  # its last number may have lost digits
        is_whole = len(table[-1]) == len(header)
        notes.append(
            "its last row has no end: it may be cut short" if is_whole else "its last row is cut short, left out"
        )
        table = table if is_whole else table[:-1]
    for row, cells in enumerate(table, 2):
        if len(cells) > len(header):
            raise InputError(
                f"{name} is damaged: row {row} has {len(cells)} cells, and only {len(header)} columns have a name"
            )
    return runs_of_columns(header, table, name, path, notes)


def _rows(text: str, name: str) -> Iterator[list[str]]:
    """The rows that are not empty."""
    first = text.lstrip().split("\n", 1)[0]
    delimiter = "," if "," in first else ";" if ";" in first else "\t" if "\t" in first else ","
    try:
        for row in csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=delimiter):
            if any(map(str.strip, row)):  # a semicolon stands where numbers have a comma in them
                yield [cell.replace(",", ".") for cell in row] if delimiter == ";" else row
    except csv.Error as error:
        raise InputError(f"{name} is damaged: {error}") from None
