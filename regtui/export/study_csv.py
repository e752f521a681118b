"""A study as CSV: values.csv, a row for each cell, seed, trial and arm, and verdicts.csv, a row for each cell and arm.

values.csv      cell, role, settings of the cell, seed, trial (from 1), its tuned settings, arm, label, planned (whether
                the seed is in the plan), counts (whether it is the trial that was chosen, of a run that is not left
                out), test and validation metrics and losses as the run's summary has them, seconds, epochs, the run's
                folder, and why_not: why the run, or the arm in it, does not count
verdicts.csv    differences over seeds in the unit in which people read them: accuracies in percentage points; what the
                columns mean stands in study/record.py
strengths.csv   where a strength varies: a row for each of its values and the baseline, in each cell
gains.csv       where data or training vary: a row for each value and arm, with the arm's trend beside
bias_variance.csv   where training sets are resampled: a row for each cell and arm; the columns of these three are
                those of study/varied_numbers.py
A cell is empty where a number is not known.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from regtui.evidence.over_seeds import Compared
from regtui.export.saved_study import SavedStudy
from regtui.preset.arms import BASELINE
from regtui.study.scores import read_scores
from regtui.study.varied_numbers import varied_tables
from regtui.tasks import LOSS
from regtui.text import one_line

_ENDS = ("interval", "joint")
_NUMBERS = tuple(field.name for field in fields(Compared) if field.name not in ("differences", *_ENDS))


def write(study: SavedStudy, folder: Path) -> None:
    """Write a study's numbers into a new folder, in full precision."""
    folder.mkdir(parents=True)
    keys = list(dict.fromkeys(key for cell in study.outcome.cells.values() for key in cell.cell.settings))
    metric = study.outcome.plan.metric
    names = [f"{part}_{name}" for part in ("test", "val") for name in dict.fromkeys((metric, LOSS.name))]
    head = [
        "cell",
        "role",
        *keys,
        "seed",
        "trial",
        *study.outcome.plan.tune,
        "arm",
        "label",
        "planned",
        "counts",
        *names,
    ]
    _write(folder / "values.csv", [*head, "seconds", "epochs", "run", "why_not"], _values(study, keys))
    ends = [f"{name}_{end}" for name in (*_ENDS, "new_examples_too") for end in ("low", "high")]
    of_loss = ["loss_mean", "loss_joint_low", "loss_joint_high", "loss_p", "loss_call"]
    head = ["cell", "role", *keys, "arm", "label", "seeds", *_NUMBERS, *ends, "cost", *of_loss]
    _write(folder / "verdicts.csv", head, _verdicts(study, keys))
    for name, columns, rows in varied_tables(study.outcome):
        _write(folder / f"{name}.csv", columns, rows)


def _values(study: SavedStudy, keys: Sequence[str]) -> Iterator[list[object]]:
    outcome, labels = study.outcome, {BASELINE: BASELINE, **study.words.labels}
    names = list(dict.fromkeys((outcome.plan.metric, LOSS.name)))
    for cell in outcome.cells.values():
        settings = [cell.cell.settings.get(key) for key in keys]
        for (seed, trial), folder in sorted(cell.runs.items()):
            run = read_scores(folder)
            for arm, scores in run.arms.items() if run is not None else ():
                if run is None or arm not in labels:
                    continue
                values = cell.baseline if arm == BASELINE else cell.arms[arm].values
                counts = not run.why_not and seed in values and cell.run_of(arm, seed) == folder
                numbers = [part.get(name) for part in (scores.test, scores.validation) for name in names]
                yield [
                    cell.cell.name, cell.cell.role, *settings, seed, trial + 1, *outcome.plan.trials[trial].values(),
                    arm, labels[arm], int(seed in outcome.plan.seeds), int(counts), *numbers,
                    scores.seconds, scores.epochs, folder.name, run.why_not or scores.why_not,
                ]  # fmt: skip


def _verdicts(study: SavedStudy, keys: Sequence[str]) -> Iterator[list[object]]:
    for cell in study.outcome.cells.values():
        settings = [cell.cell.settings.get(key) for key in keys]
        for name, arm in cell.arms.items():
            ends = [end for of in (arm.score.interval, arm.score.joint, arm.both_scopes) for end in of or (None, None)]
            loss = arm.loss
            of_loss = [None] * 5 if loss is None else [loss.mean, *(loss.joint or (None, None)), loss.p, loss.call]
            yield [
                cell.cell.name, cell.cell.role, *settings, name, study.words.labels[name], len(arm.score.differences),
                *(getattr(arm.score, number) for number in _NUMBERS), *ends, arm.cost, *of_loss,
            ]  # fmt: skip


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([_safe(cell) for cell in row] for row in rows)


def _safe(cell: object) -> object:
    """A text on one line that no spreadsheet takes for a formula; truth as 0 or 1; numbers as they are."""
    if isinstance(cell, bool):
        return int(cell)
    if not isinstance(cell, str):
        return cell
    text = one_line(cell)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
