"""What varies in a study, in tables and sentences: strengths, differences over data, bias and variance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from regtui.evidence.bias_variance_words import overlap_sentence, parts_sentences, parts_table
from regtui.evidence.dose_words import dose_sentences, dose_table, gain_sentences, map_table
from regtui.evidence.glance import wrap
from regtui.evidence.lines import set_out, table_width
from regtui.preset.arms import BASELINE
from regtui.study.bias_variance import bias_variance, shared_between_sets
from regtui.study.dose import dose_responses, effect_maps, gains
from regtui.study.words import StudyWords


class Section(NamedTuple):
    """One thing that varies.

    Attributes:
        title: What stands above the table; may be empty.
        head: The table's head; empty where there is no table.
        rows: Its rows.
        sentences: What can be said.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    sentences: Sequence[str]


def sections(words: StudyWords) -> Iterator[Section]:
    """What varies; nothing where nothing does.

    A strength has a table of its values and what can be said of them, in the first cell; a setting of data or training
    has a sentence for each arm whose difference changes with it. Two that vary at once have a table of differences.
    Where training sets are resampled, each arm's error is taken apart, in the first cell.
    """
    outcome = words.outcome
    labels = {BASELINE: BASELINE, **{arm.name: words.named(arm.name) for arm in outcome.plan.arms}}
    where = f"At {words.where(words.first.cell)}:" if len(words.judged) > 1 else ""
    for response in dose_responses(outcome):
        yield Section(where, *dose_table(response), dose_sentences(response))
    unit = f" in {words.metric.points.strip()}" if words.metric.points else ""
    for effects in effect_maps(outcome):
        title = f"Mean differences from the baseline in {words.quantity}{unit}:"
        yield Section(title, *map_table(effects), [])
    for of in gains(outcome):
        if told := gain_sentences(of, labels):
            yield Section("", [], [], told)
    is_open = any(of.score.call == "open" for of in words.first.arms.values())
    if not is_open and (parts := bias_variance(outcome)):
        told = parts_sentences(parts, labels, words.preset.dataset.examples, words.plan.alpha)
        overlap = overlap_sentence(shared_between_sets(words))
        yield Section(where, *parts_table(parts, labels), [*told, *([overlap] if overlap else [])])


def varied_blocks(words: StudyWords, width: int) -> list[list[str]]:
    """The sections as blocks of lines, at most `width` columns wide."""
    blocks = []
    for section in sections(words):
        title = wrap(section.title, width) if section.title else []
        blocks.append([*title, *(_table(section, width) if section.head else [])])
        blocks.append([line for sentence in section.sentences for line in wrap(sentence, width)])
    return [block for block in blocks if block]


def _table(section: Section, width: int) -> list[str]:
    """A table; columns at its end that don't fit are left out."""
    columns = [("", title, [row[place] for row in section.rows]) for place, title in enumerate(section.head)]
    while len(columns) > 2 and table_width(columns) > width:
        columns.pop()
    return set_out(columns)[1:]  # of the two lines above the rows the first is empty
