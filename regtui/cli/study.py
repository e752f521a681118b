"""`regtui study`: plans a study, chooses what makes its runs, and has them made, without a screen or with one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from typing import Literal, get_args

from regtui.cli.cursor import cut_off
from regtui.cli.study_printers import StudyJsonPrinter, StudyTablePrinter, job_words, study_progress
from regtui.console import complain, drop_blocked_output, unread
from regtui.errors import BY_SIGNAL, EXIT_CODES, InputError, RegtuiError
from regtui.preset.faults import MAX_VALUE
from regtui.preset.model import Preset
from regtui.preset.validation import nearest
from regtui.processors import grant, has_gpu
from regtui.protocol.events import Saving, Stalled
from regtui.signals import Ending
from regtui.study.conduct import Opened, conduct
from regtui.study.design import MANY_RUNS, Wishes, describe_size, make_plan, seeds_beyond
from regtui.study.engine import Ended, Engine, News, Told
from regtui.study.folder import StudyFolder, find_study
from regtui.study.outcome import StudyOutcome
from regtui.study.plan import Job, StudyPlan
from regtui.study.words import verdict_exit
from regtui.text import listed, one_line, quoted

EngineName = Literal["local", "ray", "slurm"]
MOST_NAMED = 6
"""Of more runs that failed for the same reason the first are named."""
MOST_QUEUED = 256
"""Runs that wait or run on a cluster, where nobody says how many."""
MOST_JOBS = 1_000
"""Runs at the same time at most."""


@dataclass(frozen=True)
class RunOptions:
    """How a study is run: nothing of it changes what the study finds.

    Attributes:
        jobs: Runs at the same time; None for as many as the processors that are granted have room for, or one on a GPU.
        threads: Threads of each.
        engine: What makes the runs.
        ray_address: Of the cluster.
        slurm: What its jobs ask Slurm for, KEY=VALUE each.
        checkpoints: Whether runs save their weights after each epoch; None for as the study does, if it is resumed.
        yes: Whether many runs need not be asked about.
        headless: Whether the screen stays closed, even if there is one.
        json: Whether to print JSON instead of a table.
        verdict_exit: Whether the exit code tells the verdict.
        device: Where runs are trained, as the preset has it.
    """

    jobs: int | None = None
    threads: int = 1
    engine: str = "local"
    ray_address: str | None = None
    slurm: tuple[str, ...] = ()
    checkpoints: bool | None = None
    yes: bool = False
    headless: bool = False
    json: bool = False
    verdict_exit: bool = False
    device: str = "auto"


def begin_study(preset: Preset, wishes: Wishes, running: RunOptions, logs: Path) -> StudyFolder:
    """Plan a study and make its folder.

    Raises:
        InputError: What was asked for can't be done, is more than was meant, or the folder can't be written.
    """
    _check(running)
    plan = make_plan(preset, wishes)
    _check_memory(plan.jobs(), plan, running)
    _ask(plan, running)
    return StudyFolder.create(plan, logs, checkpoints=bool(running.checkpoints))


def resume_study(name: str, seeds: str | None, running: RunOptions, logs: Path) -> StudyFolder:
    """Open a study that is to go on, with more seeds where these are named.

    Raises:
        InputError: There is no such study, its plan was changed, fewer seeds are named than it has, or what is left of
            it takes more memory than there is.
        RegtuiError: Its folder can't be written.
    """
    _check(running)
    study = StudyFolder.open(find_study(name, logs))
    added = [] if seeds is None else [seed for seed in seeds_beyond(study.plan, seeds) if seed not in study.added]
    if not study.is_held:  # else it is refused for that
        _check_memory([*study.left(), *study.plan.jobs(added)], study.plan, running)
    if added:
        study.add(added)
    if running.checkpoints not in (None, study.checkpoints):
        study.set_checkpoints(wanted=bool(running.checkpoints))
    return study


def as_planned(running: RunOptions, plan: StudyPlan) -> RunOptions:
    """How a study is run, with what its plan says of that."""
    return replace(running, threads=plan.threads, device=plan.preset["train"]["device"])


def run_study(study: StudyFolder, running: RunOptions) -> int:
    """Run what is left of a study and print it; returns the exit code.

    Ctrl-C drops what runs and keeps what is done: exit code 4. So does another signal that ends programs: 128 and its
    number. A second one ends the program at once, and so does an end that takes more than 5 s; the study can be resumed
    after either. SIGHUP and an output that nobody reads end nothing.

    Raises:
        RegtuiError: The engine can't make runs, or what the study came to can't be saved.
    """
    stop = Flag()
    outcomes: list[StudyOutcome] = []
    unsaid: list[RegtuiError] = []
    with Ending(stop.set, drop_blocked_output, cut_off) as ending:
        with study_progress(wanted=not running.json) as shown:
            printer = (
                StudyJsonPrinter(study)
                if running.json
                else StudyTablePrinter(study, shown, jobs_of(running), queued=_is_queued(running))
            )

            def tell(news: News | Opened) -> None:
                if isinstance(news, Told) and isinstance(news.event, Saving | Stalled):
                    words = news.event.words() if isinstance(news.event, Stalled) else news.event.words
                    complain(f"regtui: {job_words(news.job, study.plan, ' ')}: {one_line(words)}")
                with unread(unsaid):
                    printer.tell(news)

            state = conduct(study, make_engine(running), stop, tell, outcomes.append)
        with unread(unsaid):
            printer.end(outcomes[-1])
    for error, jobs in _by_error(printer.failed, study.plan).items():
        complain(f"regtui: {listed(jobs[:MOST_NAMED])}{', …' * (len(jobs) > MOST_NAMED)}: {one_line(error)}")
    if state == "stopped":
        by = f" by signal {ending.first}" if ending.first not in (0, signal.SIGINT) else ""
        complain(f"regtui: stopped{by}, and what is done is kept; 'regtui study --resume {study.name}' goes on")
        return BY_SIGNAL + ending.first if by else EXIT_CODES["stopped"]
    if printer.failed or unsaid:
        return EXIT_CODES["failed"]
    return verdict_exit(outcomes[-1]) if running.verdict_exit else EXIT_CODES["finished"]


def _by_error(failed: Sequence[Ended], plan: StudyPlan) -> dict[str, list[str]]:
    """The runs that failed or are not all saved, by why; many may have the same reason."""
    found: dict[str, list[str]] = {}
    for ended in failed:
        why = f"failed: {ended.error}" if ended.status == "failed" else f"not all of it is saved: {ended.unsaved}"
        found.setdefault(why, []).append(job_words(ended.job, plan, " "))
    return found


def show_study(study: StudyFolder, running: RunOptions) -> int:
    """Run what is left of a study on screen, and print the verdict when that has closed; returns the exit code.

    Raises:
        RegtuiError: The screen itself failed.
    """
    from regtui.cli.screen import open_screen
    from regtui.settings import read_settings
    from regtui.tui.study.runner import StudyRunner

    def make(jobs: int, of: StudyFolder) -> Engine:
        return make_engine(replace(as_planned(running, of.plan), jobs=jobs, checkpoints=of.checkpoints))

    address = ("--ray-address", running.ray_address) if running.ray_address else ()
    slurm = [word for setting in running.slurm for word in ("--slurm", setting)]
    options = ("--engine", running.engine, *address, *slurm)
    runner = StudyRunner(running.engine, jobs_of(running), make, running.verdict_exit, options)
    return open_screen(read_settings(), None, study.path.parent, study=study, runner=runner)


def make_engine(running: RunOptions) -> Engine:
    """What makes the runs.

    Raises:
        RegtuiError: It can't be had here.
    """
    checkpoints = bool(running.checkpoints)
    if running.engine == "ray":
        from regtui.study.ray_engine import RayEngine

        return RayEngine(running.ray_address, jobs_of(running), running.threads, checkpoints=checkpoints)
    if running.engine == "slurm":
        from regtui.study.slurm import SlurmEngine

        return SlurmEngine(running.slurm, jobs_of(running), running.threads, checkpoints=checkpoints)
    from regtui.study.local import LocalEngine

    return LocalEngine(jobs_of(running), running.threads, checkpoints=checkpoints)


def jobs_of(running: RunOptions) -> int:
    """How many runs are begun before one has ended; of a cluster's scheduler nobody knows how many it has room for."""
    if running.jobs is not None:
        return running.jobs
    if _is_queued(running):
        return MOST_QUEUED
    if running.device != "cpu" and (running.device != "auto" or has_gpu()):
        return 1  # several would share its memory, of which nobody knows how much a run needs
    return max(1, grant().processors // running.threads)


def _is_queued(running: RunOptions) -> bool:
    """Whether runs wait in a scheduler's queue."""
    known = running.ray_address or os.environ.get("RAY_ADDRESS")
    return running.engine == "slurm" or (running.engine == "ray" and bool(known))


def _check(running: RunOptions) -> None:
    if running.jobs is not None and not 1 <= running.jobs <= MOST_JOBS:
        raise InputError(f"--jobs {running.jobs}: so many runs are made at the same time, from 1 to {MOST_JOBS:,}")
    engines = get_args(EngineName)
    if running.engine not in engines:
        near = nearest(running.engine, engines) or f"; known are {', '.join(engines)}"
        raise InputError(f"--engine {quoted(running.engine, MAX_VALUE)}: there is no such engine{near}")
    if running.ray_address is not None and running.engine != "ray":
        raise InputError("--ray-address is for --engine ray")
    if running.slurm and running.engine != "slurm":
        raise InputError("--slurm is for --engine slurm")
    make_engine(running)  # what it lacks is told before there is a folder


def _check_memory(jobs: Sequence[Job], plan: StudyPlan, running: RunOptions) -> None:
    """See that these runs of a study fit into this machine, if they are made here.

    Raises:
        InputError: They do not.
    """
    if running.engine == "local":
        from regtui.study.local import check_memory

        check_memory(jobs, jobs_of(as_planned(running, plan)))


def _ask(plan: StudyPlan, running: RunOptions) -> None:
    """Ask whether so many runs are meant.

    Raises:
        InputError: They are not, or there is nobody to ask.
    """
    runs = len(plan.seeds) * len(plan.cells) * len(plan.trials)
    if runs <= MANY_RUNS or running.yes:
        return
    words = f"this study has {runs:,} runs ({describe_size(plan)})"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InputError(f"{words}; add --yes if they are meant")
    sys.stderr.write(f"{words}; begin? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InputError("nothing was begun")
