"""A study's verdict in full as lines: at a glance first, then the tables and sentences that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from regtui.evidence.glance import text_of, wrap
from regtui.evidence.lines import advice_lines, set_out, table_width
from regtui.evidence.over_seeds import Compared
from regtui.evidence.several import Columns
from regtui.preset.arms import BASELINE
from regtui.study.diagnosis import advice_on_study
from regtui.study.glance import SHOWN, glance
from regtui.study.outcome import CellOutcome, StudyOutcome
from regtui.study.varied import varied_blocks
from regtui.study.words import StudyWords
from regtui.text import NBSP, UNKNOWN, number, p_value

WIDTH = 80
"""The default width of the text in columns."""


def verdict_lines(outcome: StudyOutcome, width: int = WIDTH) -> list[str]:
    """The verdict and all that it rests on, as plain text, at most `width` columns wide."""
    return [*(text_of(row) for row in glance(outcome, width)), "", *details(outcome, width)]


def details(outcome: StudyOutcome, width: int = WIDTH) -> list[str]:
    """What a verdict rests on: a table, the tests, both scopes, the losses, other conditions, trials, added seeds.

    At the end stands what the runs' curves say, and what to try next.
    """
    words = StudyWords(outcome)
    blocks = list(_tables(words, width))
    blocks.append([line for sentence in details_sentences(words) for line in wrap(sentence, width)])
    blocks += [*varied_blocks(words, width), advice_lines(advice_on_study(outcome), width)]
    return [line for block in blocks if block for line in ("", *block)][1:]


def _tables(words: StudyWords, width: int) -> Iterator[list[str]]:
    """The table of all comparisons, of several arms one for each cell; and the tests of several arms."""
    cells = list(words.outcome.cells.values())
    if len(cells) > 1 and words.several:
        for cell in cells:
            yield [*wrap(f"{words.place(cell.cell)}:", width), *set_out(_fitting(table(words, [cell]), width))]
    else:
        yield set_out(_fitting(table(words, cells), width))
    if words.several:
        title = [f"{words.place(words.first.cell)}:"] if len(cells) > 1 else []
        yield from ([*title, *set_out(_fitting(columns, width))] for columns in tests_tables(words))


def _fitting(columns: Columns, width: int) -> Columns:
    """The columns that fit, without the last ones, which matter least."""
    while len(columns) > 3 and table_width(columns) > width:
        columns = columns[:-1]
    return columns


def details_sentences(words: StudyWords) -> list[str]:
    """What the tables leave open: how a call is made, of one arm its tests and scopes, other conditions, trials."""
    sentences = [words.method()]
    if not words.several:
        (arm,) = words.first.arms
        sentences += [words.statistics(words.first, arm), *words.scopes(words.first, arm)]
    held = [told for arm in words.first.arms if (told := words.sensitivity(arm))]
    sentences += [words.arms(), *_first_of(held), words.trials(), *words.exploratory()]
    return [sentence for sentence in sentences if sentence]


def _first_of(held: Sequence[str]) -> list[str]:
    return [f"Under other conditions, each judged by itself, {held[0]}", *held[1:]] if held else []


def tests_tables(words: StudyWords) -> list[Columns]:
    """Tables of the tests of several arms in the first cell: of the metric, and of the test loss."""
    ours = words.first.arms
    if all(of.score.call in ("open", "none") for of in ours.values()):
        return []
    names = [words.named(arm) for arm in ours]
    examples = words.preset.dataset.examples
    of_metric: Columns = [
        ("", "", names),
        ("Student's", "t p", [_p(of.score.p_t) for of in ours.values()]),
        ("sign-flip", "p", [_p(of.score.p_flip) for of in ours.values()]),
        ("max-T", "p", [_p(of.score.p_joint) for of in ours.values()]),
        (f"new {examples}", "too", [words.interval(of.both_scopes) for of in ours.values()]),
        ("corre-", "lation", [number(of.score.correlation, ".2f") for of in ours.values()]),
        (
            "variance",
            "unpaired",
            [UNKNOWN if of.score.gain is None else f"{of.score.gain:.2g} ×" for of in ours.values()],
        ),
    ]
    losses = [of.loss for of in ours.values()]
    of_loss: Columns = [
        ("", "", names),
        ("Δ test", "loss", [UNKNOWN if of is None else number(of.mean, "+.4f") for of in losses]),
        ("95 %", "interval", [_loss_interval(of) for of in losses]),
        ("max-T", "p", [UNKNOWN if of is None else _p(of.p_joint) for of in losses]),
    ]
    return [of_metric, of_loss] if any(of is not None for of in losses) else [of_metric]


def table(words: StudyWords, cells: Sequence[CellOutcome] = ()) -> Columns:
    """A row for each arm in each of these cells, or in all; the columns that matter most come first."""
    metric, cells = words.metric, cells or list(words.outcome.cells.values())
    places = [(cell, arm) for cell in cells for arm in cell.arms]
    ours = [cell.arms[arm] for cell, arm in places]
    columns: Columns = [
        ("", "", [_row_name(words, cell, arm, with_place=len(cells) > 1) for cell, arm in places]),
        ("Δ", _unit(words), [words.difference(of.score.mean) for of in ours]),
        (f"{100 * (1 - words.plan.alpha):g} %", "interval", [_interval(words, of.score) for of in ours]),
        ("", "verdict", [SHOWN[of.score.call] for of in ours]),
        ("", "p", [UNKNOWN if of.score.call == "open" else _p(of.score.p) for of in ours]),
        ("seeds", "ahead", [f"{of.score.wins}/{len(of.score.differences)}" for of in ours]),
        ("test", metric.title, [words.level(of.values) for of in ours]),
        ("", BASELINE, [words.level(cell.baseline) for cell, _ in places]),
        ("time an", "epoch", [_times(of.cost, ".2f") for of in ours]),
        ("Δ test", "loss", [UNKNOWN if of.loss is None else number(of.loss.mean, "+.4f") for of in ours]),
    ]
    return columns


def _row_name(words: StudyWords, cell: CellOutcome, arm: str, *, with_place: bool) -> str:
    """What a row is of: the arm, the setting, or both."""
    if not words.several:
        return words.place(cell.cell) if with_place else f"{words.marks[arm]} {words.label(arm)}"
    return f"{words.named(arm)} · {words.place(cell.cell)}" if with_place else words.named(arm)


def _interval(words: StudyWords, score: Compared) -> str:
    """The joint interval; between looks there is none that could be told."""
    return UNKNOWN if score.call == "open" else words.interval(score.joint)


def _loss_interval(of: Compared | None) -> str:
    if of is None or of.joint is None:
        return UNKNOWN
    return f"{NBSP}to{NBSP}".join(number(end, "+.4f") for end in of.joint)


def _unit(words: StudyWords) -> str:
    return words.metric.points.strip() or words.metric.title


def _times(ratio: float | None, form: str) -> str:
    return UNKNOWN if ratio is None else f"{ratio:{form}} ×"


def _p(p: float | None) -> str:
    return UNKNOWN if p is None else p_value(p).removeprefix(f"p{NBSP}").removeprefix(f"={NBSP}")
