"""Runs of a study that were cut off, and go on elsewhere: on another machine, or in another folder.

What that takes is a checkpoint and the log that it belongs to. Both are copied, never moved: who trained the run may
not have ended yet, as a job of Slurm has half a minute for that, and would go on writing.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from regtui.errors import InputError
from regtui.files import write_whole
from regtui.preset.model import Preset
from regtui.runs.checkpoint import MANIFEST, named, read_manifest
from regtui.runs.circumstances import CIRCUMSTANCES
from regtui.runs.find import is_run
from regtui.runs.log import CHECKPOINT, EVENTS, PRESET, SUMMARY, RunLog
from regtui.runs.resumable import resumable
from regtui.runs.seam import find_seam, kept_lines
from regtui.runs.summary import read_summary
from regtui.study.folder import DRAFT, JOBS, StudyFolder
from regtui.study.found_runs import KEPT, drop_run, reached

MADE = "made"
"""Where jobs of Slurm work, below their folder in the study's: in a folder for each start, a folder for each job."""
LOOKS = 5
"""So often a checkpoint is read that is replaced meanwhile; each of them lasts an epoch."""


def keep(run: Path) -> Path | None:
    """Keep a run that was cut off if it has a checkpoint to go on from, without its outcome; else remove it."""
    if not reached(run):
        drop_run(run)
        return None
    (run / SUMMARY).unlink(missing_ok=True)
    return run


def essence(run: Path) -> dict[str, bytes]:
    """What it takes to go on with a run elsewhere: the content of files, by their paths in its folder.

    Raises:
        InputError: Its checkpoint is damaged, or does not last.
        OSError: Something can't be read.
    """
    checkpoint = run / CHECKPOINT
    for _ in range(LOOKS):
        manifest = read_manifest(checkpoint)
        files = [*(f"{CHECKPOINT}/{name}" for name in sorted(named(manifest))), f"{CHECKPOINT}/{MANIFEST}"]
        with suppress(FileNotFoundError):  # the next checkpoint has replaced it
            found = {name: (run / name).read_bytes() for name in (*files, PRESET, CIRCUMSTANCES, EVENTS)}
            if read_manifest(checkpoint) == manifest:
                return found
    raise InputError(f"{run}: its checkpoint changes too often to be read")


def gather(study: StudyFolder) -> None:
    """Bring what jobs of Slurm have left to a study's other runs, as far as these lack it: their caller was killed."""
    left = [run for run in (study.path / JOBS / MADE).glob("*/*/*") if is_run(run)]
    done = {*study.find_runs().done} if left else set()
    for run in left:
        key = study.key_of(run)
        if key is not None and key not in done and bring_back(run, study.runs):
            done.add(key)


def bring_back(run: Path, runs: Path) -> bool:
    """Bring a run that nobody waits for to the others in `runs`: itself if it has ended, a copy if it can go on.

    Returns:
        Whether it is there and has ended.
    """
    summary = read_summary(run)
    draft = runs / f".{run.name}{DRAFT}"
    try:
        if summary is not None and summary.status in KEPT:
            run.rename(runs / run.name)
            return True
        if reached(run):
            for name, content in essence(run).items():
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                write_whole(draft / name, content)
            draft.rename(runs / run.name)
    except (OSError, InputError):  # then it is begun anew
        shutil.rmtree(draft, ignore_errors=True)
    return False


def taken_over(run: Path, preset: Preset, threads: int) -> RunLog:
    """The log of a run that goes on elsewhere, cut where that goes on; see `regtui.engine.resume`.

    Raises:
        InputError: It can't be gone on with, or written.
    """
    log = RunLog.resumed(run, checkpoints=True)
    try:
        place = resumable(run, held=True)
        seam = find_seam(run, place.commit, place.training)
        kept = kept_lines(run, seam.lines, place.training)
        log.go_on(preset, threads, place.epoch, kept, seam.kept, place.reached)
    except BaseException:
        log.__exit__(None, None, None)
        raise
    return log
