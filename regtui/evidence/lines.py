"""A run's verdict as lines of text for people: what is found, a table of the arms, and what is left open."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from regtui.evidence import several
from regtui.evidence.glance import glance, text_of
from regtui.evidence.several import Columns
from regtui.evidence.verdict import ArmResult, Verdict, epoch_seconds, shown_epoch
from regtui.preset.arms import marks_of
from regtui.tasks import Task, words
from regtui.text import NBSP, loss, number, share

if TYPE_CHECKING:
    from regtui.evidence.advice import Advice  # imports pydantic, which the list of runs does not need

WIDTH = 80
"""The default width of the text in columns."""


def verdict_lines(verdicts: Mapping[str, Verdict], width: int = WIDTH) -> list[str]:
    """Return the verdicts on a run's arms as plain text for people, at most `width` columns wide."""
    at_a_glance = [text_of(row) for row in glance(verdicts, width)]
    return [*at_a_glance, "", *detail_lines(verdicts, width)]


def detail_lines(verdicts: Mapping[str, Verdict], width: int = WIDTH) -> list[str]:
    """What a verdict rests on: the arms' numbers, the tests with their statistics, time, gaps, and what stays open."""
    of_all = list(verdicts.values())
    first = of_all[0]
    baseline = max(of_all, key=lambda verdict: verdict.arm.epochs).baseline  # timed beside the arm that trained longest
    blocks = [arms_table(width, first.task, [baseline, *(verdict.arm for verdict in of_all)])]
    if len(of_all) == 1:
        details = "" if first.outcome == "none" or first.comparison is None else _details(first)
        blocks.append(_wrap(width, first.statement()))
        blocks.append(_wrap(width, details, first.cost(), first.gap()) if details else [])
        blocks.append(_wrap(width, first.limits()))
    else:
        blocks += [_wrap(width, several.opening(of_all)), _comparisons(width, of_all)]
        blocks += [_wrap(width, paragraph) for paragraph in several.closing(of_all)]
    return [line for block in blocks if block for line in ("", *block)][1:]


def _details(verdict: Verdict) -> str:
    assert verdict.comparison is not None
    told = words.details(verdict.comparison, verdict.arm.name, verdict.examples)
    return f"{told} {words.UNTESTED}" if verdict.task.name == "classification" else told


def _comparisons(width: int, verdicts: Sequence[Verdict]) -> list[str]:
    """A row for each comparison; in a narrow terminal a sentence, because no column may be left out."""
    columns = several.comparisons(verdicts)
    return set_out(columns) if table_width(columns) <= width else _wrap(width, *several.sentences(verdicts))


def advice_lines(advice: Sequence[Advice], width: int = WIDTH) -> list[str]:
    """What the rules of diagnosis found: a paragraph for each sentence, then what to try next, as commands."""
    sentences = [_wrap(width, one.sentence) for one in advice if one.sentence]
    commands = dict.fromkeys(one.command for one in advice if one.command)
    pairs = zip(("next  ", "or    "), commands, strict=False)
    tried = [line for head, command in pairs for line in _typed(head, command, width)]
    return [line for block in (*sentences, tried) if block for line in ("", *block)][1:]


def _typed(head: str, command: str, width: int) -> list[str]:
    """A command behind a word, on as many lines as it needs, so that a shell takes them as they are."""
    words = shlex.split(command)
    parts = [shlex.join(words[:3])]  # what is run: 'regtui study dropout'
    for word in words[3:]:
        if not word.startswith("--") and parts[-1].startswith("--"):
            parts[-1] += f" {shlex.quote(word)}"  # an option's value stays beside it
        else:
            parts.append(shlex.quote(word))
    lines = parts[:1]
    for part in parts[1:]:
        if len(lines[-1]) + 1 + len(part) <= width - len(head) - 2:
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    continued = [f"{line} \\" for line in lines[:-1]] + lines[-1:]
    return [f"{head if place == 0 else ' ' * len(head)}{line}" for place, line in enumerate(continued)]


def arms_table(width: int, task: Task, arms: Sequence[ArmResult]) -> list[str]:
    """A table with a row for each arm below a header of two lines; columns that don't fit are left out."""
    marks = marks_of(arm.name for arm in arms)
    columns = [
        ("", "", [f"{marks[arm.name]} {arm.name}" for arm in arms]),
        ("test", task.metric.title, [task.metric.show(arm.test_metric) for arm in arms]),
        ("test", "loss", [loss(arm.test_loss) for arm in arms]),
        ("kept", "epoch", [shown_epoch(arm.kept_epoch) for arm in arms]),
        ("gap", "kept", [loss(arm.gap_at_kept, "+.4f") for arm in arms]),
        ("best", "epoch", [shown_epoch(arm.best_epoch) for arm in arms]),
        ("best val", "loss", [loss(arm.best_val_loss) for arm in arms]),
        ("weights", "zero", [share(arm.zero_weights, 1) for arm in arms]),
        ("", "‖w‖", [number(arm.weight_norm, ".1f") for arm in arms]),
        ("", "s/epoch", epoch_seconds(*arms)),
    ]
    while len(columns) > 2 and table_width(columns) > width:
        columns.pop()
    return set_out(columns)


def _widths(columns: Columns) -> list[int]:
    return [max(len(top), len(bottom), *map(len, cells)) for top, bottom, cells in columns]


def table_width(columns: Columns) -> int:
    """The columns of the terminal that a table takes."""
    return sum(_widths(columns)) + len(columns) - 1


def set_out(columns: Columns) -> list[str]:
    """A table's lines: the first column is aligned at the left, all others at the right."""
    widths = _widths(columns)
    rows = zip(*((top, bottom, *cells) for top, bottom, cells in columns), strict=True)
    lines = []
    for name, *cells in rows:
        right = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        lines.append(" ".join([name.ljust(widths[0]), *right]).rstrip().replace(NBSP, " "))
    return lines


def _wrap(width: int, *sentences: str) -> list[str]:
    """Wrap each sentence; no-break spaces keep numbers and units together, and become blanks afterwards."""
    wrapped = (textwrap.wrap(sentence, width, break_on_hyphens=False) for sentence in sentences)
    return [line.replace(NBSP, " ") for lines in wrapped for line in lines]
