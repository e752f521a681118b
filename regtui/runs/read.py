"""Reads what a list shows of a saved run.

Only the small files of a run are read (preset.toml, run.json, summary.json), because events.jsonl may be large. Reading
a run never fails, whatever the files contain: what could not be read is named in its `fault`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from regtui import PRESET_SCHEMA, SCHEMA
from regtui.errors import InputError
from regtui.files import NotPlainError, open_events
from regtui.preset.arms import BASELINE
from regtui.runs.alive import standing
from regtui.runs.before import brought_up
from regtui.runs.files import LONGEST, MAX_FIELDS, Field, flat_fields, read_json, read_toml
from regtui.runs.info import RESULTS, RunInfo, RunStatus
from regtui.runs.note import NAME as NOTE
from regtui.runs.note import read_note
from regtui.tasks import TASKS, Comparison, Task
from regtui.tasks.comparison import holm

_ENDED: tuple[RunStatus, ...] = ("finished", "stopped", "diverged", "failed")


def read_run(folder: Path) -> RunInfo:
    """What the list shows of the run in `folder`; what can't be read is named in its `fault`."""
    try:
        names = set(os.listdir(folder))  # noqa: PTH208
    except OSError as error:
        fault = f"the folder can't be read ({error.strerror})"
        return RunInfo(folder, _started(folder, {}), "damaged", fault, {"status": "damaged"})
    faults: list[str] = []
    preset = _read(folder, "preset.toml", names, faults)
    circumstances = _read(folder, "run.json", names, faults)
    summary = _read(folder, "summary.json", names, faults) if "summary.json" in names else {}
    _check_events(folder, faults, ended="summary.json" in names)
    summary = summary and brought_up(folder, preset, summary)
    note = _note(folder, faults) if NOTE in names else {}
    status, silence = _standing(folder, summary if "summary.json" in names else None, circumstances)
    fields = flat_fields({key: value for key, value in preset.items() if key not in ("title", "summary")})
    fields.update((key, v) for key, v in flat_fields(circumstances).items() if key in {"preset", "seed", "device"})
    fields.update(flat_fields(_without_proofs(summary)))
    fields["status"] = status
    for key in LONGEST:  # the user's alone
        fields.pop(key, None)
    if arms := _arms(summary):
        fields["arms"] = " ".join(arms)
    run = RunInfo(folder, _started(folder, circumstances), status, "; ".join(faults), fields, silence)
    if status in _ENDED:
        verdicts = _verdicts(summary, status, run.others)
        drawn = any(verdict != "none" for verdict in verdicts.values())
        fields.update(_of_arms("verdict", verdicts, several="several" if drawn else "none"))
    fields.update(_of_arms("test.difference", _differences(run)))
    fields.update(note)
    return run


def _without_proofs(summary: dict[str, Any]) -> dict[str, Any]:
    """A summary without the hashes and counts that prove the arms equal at the start, by which nobody filters."""
    pairing = summary.get("pairing")
    if not isinstance(pairing, dict):
        return summary
    return summary | {"pairing": {key: pairing[key] for key in ("data", "unpaired_because") if key in pairing}}


def _arms(summary: dict[str, Any]) -> list[str]:
    """The names of the arms of which a summary tells results; a real name has no dot."""
    told = summary.get("arms")
    arms = islice(told.items(), MAX_FIELDS) if isinstance(told, dict) else ()
    return [name for name, arm in arms if "." not in name and isinstance(arm, dict) and not RESULTS.isdisjoint(arm)]


def _of_arms(key: str, values: Mapping[str, Field], several: Field | None = None) -> dict[str, Field]:
    """Fields of the arms beside the baseline: of one, `key`; of several, `key.ARM`, and `several` as `key`."""
    if len(values) == 1:
        return {key: next(iter(values.values()))}
    told = {f"{key}.{arm}": value for arm, value in values.items()}
    return told | {key: several} if values and several is not None else told


def _differences(run: RunInfo) -> dict[str, Field]:
    """Each other arm's metric on the test set minus the baseline's, as it is shown, where both were tested."""
    theirs = run.baseline.test_metric
    found: dict[str, Field] = {}
    for arm in run.others:
        ours = run.figures(arm).test_metric
        if ours is not None and theirs is not None:
            found[arm] = round(run.metric.factor * (ours - theirs), 9)  # 0.3, not 0.29999999999999716
    return found


