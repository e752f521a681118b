"""What the logs of two sides come to, in sentences that claim no more than their numbers carry.

The words of a verdict are those of a study; each is marked as not proven paired, for a log does not show what else
differed.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from regtui.evidence.bars import around_zero, bar, is_drawn, labels
from regtui.evidence.over_seeds_words import TITLES, disagreement
from regtui.foreign.counted_value import Value, whole
from regtui.foreign.judged import JudgedLogs
from regtui.text import NBSP, capital, number, p_value, signed

MARK = f"NOT{NBSP}PROVEN{NBSP}PAIRED"
MOST_ROWS = 30
"""LoggedRows of the table of runs; --json has all."""
MOST_TOLD = 6
"""Runs that were left out, and notes, that are told one by one."""
BAR = 61
"""Cells of the drawn interval."""
SIDES = ("baseline", "regularized")


def headline(judged: JudgedLogs) -> str:
    """What the logs come to, in one line: 'HELPS: val_acc +1.45 points (95 % interval +0.96 to +1.93, p < 0.001)'."""
    told = f"{judged.metric.name} {_amount(judged, judged.difference)}"
    if judged.interval is not None and judged.p is not None:
        told += f" ({_percent(judged)} interval {_interval(judged)}, {p_value(judged.p)})"
    return f"{TITLES[judged.call]}: {told} · {MARK}"


def paragraphs(judged: JudgedLogs) -> list[str]:
    """What qualifies the headline: what it holds for, why it is not proven paired, what it rests on, what is open."""
    return [text for text in (_conditions(judged), _not_proven(judged), _test(judged), *_limits(judged)) if text]


def verdict_lines(judged: JudgedLogs, width: int) -> list[str]:
    """The verdict as plain text for people, at most `width` columns wide but for the names of files."""
    blocks = [[headline(judged)], _drawn(judged, width), *([text] for text in paragraphs(judged))]
    lines = [line for block in blocks if block for line in ("", *_wrapped(block, width))][1:]
    lines += ["", *textwrap.wrap(f"{judged.metric.titled}:", width), *table(judged)]
    for text in remarks(judged):
        lines += _wrapped([text], width)
    return [line.replace(NBSP, " ") for line in lines]


def table(judged: JudgedLogs) -> list[str]:
    """A row a pair, or a row a run where nothing is joined."""
    if judged.joined_by:
        rows = [(judged.joined_by, *SIDES, "difference")]
        for key, first, second in _pairs(judged):
            difference = _difference(judged, second.value - first.value)
            rows.append((str(key), _shown(judged, first.value), _shown(judged, second.value), difference))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    else:
        sides = [(name, value) for name, side in zip(SIDES, _sides(judged), strict=True) for value in side]
        width = max(len(_shown(judged, value.value)) for _, value in sides)
        lines = [f"{'side':<11}  {'value':>{width}}  run"]
        lines += [f"{name:<11}  {_shown(judged, value.value):>{width}}  {value.run.name}" for name, value in sides]
    more = len(lines) - 1 - MOST_ROWS
    return [*lines[: MOST_ROWS + 1], *([f"… and {more} more; --json has all"] if more > 0 else [])]


def remarks(judged: JudgedLogs) -> list[str]:
    """Runs that do not count, and what a reader should know of the files."""
    lines = []
    for title, texts in (("Left out", judged.left_out), ("Note", judged.notes)):
        more = len(texts) - MOST_TOLD
        if texts:
            rest = f"; and {more} more, which --json names" if more > 0 else ""
            lines.append(f"{title}: {'; '.join(texts[:MOST_TOLD])}{rest}.")
    return lines


def markdown(judged: JudgedLogs) -> str:
    """A block to paste: the verdict, its conditions, the values."""
    rows = ["| " + " | ".join((judged.joined_by or "run", *SIDES, "difference")[: 4 if judged.joined_by else 3]) + " |"]
    rows.append("| ---: " * (4 if judged.joined_by else 3) + "|")
    if judged.joined_by:
        for key, first, second in _pairs(judged):
            difference = _difference(judged, second.value - first.value)
            rows.append(f"| {key} | {_shown(judged, first.value)} | {_shown(judged, second.value)} | {difference} |")
    else:
        longest = max(map(len, _sides(judged)))
        columns = [[_shown(judged, value.value) for value in side] + [""] * longest for side in _sides(judged)]
        rows += [f"| {index + 1} | {columns[0][index]} | {columns[1][index]} |" for index in range(longest)]
    texts = [f"**{_escaped(headline(judged))}**", *map(_escaped, paragraphs(judged)), "\n".join(rows)]
    return "\n\n".join([*texts, *map(_escaped, remarks(judged))]).replace(NBSP, " ")


def to_json(judged: JudgedLogs) -> dict[str, Any]:
    """Everything as a table for JSON; values in the unit in which they are shown."""
    of = judged.compared
    return {
        "call": judged.call,
        "paired": "not proven",
        "joined_by": judged.joined_by or None,
        "unjoined_because": judged.unjoined_because or None,
        "metric": judged.metric.name,
        "metric_was_named": judged.was_named,
        "better": judged.metric.better,
        "unit": judged.metric.unit.strip() or None,
        "at": judged.at,
        "axis": judged.axis,
        "difference": judged.difference,
        "interval": judged.interval,
        "alpha": judged.alpha,
        "p": judged.p,
        "p_sign_flip": of.p_flip if of else None,
        "degrees_of_freedom": judged.unpaired.freedom if judged.unpaired else len(judged.keys) - 1,
        "correlation": of.correlation if of else None,
        "smallest_effect": judged.smallest,
        "seeds_needed": of.needed if of else None,
        **{
            name: [
                {"run": value.run.name, "key": key, "value": value.value, judged.axis: value.at, "values": value.of}
                for key, value in zip(judged.keys or [None] * len(side), side, strict=True)
            ]
            for name, side in zip(SIDES, _sides(judged), strict=True)
        },
        "left_out": list(judged.left_out),
        "notes": list(judged.notes),
    }


# Sentences


def _conditions(judged: JudgedLogs) -> str:
    """How many runs, which value of each, and what the sides have on average."""
    first, second = (judged.metric.show(judged.mean(side) / judged.metric.factor) for side in _sides(judged))
    if judged.joined_by:
        runs = f"{len(judged.keys)} pairs of runs joined by {_joiner(judged)}"
    else:
        runs = f"{len(judged.baseline)} runs of the baseline and {len(judged.regularized)} regularized ones, not joined"
    named = "" if judged.was_named else ", chosen here as --metric was left out"
    means = f"baseline {first}, regularized {second} on average ({judged.metric.better} is better)"
    return f"{runs}; {_which(judged)}{named}: {means}."


def _joiner(judged: JudgedLogs) -> str:
    keys = judged.keys
    span = f"{keys[0]}–{keys[-1]}" if keys[-1] - keys[0] == len(keys) - 1 > 1 else ""
    span = span or ", ".join(map(str, keys[:MOST_TOLD])) + (", …" if len(keys) > MOST_TOLD else "")
    return f"seed ({span})" if judged.joined_by == "seed" else f"the number in their names ({span}), taken for the seed"


def _which(judged: JudgedLogs) -> str:
    """'the last of 10 values of val_acc each, at epoch 9'."""
    values = [*judged.baseline, *judged.regularized]
    numbers, whens = sorted({value.of for value in values}), sorted({value.at for value in values})
    many = f"{numbers[0]:,}" if len(numbers) == 1 else f"{numbers[0]:,} to {numbers[-1]:,}"
    when = f"at {judged.axis} {whole(whens[0])}"
    if whole(whens[0]) != whole(whens[-1]):
        when = f"at {judged.axis}s {whole(whens[0])} to {whole(whens[-1])}"
    if numbers == [1]:
        return f"the only value of {judged.metric.name} in each log, {when}"
    if isinstance(judged.at, float):
        return f"the value of {judged.metric.name} in each log {when}, of {many}"
    return f"the {judged.at} of {many} values of {judged.metric.name} in each log, {when}"


def _not_proven(judged: JudgedLogs) -> str:
    told = (
        "Not proven paired: a log does not show that both sides had the same data, split, initial weights and order, "
        "nor that nothing but the technique differs."
    )
    if judged.at == "best" and any(value.of > 1 for side in _sides(judged) for value in side):
        told += (
            f" The best value of a run is optimistic: it was picked by the {judged.metric.name} that is judged, and is "
            "better than on new data by more where a curve is noisier or has more values."
        )
    return told


def _test(judged: JudgedLogs) -> str:
    """By which test the call is made, and what stands beside it."""
    found = judged.compared
    if found is not None:
        count = len(judged.keys)
        better = f"the regularized run is better for {found.wins} of {count}"
        level = f", level for {found.ties}" if found.ties else ""
        told = [f"{better}{level}"]
        if found.p_t is None:
            told.append("all differences are equal, which gives no interval")
        else:
            told.append(f"Student's t over the {count} differences, {p_value(found.p_t)}")
        if found.p_flip is not None:
            told.append(f"exact sign-flip {p_value(found.p_flip)}")
        if found.correlation is not None and found.gain is not None:
            told.append(
                f"the sides correlate {signed(f'{found.correlation:.2f}')} over the pairs, unpaired the "
                f"variance would be {found.gain:.2g}{NBSP}×"
            )
        return capital("; ".join(told)) + "."
    assert judged.unpaired is not None
    why = f"Not joined, for {judged.unjoined_because}"
    if judged.unpaired.freedom is None or judged.p is None:
        return f"{why}; the values of each side are equal, which gives no interval."
    return f"{why}; Welch's t with {judged.unpaired.freedom:.1f} degrees of freedom, {p_value(judged.p)}."


def _limits(judged: JudgedLogs) -> Iterator[str]:
    """What the smallest effect is, where t and sign-flip disagree, and what would settle it."""
    found, smallest = judged.compared, judged.smallest
    if found is not None and (told := disagreement(found)):
        yield told
    if found is None and judged.shown and _least_p(judged) > judged.alpha:
        yield (
            f"So few runs show it only if values are normally distributed: by exchanging runs between the sides, no "
            f"p-value could be below {_least_p(judged):.2g}."
        )
    if smallest is None:
        yield "No smallest effect was named (--smallest-effect), so that no difference can be called too small."
    elif judged.call == "no difference" and judged.shown:
        yield f"The difference is shown, but it is smaller than the {_matters(judged)} that matter."
    elif judged.call in ("no difference", "inconclusive"):
        yield f"No difference matters within ±{_matters(judged)} (--smallest-effect)."
    if judged.call == "inconclusive" and found is not None and found.needed is not None:
        yield f"About {found.needed:,} seeds would probably settle it, decided on beforehand, all of them new."
    yield "It holds if the runs were decided on before their values were seen, and all of them are named here."


def _least_p(judged: JudgedLogs) -> float:
    """The least two-sided p-value of a permutation test of two sides that nothing joins."""
    first, second = len(judged.baseline), len(judged.regularized)
    return (2 if first == second else 1) / math.comb(first + second, first)


# Numbers


def _sides(judged: JudgedLogs) -> tuple[Sequence[Value], Sequence[Value]]:
    return judged.baseline, judged.regularized


def _pairs(judged: JudgedLogs) -> Iterator[tuple[int, Value, Value]]:
    return zip(judged.keys, judged.baseline, judged.regularized, strict=True)


def _shown(judged: JudgedLogs, value: float) -> str:
    return judged.metric.plain(value / judged.metric.factor)


def _difference(judged: JudgedLogs, value: float) -> str:
    return number(value, f"+.{judged.metric.digits}f")


def _amount(judged: JudgedLogs, value: float) -> str:
    return f"{_difference(judged, value)}{judged.metric.points}"


def _interval(judged: JudgedLogs) -> str:
    assert judged.interval is not None
    return f"{NBSP}to{NBSP}".join(_difference(judged, end) for end in judged.interval)


def _percent(judged: JudgedLogs) -> str:
    return f"{100 * (1 - judged.alpha):g}{NBSP}%"


def _matters(judged: JudgedLogs) -> str:
    assert judged.smallest is not None
    return f"{judged.smallest:g}{judged.metric.points}"


def _drawn(judged: JudgedLogs, width: int) -> list[str]:
    """The interval around zero, and its ends' values below it."""
    interval = judged.interval
    if interval is None or not is_drawn(interval):
        return []
    scale = around_zero(interval, min(BAR, width))
    texts = (_difference(judged, interval[0]), _difference(judged, interval[1]))
    cells = bar(interval, judged.difference, "◆", scale)
    return ["".join(text for text, _ in cells), labels(interval, texts, scale)]


def _wrapped(block: Sequence[str], width: int) -> list[str]:
    """A paragraph wrapped; what is drawn, in several lines, as it is."""
    if len(block) > 1:
        return list(block)
    return textwrap.wrap(block[0], width, break_on_hyphens=False, break_long_words=False)


def _escaped(text: str) -> str:
    """A text in which Markdown finds nothing to obey."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#~" else c for c in text)
