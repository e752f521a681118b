"""A study's verdict as a block of Markdown to paste: question, verdict, numbers, conditions, plan, and the command."""

from __future__ import annotations

import re
from collections.abc import Sequence

from regtui.study.details import details_sentences, table
from regtui.study.naming import span
from regtui.study.outcome import StudyOutcome
from regtui.study.reproduce import command_of
from regtui.study.varied import Section, sections
from regtui.study.words import StudyWords
from regtui.text import NBSP, counted, listed, one_line

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def markdown(outcome: StudyOutcome, name: str) -> str:
    """The block, of a study whose folder has this name."""
    words = StudyWords(outcome)
    columns = table(words)
    header = [" ".join(filter(None, (top, bottom))) for top, bottom, _ in columns]
    rows = zip(*(cells for _, _, cells in columns), strict=True)
    beside = [*words.warnings(), words.ended(), words.over_cells(), *words.limits(), *words.left_out()]
    losses = [words.loss(words.first, arm) for arm in words.first.arms]
    told = [sentence for sentence in (*beside, *details_sentences(words), *losses) if sentence]
    lines = [
        f"**{escaped(words.question())}**",
        "",
        f"**{escaped(words.headline())}**",
        "",
        escaped(words.conditions()),
        "",
        *_table(header, list(rows)),
        "",
        *(f"- {escaped(sentence)}" for sentence in told),
        "",
        *(line for section in sections(words) for line in _section(section)),
        "```",
        *(f"{key:<8}{value}" for key, value in _facts(outcome, name)),
        "```",
    ]
    return "\n".join(lines)


def _section(section: Section) -> list[str]:
    """What varies: a title, a table, and what can be said, each with an empty line below."""
    title = [escaped(section.title), ""] if section.title else []
    table_lines = [*_table(section.head, section.rows), ""] if section.head else []
    told = [f"- {escaped(sentence)}" for sentence in section.sentences]
    return [*title, *table_lines, *([*told, ""] if told else [])]


def escaped(text: str) -> str:
    """Text in which nothing is Markdown or HTML."""
    return _MARKUP.sub(r"\\\1", one_line(text).replace(NBSP, " "))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    ruled = [":--", *("--:" for _ in header[1:])]
    return [f"| {' | '.join(map(escaped, row))} |" for row in (header,)] + [
        f"| {' | '.join(ruled)} |",
        *(f"| {' | '.join(map(escaped, row))} |" for row in rows),
    ]


def _facts(outcome: StudyOutcome, name: str) -> list[tuple[str, str]]:
    plan, (done, planned) = outcome.plan, outcome.runs
    looks = f"looks at {listed([str(look) for look in plan.looks])} seeds" if plan.looks else "no looks"
    matters = (
        "" if plan.smallest_effect is None else f", smallest effect {StudyWords(outcome).plain(plan.smallest_effect)}"
    )
    decided = f"{counted(len(plan.seeds), 'seed')} ({span(plan.seeds)}), alpha {plan.alpha:g}{matters}, {looks}"
    command = command_of(plan) or "none: the preset is not there as it was; study.toml has it"
    facts = [
        ("plan", decided),
        ("runs", f"{done} of {planned}, {outcome.state}"),
        ("study", name),
        ("command", command),
    ]
    return [(key, one_line(value).replace(NBSP, " ").replace("`", "'")) for key, value in facts]
