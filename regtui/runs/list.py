"""Saved runs: finds their folders, reads what a list shows, and resolves names of runs.

Only the small files of a run are read (preset.toml, run.json, summary.json), because events.jsonl may be large. Reading
a run never fails, whatever the files contain: what could not be read is named in its `fault`.
"""

from __future__ import annotations

import difflib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from regtui import PRESET_SCHEMA, SCHEMA
from regtui.errors import InputError
from regtui.files import NotPlainError, open_events
from regtui.preset.arms import BASELINE
from regtui.runs.alive import standing
from regtui.runs.before import brought_up
from regtui.runs.files import LONGEST, MAX_FIELDS, Field, flat_fields, read_json, read_toml
from regtui.runs.note import NAME as NOTE
from regtui.runs.note import Note, read_note
from regtui.tasks import METRICS, TASKS, Comparison, Metric, Task
from regtui.tasks.comparison import holm
from regtui.text import UNKNOWN, number, one_line, quoted

FILES = ("preset.toml", "run.json", "summary.json", "events.jsonl")
"""A folder with two of these files is a run, whatever its name."""
STUDY = "study.toml"
"""A folder with this file is a study, whatever its name."""
MAX_DEPTH = 4
"""The most levels below the given folder at which a run is found."""

_RUN_NAME = re.compile(r"(\d{8}-\d{6})-.+-[0-9a-f]{4}")

RunStatus = Literal["finished", "stopped", "diverged", "failed", "running", "silent", "interrupted", "damaged"]

_ENDED: tuple[RunStatus, ...] = ("finished", "stopped", "diverged", "failed")


RESULTS = frozenset({
    "epochs", "stop_reason", "best_epoch", "best_val_loss", "final", "kept", "kept_epoch", "at_kept", "test",
    "zero_weights", "weight_norm", "seconds", "parameters",
})  # fmt: skip
"""What a summary tells of an arm: 'arms.NAME.epochs'; all else below 'arms.NAME' is the preset's."""


def is_result(key: str) -> bool:
    """Whether a field is what an arm came to, and no setting of the preset's."""
    parts = key.split(".", 3)
    return parts[0] == "arms" and len(parts) > 2 and parts[2] in RESULTS


@dataclass(frozen=True)
class ArmFigures:
    """What the list shows of an arm; None where it was not measured.

    Attributes:
        best_val_loss: Its lowest validation loss, in whatever epoch.
        test_metric: The task's metric on the test set, of the weights that it kept.
    """

    best_val_loss: float | None
    test_metric: float | None


