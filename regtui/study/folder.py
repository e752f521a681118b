"""A study on disk: its folder with the plan, study.toml, its runs, and what it came to, study.json.

    logs/20261126-123456-study-dropout-1a2b/
        study.toml    the plan, written before the first run and never changed; its fingerprint tells if it was
        added.toml    seeds added after the plan, if there are any
        study.json    what the study has come to, written anew after each run (study/outcome.py)
        runs/         ordinary runs
        slurm/        while jobs of Slurm make them (study/slurm.py)

A run belongs to the job whose preset equals its own, whatever its folder is called.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Self

from pydantic import ValidationError

from regtui.errors import InputError, RegtuiError, unwritable
from regtui.files import NotPlainError, TooLargeError, open_plain, read_plain, table_of_toml, text_of, write_whole
from regtui.preset.file import to_table
from regtui.preset.train import SEEDS
from regtui.preset.validation import validate
from regtui.runs.files import read_json, read_toml
from regtui.runs.find import STUDY, find_study_folders, is_run, is_study_folder, the_one_named
from regtui.runs.resumable import resumable
from regtui.study.plan import Job, StudyPlan
from regtui.text import quoted

ADDED = "added.toml"
OUTCOME = "study.json"
RUNS = "runs"
JOBS = "slurm"
LONGEST_PLAN = 2**20
"""Largest plan in bytes; one of 10,000 seeds has a tenth."""

MOST_READ = 20_000
"""So many runs are remembered."""
_GONE = ".gone"
DRAFT = ".tmp"
_LOOKS_AT_LOCK = 5
KEPT = ("finished", "diverged")
"""How a run ends that is never made again; one that was stopped or failed is made again."""


@dataclass(frozen=True)
class StudyRuns:
    """The runs in a study's folder.

    Attributes:
        done: The folder of each job's run that has ended, by `Job.key`.
        failed: Those that failed or were stopped, which are made again when the study is resumed.
        unfinished: Folders of runs that go on or were interrupted, each with its job; None where that is not known.
        strangers: Folders of runs that are of no job: of another preset, or of seeds that the study has not.
    """

    done: Mapping[tuple[str, int, int], Path]
    failed: Mapping[tuple[str, int, int], Path]
    unfinished: Mapping[Path, tuple[str, int, int] | None]
    strangers: Sequence[Path]

    @property
    def cut_off(self) -> dict[tuple[str, int, int], Path]:
        """Of each job the run that has the furthest checkpoint of those that are to be made again, if one has any."""
        found: dict[tuple[str, int, int], tuple[int, Path]] = {}
        for folder, key in (*self.unfinished.items(), *((folder, key) for key, folder in self.failed.items())):
            if key is not None and key not in self.done and (epoch := reached(folder)) > found.get(key, (0, folder))[0]:
                found[key] = epoch, folder
        return {key: folder for key, (_, folder) in found.items()}


class StudyFolder:
    """One study on disk: `create` begins one, `open` reads one.

    Attributes:
        path: The folder.
        plan: What was decided before the first run.
        added: Seeds added since, which are exploratory.
    """

    def __init__(self, path: Path, plan: StudyPlan, added: Sequence[int] = ()) -> None:
        """A study that is there; see `create` and `open`."""
        self.path = path
        self.plan = plan
        self.added = list(added)
        self._is_new = False

    @classmethod
    def create(cls, plan: StudyPlan, logs: Path) -> Self:
        """Begin a study in a new folder below `logs`.

        Raises:
            InputError: The folder can't be written.
        """
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        path = logs / f"{stamp}-study-{plan.preset['name']}-{secrets.token_hex(2)}"
        draft = logs / f".{path.name}.tmp"  # there is never a study without its plan
        try:
            (draft / RUNS).mkdir(parents=True)
            write_whole(draft / STUDY, _plan_toml(plan))
            draft.rename(path)
        except (OSError, ValueError) as error:  # ValueError: a null character
            with suppress(OSError, ValueError):
                shutil.rmtree(draft)
            why = error.strerror if isinstance(error, OSError) else error
            raise InputError(
                f"{logs}: studies can't be saved here ({why}); name another folder with --log-dir"
            ) from None
        study = cls(path, plan)
        study._is_new = True
        return study

    @classmethod
    def open(cls, path: Path) -> Self:
        """The study in a folder.

        Raises:
            InputError: There is none, its plan can't be read, or was changed after it was written.
        """
        plan = _read_plan(path / STUDY)
        return cls(path, plan, [seed for seed in _read_added(path / ADDED) if seed not in plan.seeds])

    @property
    def runs(self) -> Path:
        """Where its runs are."""
        return self.path / RUNS

    @property
    def outcome(self) -> Path:
        """Where it is kept what the study came to."""
        return self.path / OUTCOME

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def jobs(self) -> list[Job]:
        """Every run of the study, in the order in which they are made; those of added seeds come last."""
        return [*self._planned, *(self.plan.jobs(self.added) if self.added else [])]

    @cached_property
    def _planned(self) -> list[Job]:
        return self.plan.jobs()

    @cached_property
    def _identities(self) -> dict[str, tuple[str, int, int]]:
        """The key of each job by what it runs."""
        return {identity(to_table(job.preset)): job.key for job in self.jobs}

    def add(self, seeds: Sequence[int]) -> None:
        """Add seeds beyond the plan, which stays as it is: what they add is exploratory.

        Raises:
            RegtuiError: The folder can't be written.
        """
        known = {*self.plan.seeds, *self.added}
        self.added += [seed for seed in dict.fromkeys(seeds) if seed not in known]
        self.__dict__.pop("_identities", None)
        text = f"# Seeds added after the plan was written: what they add is exploratory.\nseeds = {self.added}\n"
        try:
            write_whole(self.path / ADDED, text.encode())
        except OSError as error:
            raise RegtuiError(f"{self.path / ADDED}: can't be written ({unwritable(error)})") from None

    def discard_unbegun(self) -> None:
        """Remove the folder if it was made just now and no run has begun in it."""
        with suppress(OSError):
            if self._is_new and not any(self.runs.iterdir()):
                shutil.rmtree(self.path)

    def sweep(self) -> None:
        """Remove what is left of runs that were being removed, or copied, when a program was killed."""
        for ending in (_GONE, DRAFT):
            for left in self.runs.glob(f".*{ending}"):
                shutil.rmtree(left, ignore_errors=True)

    def find_runs(self) -> StudyRuns:
        """The runs that are there, each with the job that it is of.

        Raises:
            InputError: Two runs that have ended are of one job.
        """
        done: dict[tuple[str, int, int], Path] = {}
        failed: dict[tuple[str, int, int], Path] = {}
        unfinished: dict[Path, tuple[str, int, int] | None] = {}
        strangers: list[Path] = []
        for folder in self._folders():
            same, status = _read_run(folder)
            key = self._key_of(folder, same)
            if not same and _is_begun(folder):
                unfinished[folder] = None
            elif key is None:
                strangers.append(folder)
            elif not status:
                unfinished[folder] = key
            elif status not in KEPT:
                failed[key] = folder
            elif key in done:
                raise InputError(
                    f"{quoted(done[key].name)} and {quoted(folder.name)} in {quoted(self.path)} are runs of the same "
                    "settings and seed; move one of them away"
                )
            else:
                done[key] = folder
        return StudyRuns(done, failed, unfinished, strangers)

    def key_of(self, run: Path) -> tuple[str, int, int] | None:
        """The key of the job that a run is of, wherever its folder is; None if it is of none."""
        return self._key_of(run, _read_run(run)[0])

    def _key_of(self, run: Path, same: str) -> tuple[str, int, int] | None:
        jobs = self._identities
        return jobs.get(same) or (jobs.get(_identity_now(run)) if same else None)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from making runs of this study meanwhile; it is let go even if this program is killed.

        Raises:
            InputError: Another program makes its runs, or they can't be saved.
        """
        try:
            if self.runs.is_symlink():
                raise OSError(errno.ELOOP, f"a link stands where its folder {RUNS!r} should be")
            open_plain(self.path / STUDY).close()
            file = (self.path / STUDY).open("r+b")
        except OSError as error:
            raise InputError(f"{quoted(self.path)}: no runs can be saved here ({unwritable(error)})") from None
        with file:
            for _ in range(_LOOKS_AT_LOCK):
                if _lock(file, exclusive=True):
                    break
                time.sleep(0.1)  # somebody who only looks holds it for a moment
            else:
                raise InputError(
                    f"{quoted(self.name)} is being run by another program, and needs no other; 'regtui review' shows it"
                )
            yield

    @property
    def is_held(self) -> bool:
        """Whether a program makes its runs now, on this machine or, where the file system tells, on another."""
        return is_conducted(self.path)

    def _folders(self) -> list[Path]:
        try:
            entries = [entry for entry in os.scandir(self.runs) if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{quoted(self.runs)}: this can't be looked into ({error.strerror})") from None
        return sorted(Path(entry.path) for entry in entries if not entry.name.startswith("."))


def identity(preset: Mapping[str, Any]) -> str:
    """What two runs have in common that are of the same job: every setting but texts for people and the device."""
    same = {key: value for key, value in preset.items() if key not in ("title", "summary")}
    if isinstance(train := same.get("train"), Mapping):
        same["train"] = {key: value for key, value in train.items() if key != "device"}
    return json.dumps(same, sort_keys=True, default=str)


def reached(run: Path) -> int:
    """The epoch after which a run that nobody trains can go on from its checkpoint; 0 if it can't."""
    try:
        return resumable(run, held=True).epoch
    except InputError:
        return 0


def drop_run(run: Path) -> None:
    """Remove a run that does not count; it is never seen half removed."""
    gone = run.with_name(f".{run.name}{_GONE}")
    with suppress(OSError):
        run.rename(gone)
        shutil.rmtree(gone)


def find_studies(logs: Path) -> list[Path]:
    """The folders of studies in and below `logs`, the newest last; folders that can't be read are passed over."""
    return sorted(find_study_folders(logs), key=lambda path: path.name)


def is_conducted(study: Path) -> bool:
    """Whether a program makes the runs of the study in a folder now; see `StudyFolder.is_held`."""
    try:
        with open_plain(study / STUDY) as file:
            return not _lock(file, exclusive=False)
    except OSError:
        return False


def find_study(text: str, logs: Path) -> Path:
    """The folder of the study that `text` means: a path, or a unique beginning of a name below `logs`.

    Raises:
        InputError: There is no such study, or several; the message names the nearest.
    """
    with suppress(OSError, ValueError):
        if text and is_study_folder(Path(text)):
            return Path(text)
    if not text or Path(text).name != text:
        raise InputError(f"{quoted(text)} is no study's folder: it has no {STUDY}")
    studies = find_studies(logs)
    if not studies:
        raise InputError(f"{quoted(text)}: there are no studies in {quoted(logs)}; name it with --log-dir")
    return the_one_named(text, studies, "study", logs)


def _lock(file: BinaryIO, *, exclusive: bool) -> bool:
    """Lock an open file until it is closed; returns whether nobody else has. Without locks it succeeds."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _plan_toml(plan: StudyPlan) -> bytes:
    import tomlkit  # 40 ms

    table = {"fingerprint": plan.fingerprint, **plan.model_dump(by_alias=True, exclude_none=True)}
    note = (
        "# The plan of a study, written before its first run. A plan that is changed afterwards is refused: a verdict\n"
        "# holds for what was decided on before.\n"
    )
    return (note + tomlkit.dumps(table)).encode()


def _read_plan(file: Path) -> StudyPlan:
    table = _read_table(file)
    fingerprint = table.pop("fingerprint", None)
    try:
        plan = StudyPlan.model_validate(table)
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        if type(table.get("schema")) is int and table["schema"] > 1:
            raise InputError(f"{quoted(file)} is from a later version of regtui; update regtui to read it") from None
        raise InputError(f"{quoted(file)} is no plan of a study: {key} is not as it was written") from None
    if plan.fingerprint != fingerprint:
        raise InputError(
            f"{quoted(file)} was changed after it was written, and a plan holds only if it was made before; put it "
            "back as it was, or begin a new study"
        )
    return plan


def _read_added(file: Path) -> list[int]:
    if not file.exists():
        return []
    seeds = _read_table(file).get("seeds")
    if not isinstance(seeds, list) or not all(type(seed) is int and 0 <= seed < SEEDS for seed in seeds):
        raise InputError(f"{quoted(file)} is damaged: it should have a line such as 'seeds = [8, 9]'")
    return list(dict.fromkeys(seeds))


def _read_table(file: Path) -> dict[str, Any]:
    try:
        return table_of_toml(text_of(read_plain(file, LONGEST_PLAN)))
    except FileNotFoundError:
        raise InputError(f"{quoted(file.parent)} is no study's folder: it has no {file.name}") from None
    except (NotPlainError, IsADirectoryError):
        raise InputError(f"{quoted(file)} is no file") from None
    except TooLargeError:
        raise InputError(f"{quoted(file)} is too large to be a plan") from None
    except OSError as error:
        raise InputError(f"{quoted(file)} can't be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise InputError(f"{quoted(file)} is damaged: it is no TOML") from None


def _read_run(run: Path) -> tuple[str, str]:
    """The identity of a run's preset, empty if it can't be read; and how the run ended, empty if it did not."""
    try:
        ended = os.stat(run / "summary.json")  # noqa: PTH116
    except OSError:
        return _identity_of(run), ""
    return _read_ended(run, ended.st_mtime_ns, ended.st_size)


@lru_cache(MOST_READ)
def _read_ended(run: Path, _changed: int, _size: int) -> tuple[str, str]:
    """Of a run that has ended, which is read once: a study looks at its runs after each of them."""
    try:
        status = read_json(run / "summary.json").get("status")
    except (OSError, InputError):
        status = ""
    return _identity_of(run), status if isinstance(status, str) else ""


def _identity_of(run: Path) -> str:
    try:
        return identity(read_toml(run / "preset.toml"))
    except (OSError, InputError):
        return ""


def _identity_now(run: Path) -> str:
    """The identity of a run's preset as it is read now: an earlier version may have had fewer settings."""
    try:
        return identity(to_table(validate(read_toml(run / "preset.toml"), "a run")))
    except (OSError, InputError):
        return ""


def _is_begun(run: Path) -> bool:
    """Whether a folder is what is left of a run that was interrupted before its preset was written."""
    names = {name for name in os.listdir(run) if not name.startswith(".")}  # noqa: PTH208
    return is_run(run) and names <= {"checkpoint", "events.jsonl", "run.json"}
