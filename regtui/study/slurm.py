"""Makes the runs of a study as jobs of Slurm, through submitit: a shared folder is the channel.

    runs/                    the runs that have ended
    slurm/123_4_0_log.err    what a job has printed, and submitit's own files
    slurm/made/3f2a/1/RUN/   where the run of the first job of a start is until it has ended

Slurm decides what runs when and where, and puts a job that it preempts back into its queue. With checkpoints its run
goes on there; so does one whose job was killed, or whose time was over.
"""

from __future__ import annotations

import logging
import secrets
import shlex
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from regtui.errors import InputError, RegtuiError, unwritable
from regtui.preset.validation import nearest
from regtui.protocol.events import Event, Interrupted, RunFinished
from regtui.runs.follow import Follower
from regtui.runs.log import EVENTS
from regtui.study.alone import on_what_was_asked_for, wants_gpu
from regtui.study.cut_off import MADE, bring_back
from regtui.study.engine import Began, Ended, News, Told
from regtui.study.folder import JOBS
from regtui.study.plan import Job
from regtui.study.slurm_job import Made, SlurmRun, runs_in
from regtui.text import counted, one_line, quoted

MINUTES = 60
"""The time limit of a job, where nobody says one."""
ATTEMPTS = 3
"""So often a run is begun whose job is killed; then it is told as failed."""
TIMES = 1_000
"""So many jobs a run may have whose time is over, where it goes on from checkpoints and each job does an epoch."""
LOOK = 1.0
"""Seconds between two looks into the shared folder: each asks the file server some questions for each job."""
GRACE = 10.0
"""Seconds in which a job's result must be seen here after its job has ended: file servers are late."""
_OWN = {
    "job_name": "is the preset's name",
    "nodes": "is 1: a run needs no more",
    "ntasks_per_node": "is 1: a run is one process",
    "cpus_per_task": "is set by --threads",
    "array_parallelism": "is set by --jobs",
    "num_gpus": "is now gpus_per_node",
    "use_srun": "is not to be changed",
    "stderr_to_stdout": "is not to be changed",
    "additional_parameters": "can't be given in one line",
}
"""Parameters that are not the user's, and why."""
_LISTS = frozenset({"setup", "teardown", "srun_args"})
_NUMBERS = frozenset({"time", "gpus_per_node", "gpus_per_task", "cpus_per_gpu", "signal_delay_s"})
_CUT_SHORT = "Job not requeued because"
"""What submitit says of a job whose time is over, in the error with which it ends."""
_GPUS = ("gpus_per_node", "gpus_per_task", "gres")

Cluster = Literal["slurm", "local", "debug"]


def slurm_settings(given: Sequence[str]) -> dict[str, Any]:
    """What `--slurm KEY=VALUE` says, as submitit takes it.

    Raises:
        InputError: submitit has no such parameter, or the value is none for it.
    """
    from submitit import SlurmExecutor

    known = sorted({*SlurmExecutor._valid_parameters()} - _OWN.keys())
    settings: dict[str, Any] = {}
    for text in given:
        key, _, value = text.partition("=")
        if not key or not value:
            raise InputError(f"--slurm {quoted(text)}: it is KEY=VALUE, such as partition=gpu or time=90")
        if key in _OWN:
            raise InputError(f"--slurm {quoted(text)}: {key} {_OWN[key]}")
        if key not in known:
            near = nearest(key, known) or f"; known are {', '.join(known)}"
            raise InputError(f"--slurm {quoted(text)}: submitit has no such parameter{near}")
        if key in settings and key not in _LISTS:
            raise InputError(f"--slurm {quoted(text)}: {key} is given twice")
        if key in _NUMBERS and not (value.isascii() and value.isdecimal() and 0 < int(value[:9]) < 10**6):
            kind = "number of minutes" if key == "time" else "number"
            raise InputError(f"--slurm {quoted(text)}: {key} is a {kind}, at least 1")
        if key in _LISTS:
            settings.setdefault(key, []).append(value)
        elif key in _NUMBERS:
            settings[key] = int(value)
        else:
            settings[key] = value == "true" if value in {"true", "false"} else value
    return settings