@dataclass(frozen=True)
class RunInfo:
    """What the list shows of a run.

    Attributes:
        folder: Where it is.
        started: When it began, in UTC.
        status: How it ended; of a run without summary that of `regtui.runs.alive.Standing`; `damaged` if its files do
            not say.
        fault: What is wrong with its files, in a word; empty if nothing is.
        fields: The fields of preset and summary by their dotted keys, except long texts and hashes, and `status`,
            `arms` (their names), `verdict` and `test.difference`. Of several arms beside the baseline, `verdict.ARM`
            and `test.difference.ARM` are those of each, and `verdict` is "several", or "none" if none was compared.
            `note` and `tags` (with blanks between them) are the user's.
        silence: Of a run that is trained elsewhere, for how long it has told nothing, if that is worth a word.
    """

    folder: Path
    started: datetime
    status: RunStatus
    fault: str = ""
    fields: Mapping[str, Field] = field(default_factory=dict)
    silence: str = ""

    @property
    def name(self) -> str:
        """The folder's name."""
        return one_line(self.folder.name or self.folder.absolute().name)

    @property
    def may_go_on(self) -> bool:
        """Whether more of it may come, so that it is worth following."""
        return self.status in ("running", "silent")

    @cached_property
    def preset(self) -> str:
        """The preset's name; empty if unknown, as are all texts."""
        return self._text("preset")

    @property
    def device(self) -> str:
        """The device it was trained on; of a run without summary, the one that was asked for."""
        return self._text("device")

    @property
    def seed(self) -> int | None:
        """Its seed."""
        return self._whole("seed")

    @property
    def epochs(self) -> int | None:
        """The epochs trained, of the arm that trained longest; None until the run has ended."""
        trained = [self._whole(f"arms.{arm}.epochs") for arm in (BASELINE, *self.others)]
        return max((epochs for epochs in trained if epochs is not None), default=None)

    @cached_property
    def others(self) -> list[str]:
        """The arms beside the baseline, in order; empty until the run has ended."""
        return [arm for arm in self._text("arms").split() if arm != BASELINE]

    @cached_property
    def metric(self) -> Metric:
        """The metric that the run's scores are of; accuracy where that is not known."""
        return METRICS.get(self._text("task.metric"), TASKS["classification"].metric)

    @cached_property
    def baseline(self) -> ArmFigures:
        """What the baseline came to."""
        return self.figures(BASELINE)

    @cached_property
    def other(self) -> ArmFigures:
        """What the one arm beside the baseline came to; nothing where there are several."""
        return self.figures(self.others[0]) if len(self.others) == 1 else ArmFigures(None, None)

    @cached_property
    def difference(self) -> float | None:
        """The one other arm's metric on the test set minus the baseline's, as it is shown: percentages in points."""
        return self._number("test.difference")

    @property
    def verdict(self) -> str:
        """One of `evidence.verdict.OUTCOMES`, or "several"; empty until the run has ended."""
        return self._text("verdict")

    @cached_property
    def verdicts(self) -> dict[str, str]:
        """The outcome of each arm beside the baseline; empty until the run has ended."""
        if len(self.others) > 1:
            return {arm: self._text(f"verdict.{arm}") for arm in self.others}
        return dict.fromkeys(self.others, self.verdict)

    @cached_property
    def differences(self) -> dict[str, float]:
        """Each other arm's metric on the test set minus the baseline's, as it is shown, where both were tested."""
        keys = {arm: f"test.difference.{arm}" if len(self.others) > 1 else "test.difference" for arm in self.others}
        return {arm: value for arm, key in keys.items() if (value := self._number(key)) is not None}

    @property
    def shown_verdict(self) -> str:
        """The verdict in few cells: 'more'; of several arms, how many did better, worse, or neither: '2+ 3− 1?'."""
        if self.verdict != "several":
            return self.verdict or UNKNOWN
        signs = {"more": "+", "closer": "+", "fewer": "−", "farther": "−", "undecided": "?", "same": "="}
        found = Counter(signs[verdict] for verdict in self.verdicts.values() if verdict in signs)
        return " ".join(f"{found[sign]}{sign}" for sign in dict.fromkeys(signs.values()) if found[sign])

    @cached_property
    def clouds(self) -> list[str]:
        """What keeps the run from a clean comparison, each in a word: 'steered', 'stopped', 'diverged', 'unpaired'."""
        words = ["steered"] if self.fields.get("interventions") else []
        words += [self.status] if self.status in ("stopped", "diverged") else []
        return words + (["unpaired"] if self.fields.get("pairing.unpaired_because") else [])

    def verdict_in(self, cells: int) -> str:
        """The verdict in so many cells, with what clouds it: 'more, steered', or in fewer cells 'steered'.

        Where nothing is compared because the arms are not a matched pair, it is 'not comparable', or 'unpaired'.
        """
        shown, clouds = self.shown_verdict, self.clouds
        if self.verdict == "none" and "unpaired" in clouds:
            told = ["not comparable", "unpaired"]
        elif clouds and self.verdict not in ("", "none"):
            told = [f"{shown}, {' and '.join(clouds)}", f"{shown}, {clouds[0]}", clouds[0]]
        else:
            told = [shown]
        return next((text for text in told if len(text) <= cells), told[-1])

    @cached_property
    def points(self) -> str:
        """The difference and what it rests on: '+1.50 (one seed)'; of several arms, how many there are."""
        known = len(self.others) > 1 or self.difference is not None
        return f"{self.shown_difference} ({self.caveats})" if known else UNKNOWN

    @property
    def shown_difference(self) -> str:
        """The difference with the digits of its metric: '+1.50'; of several arms, how many there are: '7 arms'."""
        if len(self.others) > 1:
            return f"{len(self.others)} arms"
        return self.signed(self.difference)

    def signed(self, difference: float | None) -> str:
        """A difference in the run's metric, as it is shown: '+1.50'."""
        return number(difference, f"+.{self.metric.digits}f")

    @property
    def caveats(self) -> str:
        """What the difference rests on, in a few words: 'one seed', and what keeps the run from a clean comparison."""
        words = ["one seed"]
        words += ["steered"] if self.fields.get("interventions") else []
        words += ["not paired"] if self.fields.get("pairing.unpaired_because") else []
        return ", ".join(words)

    @property
    def note(self) -> Note:
        """What the user wrote of it."""
        return Note(self._text("note"), tuple(self._text("tags").split()))

    @cached_property
    def texts(self) -> str:
        """The texts in which a filter looks for words, in lower case; of several arms also names and verdicts."""
        arms = (text for arm in self.verdicts.items() for text in arm) if len(self.others) > 1 else ()
        texts = (
            self.name,
            self.preset,
            self.status,
            self.device,
            self.verdict,
            self.fault,
            self.note.line,
            *self.clouds,
            *arms,
        )
        return "\n".join(texts).casefold()

    def figures(self, arm: str) -> ArmFigures:
        """What an arm came to."""
        test = self._number(f"arms.{arm}.test.{self.metric.name}")
        return ArmFigures(self._number(f"arms.{arm}.best_val_loss"), test)

    def _text(self, key: str) -> str:
        value = self.fields.get(key, "")
        return value if isinstance(value, str) else ""

    def _number(self, key: str) -> float | None:
        value = self.fields.get(key)
        return None if value is None or isinstance(value, str) else float(value)

    def _whole(self, key: str) -> int | None:
        value = self.fields.get(key)
        return value if isinstance(value, int) else None


