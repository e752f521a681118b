"""What varies in a study, in lines: strengths over their values, differences over data, bias and variance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from regtui.evidence.bias_variance_words import overlap_sentence, parts_sentences, parts_table
from regtui.evidence.dose_words import dose_sentences, dose_table, gain_sentences, map_table
from regtui.evidence.glance import wrap
from regtui.evidence.lines import set_out, table_width
from regtui.preset.arms import BASELINE
from regtui.study.bias_variance import bias_variance, shared_between_sets
from regtui.study.dose import dose_responses, effect_maps, gains
from regtui.study.words import StudyWords


def varied_blocks(words: StudyWords, width: int) -> list[list[str]]:
    """Blocks of lines, at most `width` columns wide; none where nothing varies.

    A strength has a table of its values and what can be said of them, in the first cell; a setting of data or training
    has a sentence for each arm whose difference changes with it. Two that vary at once have a table of differences.
    Where training sets are resampled, each arm's error is taken apart.
    """
    outcome, blocks = words.outcome, []
    where = f"At {words.where(words.first.cell)}:" if len(words.judged) > 1 else ""
    for response in dose_responses(outcome):
        blocks += [
            [*wrap(where, width), *_table(*dose_table(response), width)],
            _paragraphs(dose_sentences(response), width),
        ]
    unit = f" in {words.metric.points.strip()}" if words.metric.points else ""
    title = f"Mean differences from the baseline in {words.quantity}{unit}:"
    for effects in effect_maps(outcome):
        blocks.append([*wrap(title, width), *_table(*map_table(effects), width)])
    labels = {arm.name: words.named(arm.name) for arm in outcome.plan.arms}
    blocks += [_paragraphs(gain_sentences(of, labels), width) for of in gains(outcome)]
    if parts := bias_variance(outcome):
        names = {BASELINE: BASELINE, **labels}
        told = parts_sentences(parts, names, words.preset.dataset.examples, words.plan.alpha)
        blocks.append([*wrap(where, width), *_table(*parts_table(parts, names), width)])
        blocks.append(_paragraphs([*told, overlap_sentence(shared_between_sets(words))], width))
    return [block for block in blocks if block]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """A table; columns at its end that don't fit are left out."""
    columns = [("", title, [row[place] for row in rows]) for place, title in enumerate(head)]
    while len(columns) > 2 and table_width(columns) > width:
        columns.pop()
    return set_out(columns)[1:]  # of the two lines above the rows the first is empty


def _paragraphs(sentences: Iterable[str], width: int) -> list[str]:
    return [line for sentence in sentences for line in wrap(sentence, width)]
