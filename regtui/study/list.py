"""Studies as a list of runs shows them, from their plan and study.json alone: a row each, beside those of single runs.

Reading one never fails, whatever its files contain: what could not be read is named in its `fault`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from regtui.errors import InputError
from regtui.preset.arms import BASELINE
from regtui.runs.files import Field, flat_fields, read_json
from regtui.runs.info import RunInfo, RunStatus
from regtui.runs.note import read_note
from regtui.runs.read import named_start
from regtui.study.folder import OUTCOME, StudyFolder
from regtui.study.outcome import State, metric_of
from regtui.study.record import state_of
from regtui.text import UNKNOWN, counted

STATUSES: Mapping[State, RunStatus] = {
    "running": "running", "interrupted": "interrupted", "stopped": "stopped",
    "finished": "finished", "decided": "finished", "futile": "finished",
}  # fmt: skip
"""How a study stands, as a list says of runs."""
CALLS = {"helps": "+", "hurts": "−", "no difference": "=", "inconclusive": "?"}
"""A sign for each call."""
IN_FEW_CELLS = {"inconclusive": "undecided", "no difference": "level"}


@dataclass(frozen=True)
class StudyInfo(RunInfo):
    """What the list shows of a study: the same as of a run, where a study has that, over all its seeds."""

    @property
    def done(self) -> str:
        """How many of its runs are done: '5/8 runs'."""
        done, planned = self._whole("runs.done"), self._whole("runs.planned")
        return f"{done or 0}/{planned} runs" if planned else ""

    @property
    def state(self) -> str:
        """How it stands: one of `outcome.State`; empty if that is not known."""
        return self._text("state")

    @property
    def headline(self) -> str:
        """What it came to, in a sentence; empty where that is not known."""
        return self._text("headline")

    @property
    def epochs(self) -> int | None:
        """Those that are planned for each of its runs."""
        return self._whole("train.epochs")

    @cached_property
    def verdicts(self) -> dict[str, str]:
        """The call of each arm beside the baseline, in the first cell."""
        keys = {arm: f"verdict.{arm}" if len(self.others) > 1 else "verdict" for arm in self.others}
        return {arm: self._text(key) for arm, key in keys.items()}

    @property
    def shown_verdict(self) -> str:
        """The call; of several arms, how many were called what: '2+ 1− 1?'."""
        if len(self.others) < 2:
            return UNKNOWN if self.verdict in ("", "none") else self.verdict
        found = Counter(CALLS[call] for call in self.verdicts.values() if call in CALLS)
        signs = [f"{found[sign]}{sign}" for sign in CALLS.values() if found[sign]]
        return " ".join(signs) or ("open" if "open" in self.verdicts.values() else UNKNOWN)

    def verdict_in(self, cells: int) -> str:
        """The verdict in so many cells."""
        shown = self.shown_verdict
        return shown if len(shown) <= cells else IN_FEW_CELLS.get(shown, shown)

    @property
    def caveats(self) -> str:
        """What the difference rests on: '8 seeds', '5 of 8 seeds'."""
        seeds, planned = self._whole("seeds") or 0, self._whole("seeds.planned") or 0
        return counted(planned, "seed") if seeds == planned else f"{seeds} of {counted(planned, 'seed')}"


def read_study(folder: Path) -> StudyInfo:
    """What the list shows of the study in `folder`."""
    fields: dict[str, Field] = {"study": "true"}
    started = named_start(folder)
    try:
        note = read_note(folder)
        fields |= {key: text for key, text in (("note", note.text), ("tags", " ".join(note.tags))) if text}
        study = StudyFolder.open(folder)
    except (InputError, OSError) as error:
        why = error.strerror or "unreadable" if isinstance(error, OSError) else str(error)
        return StudyInfo(folder, started, "damaged", why, {**fields, "status": "damaged"})
    plan, told = study.plan, _told(folder)
    state = state_of(study)
    fields |= flat_fields({key: value for key, value in plan.preset.items() if key not in ("title", "summary")})
    fields |= {
        "preset": str(plan.preset.get("name", "")),
        "status": STATUSES[state],
        "state": state,
        "seeds.planned": len(plan.seeds),
        "runs.planned": len(plan.seeds) * len(plan.cells) * len(plan.trials),
        "arms": " ".join([BASELINE, *(arm.name for arm in plan.arms)]),
        "task.metric": plan.metric,
    }
    fields |= _found(told, metric_of(plan).factor)
    return StudyInfo(folder, started, STATUSES[state], "", fields)


def _told(folder: Path) -> dict[str, Any]:
    """study.json; empty where it can't be read, as before the first run."""
    try:
        return read_json(folder / OUTCOME)
    except (OSError, InputError):
        return {}


def _found(told: Mapping[str, Any], factor: float) -> dict[str, Field]:
    """What a study came to, by study.json, as fields; without what is not there or not what it should be."""
    found: dict[str, Field] = {}
    if isinstance(headline := _at(told, "verdict", "headline"), str):
        found["headline"] = headline
    if isinstance(done := _at(told, "runs", "done"), int):
        found["runs.done"] = done
    if isinstance(seeds := told.get("seeds"), list):
        found["seeds"] = len(seeds)
    cells = told.get("cells")
    first = cells[0] if isinstance(cells, list) and cells else None
    arms = _at(first, "arms")
    arms = arms if isinstance(arms, dict) else {}
    for arm, of in arms.items():
        end = f".{arm}" if len(arms) > 1 else ""
        if isinstance(call := _at(of, "score", "call"), str):
            found[f"verdict{end}"] = call
        if isinstance(mean := _at(of, "score", "mean"), int | float):
            found[f"test.difference{end}"] = float(mean)
    if len(arms) > 1:
        found["verdict"] = "several"
    metric = _at(told, "metric", "name")
    for arm, of in {BASELINE: _at(first, "baseline"), **arms}.items():
        values = _at(of, "test")
        known = [v for v in values.values() if isinstance(v, int | float)] if isinstance(values, dict) else []
        if known:
            found[f"arms.{arm}.test.{metric}"] = sum(known) / len(known) / factor
    return found


def _at(table: object, *keys: str) -> object:
    """What lies below these keys; None where there is none."""
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table