def find_runs(
    folder: Path, tell: Callable[[str], object] = lambda _words: None, *, in_studies: bool = False
) -> Iterator[Path]:
    """The folders of runs in and below `folder`, each once, even if links lead there too or in a circle.

    Runs of a study are passed over, since the study stands for them, unless `folder` is that study or inside it.

    Args:
        folder: Where to look; it may be a run's own folder.
        tell: Receives a sentence for each folder that can't be read.
        in_studies: Whether to look for runs in studies as well.
    """
    return (path for path, is_study in _walk(folder, tell, in_studies=in_studies) if not is_study)


def find_study_folders(folder: Path) -> Iterator[Path]:
    """The folders of studies in and below `folder`, each once; those that can't be read are passed over."""
    return (path for path, is_study in _walk(folder, lambda _words: None, in_studies=False) if is_study)


def _walk(folder: Path, tell: Callable[[str], object], *, in_studies: bool) -> Iterator[tuple[Path, bool]]:
    """The folders of runs and studies in and below `folder`, and whether each is a study."""
    level, seen = [str(folder)], set()
    for depth in range(MAX_DEPTH + 1):
        below: list[str] = []
        for path in level:
            try:
                status = os.stat(path)  # noqa: PTH116, a Path for each of ten thousand folders takes a while
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                if _is_named_as_run(path):  # it need not be looked into
                    yield Path(path), False
                    continue
                with os.scandir(path) as scan:
                    entries = list(scan)
            except (OSError, ValueError) as error:
                tell(f"{one_line(path)}: passed over, it can't be read ({_why(error)})")
                continue
            names = {entry.name for entry in entries}
            if STUDY in names:
                yield Path(path), True
            elif _has_files(names):
                yield Path(path), False
                continue
            if STUDY not in names or in_studies or depth == 0:
                below += sorted(e.path for e in entries if not e.name.startswith(".") and _is_folder(e))
        level = below


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run, by its name or its files; folders below it are not searched."""
    try:
        return os.path.isdir(folder) and (  # noqa: PTH112, it never raises
            _is_named_as_run(str(folder)) or _has_files(set(os.listdir(folder)))  # noqa: PTH208
        )
    except OSError:
        return False


def is_study_folder(folder: Path) -> bool:
    """Whether a folder is that of a study."""
    return os.path.isfile(folder / STUDY)  # noqa: PTH113, it never raises


def _is_named_as_run(path: str) -> bool:
    """Whether a folder has a run's name, and is no study, whose folder has runs in it and is named much alike."""
    return bool(_RUN_NAME.fullmatch(os.path.basename(path))) and not (  # noqa: PTH119, a Path takes a while
        "-study-" in path and os.path.exists(f"{path}/{STUDY}")  # noqa: PTH110
    )