def _read(folder: Path, name: str, names: set[str], faults: list[str]) -> dict[str, Any]:
    """One of a run's files as a table; empty, with a message in `faults`, if it can't be read."""
    if name not in names:
        faults.append(f"no {name}")
        return {}
    try:
        table = read_toml(folder / name) if name == "preset.toml" else read_json(folder / name)
    except OSError as error:
        faults.append(f"{name} can't be read ({error.strerror})")
        return {}
    except InputError as error:
        faults.append(str(error))
        return {}
    newest = PRESET_SCHEMA if name == "preset.toml" else SCHEMA
    schema = table.get("schema", newest)
    if not isinstance(schema, int) or schema > newest:
        faults.append(f"{name} is from a later version")
    return table


def _note(folder: Path, faults: list[str]) -> dict[str, Field]:
    """What the user wrote of a run."""
    try:
        note = read_note(folder)
    except (OSError, InputError) as error:
        faults.append(f"{NOTE} can't be read ({error.strerror})" if isinstance(error, OSError) else str(error))
        return {}
    told = {"note": note.text, "tags": " ".join(note.tags)}
    return {key: text for key, text in told.items() if text}


def _check_events(folder: Path, faults: list[str], *, ended: bool) -> None:
    try:
        with open_events(folder, buffering=0) as file:  # for ten thousand large files, read a few bytes each
            if ended and not file.read(1):
                faults.append("events.jsonl is empty")
    except FileNotFoundError:
        faults.append("no events.jsonl")
    except (NotPlainError, IsADirectoryError):
        faults.append("events.jsonl is no file")
    except OSError as error:
        faults.append(f"events.jsonl can't be read ({error.strerror})")


def _standing(folder: Path, summary: dict[str, Any] | None, circumstances: dict[str, Any]) -> tuple[RunStatus, str]:
    """A run's status, and words on its silence."""
    if summary is not None:
        return next((ended for ended in _ENDED if ended == summary.get("status")), "damaged"), ""
    return standing(folder, circumstances) if circumstances else ("damaged", "")


def _started(folder: Path, circumstances: dict[str, Any]) -> datetime:
    """When the run began, by its run.json, else by its name, else by the folder's last change."""
    try:
        told = datetime.fromisoformat(circumstances["started"])
        told = told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
        if 1970 < told.year < 9000:  # it can be converted to local time
            return told
    except (KeyError, TypeError, ValueError, OverflowError):
        pass
    return named_start(folder)


def named_start(folder: Path) -> datetime:
    """When a run or a study began, by its folder's name, else by the folder's last change; in UTC."""
    try:
        return datetime.strptime(folder.name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        return datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    except (OSError, OverflowError, ValueError):
        return datetime.fromtimestamp(0, UTC)


def _verdicts(summary: dict[str, Any], status: RunStatus, others: Sequence[str]) -> dict[str, Field]:
    """The outcome of each arm beside the baseline, from the summary alone."""
    from regtui.evidence.verdict import outcome_of

    told, pairing = summary.get("comparisons"), summary.get("pairing")
    if not isinstance(told, dict) or not isinstance(pairing, dict):
        return dict.fromkeys(others, "none") or {"": "none"}
    task, same = _task(summary), summary.get("same_experiment")
    same = same if isinstance(same, dict) else {}
    found = {arm: _comparison(task, told.get(arm)) for arm in others}
    drawn = {arm: comparison for arm, comparison in found.items() if comparison is not None and not same.get(arm)}
    adjusted = dict(zip(drawn, holm([comparison.p_value() for comparison in drawn.values()]), strict=True))
    return {
        arm: outcome_of(
            comparison,
            same=bool(same.get(arm)),
            paired=not pairing.get("unpaired_because"),
            status=status,
            stop_reasons=[_stop_reason(summary, name) for name in (BASELINE, arm)],
            p_value=adjusted.get(arm),
        )
        for arm, comparison in found.items()
    } or {"": "none"}


def _stop_reason(summary: dict[str, Any], arm: str) -> object:
    told = summary.get("arms")
    told = told.get(arm) if isinstance(told, dict) else None
    reason = told.get("stop_reason") if isinstance(told, dict) else None
    return reason if isinstance(reason, str) else None


def _task(summary: dict[str, Any]) -> Task:
    told = summary.get("task")
    name = told.get("name") if isinstance(told, dict) else None
    return TASKS.get(name if isinstance(name, str) else "", TASKS["classification"])


def _comparison(task: Task, told: object) -> Comparison | None:
    """A comparison as a summary tells it; None if it can't be one."""
    names = task.comparison.__slots__
    if not isinstance(told, dict) or not all(type(told.get(name)) in (int, float) for name in names):
        return None
    comparison = task.comparison(**{name: told[name] for name in names})
    return comparison if comparison.is_possible else None
