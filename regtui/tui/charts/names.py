"""Where words stand in a chart: names at the ends of lines, and words beside marks, each in cells of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from regtui.tui.charts.strokes import Cell

NEAR, FAR = 1, 3
"""A name stands so many rows away from its line's end at first, a shorter form a row further; and at most."""


class Name(NamedTuple):
    """A name to place.

    Attributes:
        forms: Its forms from long to short; the last may be its value alone.
        end: The cell of its line's end.
        colour: The name of its colour.
        must: Whether it stands far from its line's end rather than nowhere.
    """

    forms: tuple[str, ...]
    end: Cell
    colour: str
    must: bool


class Placed(NamedTuple):
    """A text from a cell on to the right."""

    text: str
    cell: Cell
    colour: str


def placed_names(names: Sequence[Name], taken: Mapping[Cell, int], columns: int, rows: int) -> Iterator[Placed]:
    """Each name where it hides nothing, or nothing but steps: right of its line's end, or as near to that as can be.

    Args:
        names: The most important first.
        taken: The cells that are not empty, with the rank of what is in them; 0 stands for steps.
        columns: All columns, also those right of the axis' end.
        rows: All rows.
    """
    full = dict(taken)
    for name in names:
        full[name.end] = max(1, full.get(name.end, 1))  # no name covers a newest value
    middle = sum(name.end[1] for name in names) / max(1, len(names))
    for name in names:
        found = _place(name, full, columns, rows, upwards=name.end[1] >= middle)
        if found is not None:
            column, row = found.cell
            full.update({(column + n, row): 9 for n in range(-1, len(found.text) + 1)})
            yield found


def _place(name: Name, full: Mapping[Cell, int], columns: int, rows: int, *, upwards: bool) -> Placed | None:
    ways = (1, -1) if upwards else (-1, 1)
    *named, bare = name.forms
    tries = [(form, away) for shorter, form in enumerate(named) for away in range(NEAR + shorter + 1)]
    tries += [(form, away) for form in (*named, bare) for away in range(FAR + 1)]
    tries += [(bare, away) for away in range(FAR + 1, rows)] if name.must else []
    for over_steps in (False, True):
        for form, away in tries:
            for way in ways if away else (1,):
                row = name.end[1] + way * away
                start = _start(name.end[0], len(form), columns, beside=away == 0)
                if start is None or not 0 <= row < rows:
                    continue
                cells = [(column, row) for column in range(max(0, start - 1), start + len(form))]
                if all(cell not in full or (over_steps and full[cell] == 0) for cell in cells):
                    return Placed(form, (start, row), name.colour)
    return None


def _start(end: int, length: int, columns: int, *, beside: bool) -> int | None:
    """The first column of a name: right of its line's end, or in another row as far right as it fits."""
    if end + 2 + length <= columns:
        return end + 2
    return None if beside or length > columns else columns - length


def placed_words(
    words: Sequence[tuple[str, Cell, str]], taken: Mapping[Cell, int], columns: int, rows: int
) -> Iterator[Placed]:
    """The words behind each mark, '■ stopped', on the side that has room, or else above or below the mark.

    They are whole or left out: a part of '✗ not finite' could say the opposite.
    """
    full = set(taken)
    for text, (column, row), colour in words:
        _, _, behind = text.partition(" ")
        beside = [(column + 2, row), (column - 1 - len(behind), row)]
        for start, at in [*beside, *((column - len(behind) // 2, row + way) for way in (1, -1))] if behind else []:
            cells = {(start + n, at) for n in range(-1, len(behind) + 1)} - {(column, row)}
            inside = 0 <= start <= columns - len(behind) and 0 <= at < rows
            if inside and not cells & full:
                full |= cells
                yield Placed(behind, (start, at), colour)
                break
