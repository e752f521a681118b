"""A study on disk: its folder with the plan, study.toml, its runs, and what it came to, study.json.

    logs/20261126-123456-study-dropout-1a2b/
        study.toml    the plan, written before the first run and never changed; its fingerprint tells if it was
        added.toml    seeds added after the plan, if there are any
        options.toml  how its runs are made, where that was said: whether they save their weights
        study.json    what the study has come to, written anew after each run (study/outcome.py)
        runs/         ordinary runs
        slurm/        while jobs of Slurm make them (study/slurm.py)

A run belongs to the job whose preset equals its own, whatever its folder is called.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Self

from regtui.errors import InputError, RegtuiError, unwritable
from regtui.files import by_its_name, open_plain, write_whole
from regtui.preset.file import to_table
from regtui.runs.find import STUDY, find_study_folders, is_study_folder, the_one_named
from regtui.runs.lock import LockedError, lock
from regtui.study.found_runs import GONE, KEPT, StudyRuns, identity, identity_now, is_begun, read_run
from regtui.study.plan import Job, StudyPlan
from regtui.study.plan_file import ADDED, OPTIONS, options_toml, plan_toml, read_added, read_checkpoints, read_plan
from regtui.text import quoted

OUTCOME = "study.json"
RUNS = "runs"
JOBS = "slurm"
DRAFT = ".tmp"


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
    def create(cls, plan: StudyPlan, logs: Path, *, checkpoints: bool = False) -> Self:
        """Begin a study in a new folder below `logs`.

        Args:
            plan: The plan.
            logs: The folder of saved runs and studies.
            checkpoints: Whether its runs save their weights after each epoch.

        Raises:
            InputError: The folder can't be written.
        """
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        path = logs / f"{stamp}-study-{plan.preset['name']}-{secrets.token_hex(2)}"
        draft = logs / f".{path.name}.tmp"  # there is never a study without its plan
        try:
            (draft / RUNS).mkdir(parents=True)
            write_whole(draft / STUDY, plan_toml(plan))
            if checkpoints:
                write_whole(draft / OPTIONS, options_toml(checkpoints=True))
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
        plan = read_plan(path / STUDY)
        return cls(path, plan, [seed for seed in read_added(path / ADDED) if seed not in plan.seeds])

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
        self._write(ADDED, text.encode())

    @property
    def checkpoints(self) -> bool:
        """Whether its runs save their weights after each epoch.

        Raises:
            InputError: What was said of that can't be read.
        """
        return read_checkpoints(self.path / OPTIONS)

    def set_checkpoints(self, *, wanted: bool) -> None:
        """Have the runs that are begun from now on save their weights after each epoch, or not.

        Raises:
            RegtuiError: The folder can't be written.
        """
        self._write(OPTIONS, options_toml(checkpoints=wanted))

    def left(self) -> list[Job]:
        """Every run that is still to be made.

        Raises:
            InputError: Two runs that have ended are of one job.
        """
        done = self.find_runs().done
        return [job for job in self.jobs if job.key not in done]

    def discard_unbegun(self) -> None:
        """Remove the folder if it was made just now and no run has begun in it."""
        with suppress(OSError):
            if self._is_new and not any(self.runs.iterdir()):
                shutil.rmtree(self.path)

    def sweep(self) -> None:
        """Remove what is left of runs that were being removed, or copied, when a program was killed."""
        for ending in (GONE, DRAFT):
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
            same, status = read_run(folder)
            key = self._key_of(folder, same)
            if not same and is_begun(folder):
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
        return self._key_of(run, read_run(run)[0])

    def _key_of(self, run: Path, same: str) -> tuple[str, int, int] | None:
        jobs = self._identities
        return jobs.get(same) or (jobs.get(identity_now(run)) if same else None)

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
            try:
                lock(file.fileno())
            except LockedError:
                words = (
                    f"{quoted(self.name)} is being run by another program, and needs no other; 'regtui review' shows it"
                )
                raise InputError(words) from None
            yield

    @property
    def is_held(self) -> bool:
        """Whether a program makes its runs now, on this machine or, where the file system tells, on another."""
        return is_conducted(self.path)

    def _write(self, name: str, content: bytes) -> None:
        try:
            write_whole(self.path / name, content)
        except OSError as error:
            raise RegtuiError(f"{self.path / name}: can't be written ({unwritable(error)})") from None

    def _folders(self) -> list[Path]:
        try:
            entries = [entry for entry in os.scandir(self.runs) if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{quoted(self.runs)}: this can't be looked into ({error.strerror})") from None
        return sorted(Path(entry.path) for entry in entries if not entry.name.startswith("."))


def find_studies(logs: Path) -> list[Path]:
    """The folders of studies in and below `logs`, the newest last; folders that can't be read are passed over."""
    return sorted(find_study_folders(logs), key=lambda path: path.name)


def is_conducted(study: Path) -> bool:
    """Whether a program makes the runs of the study in a folder now; see `StudyFolder.is_held`."""
    try:
        with open_plain(study / STUDY) as file:
            lock(file.fileno(), tries=1, exclusive=False)
    except LockedError:
        return True
    except OSError:
        return False
    return False


def find_study(text: str, logs: Path) -> Path:
    """The folder of the study that `text` means: a path, or a unique beginning of a name below `logs`.

    Raises:
        InputError: There is no such study, or several; the message names the nearest.
    """
    with suppress(OSError, ValueError):
        if text and is_study_folder(Path(text)):
            return by_its_name(Path(text))
    if not text or Path(text).name != text:
        raise InputError(f"{quoted(text)} is no study's folder: it has no {STUDY}")
    studies = find_studies(logs)
    if not studies:
        raise InputError(f"{quoted(text)}: there are no studies in {quoted(logs)}; name it with --log-dir")
    return by_its_name(the_one_named(text, studies, "study", logs))