def _has_files(names: Set[str]) -> bool:
    return len(names & set(FILES)) >= 2


def _why(error: OSError | ValueError) -> str:
    return error.strerror or "it can't be used" if isinstance(error, OSError) else "there can be no such name"


def check_folder(folder: Path) -> None:
    """Check that a folder can be searched for runs.

    Raises:
        InputError: It can't be.
    """
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        raise InputError(f"{quoted(folder)}: there is no such folder; name the one that holds the runs") from None
    except NotADirectoryError:
        raise InputError(f"{quoted(folder)}: this is a file; name the folder that holds the runs") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{quoted(folder)}: this can't be looked into ({_why(error)}); name a folder that holds runs"
        ) from None


def find_run(text: str, logs: Path) -> Path:
    """The folder of the run that `text` means: a path, or a unique beginning of a name below `logs`.

    Raises:
        InputError: There is no such run, or several; the message names the nearest.
    """
    folder = Path(text)
    if text and is_run(folder):
        return folder
    closed = _closed(folder)
    if folder.name != text or closed:  # names of runs have no slash
        what = " is no run's folder" if not closed and os.path.lexists(folder) else ": there is no such folder"
        raise InputError(
            f"{quoted(text)}{closed or what}; name a folder that holds a run, or the beginning of a run's name"
        )
    words: list[str] = []
    runs = sorted(find_runs(logs, words.append, in_studies=True), key=lambda run: run.name)
    if not runs:
        why = f" ({words[0]})" if words and os.path.lexists(logs) else ""
        raise InputError(
            f"{quoted(text)} is no run's folder, and there are no runs in {quoted(logs)}{why}; name it with --log-dir"
        )
    matching = [run for run in runs if text and run.name.startswith(text)]
    exact = [run for run in matching if run.name == text]
    if len(exact or matching) == 1:
        return (exact or matching)[0]
    if matching:
        names = ", ".join(quoted(run.name) for run in matching[:5])
        raise InputError(
            f"{quoted(text)} begins the names of {len(matching)} runs: {names}{', …' * (len(matching) > 5)}"
        )
    near = difflib.get_close_matches(text[:100], [run.name for run in runs], n=1, cutoff=0.3) or [runs[-1].name]
    raise InputError(f"no run in {quoted(logs)} begins with {quoted(text)}; did you mean {quoted(near[0])}?")


def _closed(folder: Path) -> str:
    """Why a folder can't be read, if it exists or may exist; else empty."""
    try:
        if os.path.isdir(folder):  # noqa: PTH112
            os.scandir(folder).close()
        os.lstat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        return f": this can't be looked into ({_why(error)})"
    return ""


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


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


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
