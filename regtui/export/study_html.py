"""One self-contained HTML report of a study: no scripts, no network; readable in light, in dark and on paper.

This file says what the report tells, `study.html.j2` how it is laid out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from regtui import __version__
from regtui.evidence.dose_words import map_table
from regtui.evidence.effect_map import EffectMap
from regtui.evidence.several import Columns
from regtui.export.html import ReportTable, colours_of, template
from regtui.export.saved_study import SavedStudy
from regtui.export.study_svg import ForestRow, forest, response
from regtui.preset.arms import BASELINE
from regtui.study.details import details_sentences, table, tests_tables
from regtui.study.diagnosis import advice_on_study
from regtui.study.dose import dose_responses, effect_maps
from regtui.study.naming import span
from regtui.study.outcome import CellOutcome
from regtui.study.reproduce import command_of
from regtui.study.varied import sections
from regtui.study.words import StudyWords
from regtui.text import NBSP, UNKNOWN, listed

if TYPE_CHECKING:
    from markupsafe import Markup


class _Look(NamedTuple):
    look: str
    colours: tuple[str, str]


def write(study: SavedStudy, path: Path) -> None:
    """Write a study's report into `path`."""
    words, outcome = study.words, study.outcome
    names = [BASELINE, *(arm.name for arm in outcome.plan.arms)]
    looks = {name: _Look(f"arm{place}", colours_of(place)) for place, name in enumerate(names)}
    done, planned = outcome.runs
    where = words.where(words.first.cell)
    at = f", at {where}" if where else ""
    beside = [words.ended(), words.over_cells(), *words.limits(), *words.left_out()]
    losses = [words.loss(words.first, arm) for arm in words.first.arms]
    maps, advice = effect_maps(outcome), advice_on_study(outcome)
    drawn = [map_table(of)[0] for of in maps]
    page = template("study.html.j2").render(
        version=__version__,
        name=study.name,
        title=words.question(),
        facts=[study.name, f"{outcome.state}: {done} of {planned} runs", words.preset.dataset.title],
        arms=list(looks.values()),
        headline=_plain(words.headline()),
        conditions=_plain(words.conditions()),
        warnings=[_plain(told) for told in words.warnings()],
        beside=[_plain(told) for told in beside if told],
        forest=_forest(words, looks),
        quantity=words.quantity,
        percent=f"{100 * (1 - outcome.plan.alpha):g} %",
        smallest=outcome.plan.smallest_effect,
        is_open=any(of.score.call == "open" for cell in outcome.cells.values() for of in cell.arms.values()),
        arms_table=_columns(table(words)),
        tests=[_columns(columns) for columns in tests_tables(words)] if words.several else [],
        details=[_plain(told) for told in (*details_sentences(words), *losses) if told],
        responses=[
            _markup(response(of, looks[of.doses[0].arm].look, f"{words.quantity} over {of.key}{at}"))
            for of in dose_responses(outcome)
            if of.doses
        ],
        maps=[_map(of, words) for of in maps],
        varied=[
            {
                "title": section.title.rstrip(":") or "What varies",
                "table": ReportTable(section.head, section.rows),
                "sentences": [_plain(told) for told in section.sentences],
            }
            for section in sections(words)
            if section.head not in drawn
        ],
        advice=[_plain(one.sentence) for one in advice if one.sentence],
        commands=list(dict.fromkeys(one.command for one in advice if one.command)),
        plan=_plan(study),
        seeds=[_seeds(cell, words) for cell in outcome.cells.values()],
    )
    path.write_text(page, encoding="utf-8")


def _plain(text: str) -> str:
    return text.replace(NBSP, " ")


def _markup(drawing: str) -> Markup:
    from markupsafe import Markup

    return Markup(drawing)


def _forest(words: StudyWords, looks: dict[str, _Look]) -> Markup:
    rows: list[ForestRow] = []
    for cell in words.outcome.cells.values():
        if len(words.outcome.cells) > 1:
            rows.append(ForestRow(words.place(cell.cell)))
        rows += [ForestRow(_plain(words.named(arm)), looks[arm].look, of.score) for arm, of in cell.arms.items()]
    unit = words.metric.points.replace(NBSP, " ").strip()
    label = f"difference from the baseline in {words.quantity}{f', in {unit}' if unit else ''}"
    return _markup(forest(rows, words.plan.smallest_effect, label))


def _columns(columns: Columns) -> ReportTable:
    header = [" ".join(part for part in (top, bottom) if part) for top, bottom, _ in columns]
    return ReportTable(header, [list(row) for row in zip(*(cells for _, _, cells in columns), strict=True)])


def _map(of: EffectMap, words: StudyWords) -> dict[str, object]:
    """A heat map: the shade of a cell is its mean's share of the largest one."""
    header, rows = map_table(of)
    higher = words.metric.better == "higher"

    def cell(row: float, column: float, text: str) -> dict[str, str]:
        effect = of.effects.get((row, column))
        mean = 0.0 if effect is None or effect.mean is None else effect.mean
        look = "" if mean == 0 else "better" if (mean > 0) == higher else "worse"
        return {"text": text, "look": look, "share": f"{abs(mean) / of.reach if of.reach else 0:.2f}"}

    told = [
        {"name": row[0], "cells": [cell(value, *place) for place in zip(of.columns, row[1:], strict=True)]}
        for value, row in zip(of.rows, rows, strict=True)
    ]
    return {"title": f"{of.row_key} and {of.column_key}", "header": header, "rows": told}


def _plan(study: SavedStudy) -> ReportTable:
    plan = study.outcome.plan
    looks = f"at {listed([str(look) for look in plan.looks])} seeds" if plan.looks else "none"
    tuned = "; ".join(f"{key} = {', '.join(map(str, values))}" for key, values in plan.tune.items())
    matters = UNKNOWN if plan.smallest_effect is None else _plain(study.words.plain(plan.smallest_effect))
    rows: list[list[object]] = [
        ["preset", plan.preset["name"]], ["seeds", f"{len(plan.seeds)} ({span(plan.seeds)})"],
        ["judged by", study.words.quantity], ["smallest effect that matters", matters], ["alpha", f"{plan.alpha:g}"],
        ["looks", looks], ["tuned", tuned or "nothing"], ["resampled", plan.resample or "as always"],
        ["command", command_of(plan) or "none: the preset is not there as it was; study.toml has it"],
    ]  # fmt: skip
    return ReportTable(("", ""), rows)


def _seeds(cell: CellOutcome, words: StudyWords) -> dict[str, object]:
    """Each seed's values, and its run."""
    metric = words.metric
    header = ["seed", BASELINE, *(words.named(arm) for arm in cell.arms), "run"]

    def shown(value: float | None) -> str:
        return metric.show(None if value is None else value / metric.factor).replace(NBSP, " ")

    rows: list[Sequence[object]] = []
    for seed in sorted({seed for seed, _ in cell.runs}):
        run = cell.run_of(BASELINE, seed)
        values = [shown(cell.baseline.get(seed)), *(shown(of.values.get(seed)) for of in cell.arms.values())]
        rows.append([str(seed), *values, UNKNOWN if run is None else run.name])
    return {"title": words.place(cell.cell), "table": ReportTable(header, rows)}