@dataclass
class _Submitted:
    """A run that was begun.

    Attributes:
        job: What is run.
        runs: Where it belongs when it has ended.
        place: Where it is until then.
        cut_off: The folder of a run that was cut off, which is gone on with.
        slurm: Its job, once it was submitted.
        follower: Reads the events of the run's folder in `place`, once there is one.
        log: What tells the log from another at its place: that of a run that goes on is written anew.
        folders: Those that there were in `place`, one for each time that it was begun anew.
        finished: How the run has ended, if it has told that.
        ended: When its job was seen to have ended without a result; 0 if it was not.
        attempts: How often it was submitted.
    """

    job: Job
    runs: Path
    place: Path
    cut_off: Path | None = None
    slurm: Any = None
    follower: Follower | None = None
    log: int = 0
    folders: list[Path] = field(default_factory=list)
    finished: RunFinished | None = None
    ended: float = 0.0
    attempts: int = 0


class SlurmEngine:
    """Makes runs as jobs of Slurm; see `regtui.study.engine.Engine`. The losses of steps are not told."""

    def __init__(
        self,
        settings: Sequence[str],
        jobs: int,
        threads: int = 1,
        *,
        checkpoints: bool = False,
        cluster: Cluster = "slurm",
    ) -> None:
        """Plan the jobs.

        Args:
            settings: What every job asks Slurm for, KEY=VALUE each; see `slurm_settings`.
            jobs: Jobs in Slurm's queue or running at the same time.
            threads: Processors of each.
            checkpoints: Whether runs save their weights after each epoch.
            cluster: submitit's name of the scheduler; 'local' and 'debug' make the jobs here, for tests.

        Raises:
            InputError: submitit is not installed, a setting is none, or there is no Slurm here.
        """
        if find_spec("submitit") is None:
            raise InputError("--engine slurm: submitit is not installed; install regtui[slurm]")
        self._settings, self._cluster = slurm_settings(settings), cluster
        if cluster == "slurm" and shutil.which("srun") is None:
            raise InputError(
                "--engine slurm: there is no Slurm on this machine (srun is not found); start the study on one of the "
                "cluster's, such as its login node"
            )
        self._most, self._threads, self._checkpoints = jobs, threads, checkpoints
        self._executor: Any = None
        self._folder: Path | None = None
        self._start = secrets.token_hex(2)  # jobs of an earlier start may not have ended yet
        self._waiting: list[_Submitted] = []
        self._running: list[_Submitted] = []
        self._made = 0
        self._failed = False
        self._looked = 0.0

    @property
    def room(self) -> int:
        """How many more runs would begin at once."""
        return self._most - len(self._waiting) - len(self._running)

    def begin(self, job: Job, runs: Path) -> None:
        """Begin a run in a new folder below `runs`; returns at once. What is begun until `news` becomes one job array.

        Raises:
            RegtuiError: Jobs can't be submitted here.
        """
        self._wait(job, runs)

    def go_on(self, job: Job, run: Path) -> None:
        """Go on with a run that was cut off from its checkpoint; returns at once. If that can't be, it begins anew.

        Raises:
            RegtuiError: Jobs can't be submitted here.
        """
        self._wait(job, run.parent, run.absolute())

    def _wait(self, job: Job, runs: Path, cut_off: Path | None = None) -> None:
        if self._executor is None:
            self._prepare(runs.absolute().parent / JOBS, job)
        assert self._folder is not None
        self._made += 1
        self._waiting.append(_Submitted(job, runs, self._folder / MADE / self._start / f"{self._made}", cut_off))

    def news(self, timeout: float) -> list[News]:
        """What has happened since the last call, in order; waits up to `timeout` seconds for the first.

        Raises:
            RegtuiError: Jobs can't be submitted.
        """
        if self._waiting:
            self._submit()
        until = time.monotonic() + timeout
        while True:
            now = time.monotonic()
            if now >= self._looked + LOOK:
                self._looked = now
                if found := [news for run in list(self._running) for news in self._look(run)]:
                    return found
            if now >= until:
                return []
            time.sleep(max(0.0, min(until, self._looked + LOOK) - now))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take back all jobs that have not ended; of their runs stays what has a checkpoint."""
        left = [run.slurm for run in self._running if run.slurm is not None]
        if self._cluster == "slurm":
            _take_back([job.job_id for job in left])
        else:
            for job in left:
                job.cancel()
        for run in self._running:
            _bring_back(run)
        self._running.clear()
        self._waiting.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder / MADE if self._failed else self._folder, ignore_errors=True)

    @property
    def _minutes(self) -> int:
        """The time limit of a job."""
        return int(self._settings.get("time", MINUTES))

    @property
    def _has_gpu(self) -> bool:
        """Whether the settings ask for a GPU."""
        return any(key in self._settings for key in _GPUS)

    def _prepare(self, folder: Path, job: Job) -> None:
        """Make submitit ready, once the study's folder is known; its jobs of an earlier start are taken back.

        Raises:
            RegtuiError: There is no Slurm here, the settings do not go together, or the folder can't be written.
        """
        import submitit

        logging.getLogger("submitit").handlers.clear()  # it prints on the terminal
        warnings.filterwarnings("ignore", module="submitit")
        if self._cluster == "slurm":
            _watch_quietly()
            _take_back([path.name.removesuffix("_submitted.pkl") for path in folder.glob("*_submitted.pkl")])
        shutil.rmtree(folder, ignore_errors=True)
        python = f"{shlex.quote(sys.executable)} -P"  # the current folder is not on the import path
        ours: dict[str, Any] = {"name": f"regtui-{job.preset.name}", "cpus_per_task": self._threads}
        if wants_gpu(job.preset) and not self._has_gpu:
            ours["gpus_per_node"] = 1
        settings = {"time": self._minutes, "array_parallelism": self._most, **self._settings}
        try:
            folder.mkdir(parents=True)
            self._executor = submitit.AutoExecutor(
                folder,
                cluster=self._cluster,
                slurm_python=python,
                # A run that is begun anew would be cut short again.
                slurm_max_num_timeout=TIMES if self._checkpoints else 0,
                local_python=python,
            )
            self._executor.update_parameters(
                **ours, timeout_min=settings["time"], **{f"slurm_{key}": value for key, value in settings.items()}
            )
        except OSError as error:
            raise RegtuiError(f"{folder}: {unwritable(error)}") from None
        except Exception as error:  # submitit's checks raise whatever comes
            raise InputError(f"--slurm: {one_line(error)}") from None
        self._folder = folder

    def _submit(self) -> None:
        """Submit what waits, several as an array.

        Raises:
            RegtuiError: Slurm does not take it.
        """
        waiting, self._waiting = self._waiting, []
        try:
            with self._executor.batch():
                for run in waiting:
                    preset = run.job.preset if self._has_gpu else on_what_was_asked_for(run.job.preset)
                    call = SlurmRun(
                        preset,
                        run.place,
                        self._threads,
                        self._minutes,
                        checkpoints=self._checkpoints,
                        cut_off=run.cut_off,
                    )
                    run.slurm = self._executor.submit(call)
        except Exception as error:  # what sbatch says, as submitit's error
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            said = next((line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "")
            raise RegtuiError(
                f"Slurm does not take the jobs: {one_line(said)}; --slurm sets what they ask for"
            ) from None
        for run in waiting:
            run.attempts += 1
        self._running += waiting

    def _look(self, run: _Submitted) -> Iterator[News]:
        """What has happened to one run since the last look."""
        has_ended = run.slurm.done()  # asked before its folder is looked into, so that nothing is missed
        yield from self._follow(run)
        if not has_ended:
            return
        if self._cluster == "debug" or run.slurm.paths.result_pickle.exists():
            yield from self._end(run)
        elif not run.ended:
            run.ended = time.monotonic()
        elif time.monotonic() >= run.ended + (GRACE if self._cluster == "slurm" else 0):
            yield from self._begin_anew(run)

    def _follow(self, run: _Submitted) -> Iterator[News]:
        """What its folder tells since the last look."""
        run.folders += [folder for folder in runs_in(run.place) if folder not in run.folders]
        if not run.folders:
            return
        folder, told, is_new = run.folders[-1], list[Event](), False
        with suppress(OSError):  # it has gone, or is not there yet: the next look tells
            log = (folder / EVENTS).stat().st_ino
            if run.follower is None or log != run.log:
                run.log, run.follower, run.finished, is_new = log, Follower(folder, without_steps=True), None, True
            while events := run.follower.new_events():
                told += events
        if is_new:
            goes_on = any(isinstance(event, Interrupted) for event in told)
            anew = f", begun anew {counted(len(run.folders) - 1, 'time')}" if len(run.folders) > 1 else ""
            yield Began(run.job, folder, f"job {run.slurm.job_id}{', resumed' if goes_on else anew}")
        for event in told:
            if isinstance(event, RunFinished):  # a run that is preempted has ended, too, and goes on later
                run.finished = event
            else:
                yield Told(run.job, event)

    def _begin_anew(self, run: _Submitted) -> Iterator[News]:
        """Begin a run anew whose job was killed."""
        self._running.remove(run)
        if run.attempts == ATTEMPTS:
            yield self._failure(run, f"its job ended {ATTEMPTS} times without a result ({one_line(run.slurm.state)})")
            return
        run.finished, run.ended = None, 0.0
        self._waiting.append(run)
        self._submit()

    def _end(self, run: _Submitted) -> Iterator[News]:
        """Bring a run whose job has ended to where it belongs."""
        self._running.remove(run)
        if (fault := run.slurm.exception()) is not None:
            yield self._failure(run, self._words(str(fault)))
            return
        made: Made = run.slurm.result()
        if not made.folder:
            yield self._failure(run, made.error, made.fault)
            return
        folder = run.runs / made.folder
        try:
            (run.place / made.folder).rename(folder)
        except OSError as error:
            yield self._failure(run, f"{folder}: {unwritable(error)}")
            return
        if run.finished is not None:
            yield Told(run.job, run.finished)
        self._failed = self._failed or made.status == "failed"
        why = self._words(made.error) if _CUT_SHORT in made.error else made.error
        yield Ended(run.job, folder, made.status, why, unsaved=made.unsaved)

    def _words(self, error: str) -> str:
        """Why a job failed, from submitit's many lines."""
        if _CUT_SHORT in error and self._checkpoints:
            return f"it did no epoch in the {self._minutes} min that its job had; give more with --slurm time=MINUTES"
        if _CUT_SHORT in error:
            words = f"its job took longer than the {self._minutes} min that it had; give more with --slurm time=MINUTES"
            return f"{words}, or let it go on in another job, with --checkpoints"
        told = [line.strip() for line in error.splitlines() if "Error" in line]
        return f"its job failed: {one_line(told[-1] if told else error)}"

    def _failure(self, run: _Submitted, why: str, hopeless: RegtuiError | None = None) -> Ended:
        self._failed = True
        _bring_back(run)
        return Ended(run.job, None, "failed", f"{why} (its log: {run.slurm.paths.stderr})", hopeless)


def _bring_back(run: _Submitted) -> None:
    """Keep what a run has come to, if it has ended or has a checkpoint."""
    for folder in runs_in(run.place):
        bring_back(folder, run.runs)


def _take_back(jobs: Sequence[str]) -> None:
    """Have Slurm end jobs, or forget them."""
    if jobs:
        with suppress(OSError):
            subprocess.run(["scancel", "--quiet", *jobs], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _watch_quietly() -> None:
    """Have submitit ask Slurm for the state of jobs without what that prints: the terminal belongs to the screen."""
    from submitit import SlurmJob
    from submitit.slurm.slurm import SlurmInfoWatcher

    class QuietWatcher(SlurmInfoWatcher):
        def _make_command(self) -> list[str] | None:
            command = super()._make_command()
            return command and ["sh", "-c", 'exec "$@" 2>/dev/null', "sh", *command]

    SlurmJob.watcher = QuietWatcher(delay_s=600)
