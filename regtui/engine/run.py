"""A whole run: log, data, processes, training, summary. Used by the screen and without one."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from regtui.arm.reports import ScoreReport
from regtui.data.source import ensure
from regtui.disk import Disk, HangsError
from regtui.engine.crew import Crew, ProcessCrew
from regtui.engine.fits import check_early
from regtui.engine.process import CrewClosedError, EngineError
from regtui.engine.trainer import Trainer
from regtui.engine.waiting import WaitForDisk, awaited, opened
from regtui.engine.watch import PATIENCE, StalledError, Watch, stalled
from regtui.errors import RegtuiError
from regtui.preset.model import Preset
from regtui.protocol.applied import same_experiment
from regtui.protocol.control import Control
from regtui.protocol.events import Event, RunFinished, Saving, Status
from regtui.protocol.history import ArmHistory, History
from regtui.remote.server import serving
from regtui.runs.log import RunLog
from regtui.runs.summary import ArmSummary, Pairing, Scores, Summary, TaskSummary


class HandedOver(Exception):  # noqa: N818, it is no error
    """Training ended here after a checkpoint; nobody trains the run until another process resumes it."""

    def __init__(self, folder: Path) -> None:
        """Take the run's folder."""
        super().__init__(f"the run in {folder} was handed over")
        self.folder = folder


class RunResult(NamedTuple):
    """The result of a run: its folder, its summary, and the history from which the summary was made."""

    folder: Path
    summary: Summary
    history: History


def run(
    preset: Preset,
    logs: Path,
    control: Control,
    emit: Callable[[Event], object],
    crew: Crew | None = None,
    begun: Callable[[Path], None] = lambda _folder: None,
    threads: int | None = None,
    *,
    checkpoints: bool = True,
    attachable: bool = True,
    ready: Callable[[], object] = lambda: None,
) -> RunResult:
    """Train `preset` and save the run in a new folder below `logs`.

    Args:
        preset: What to train.
        logs: The folder for runs; created if it doesn't exist.
        control: Delivers the user's commands.
        emit: Receives every event, in this thread.
        crew: Holds the arms; if left out, they get processes of their own.
        begun: Receives the run's folder before the first event.
        threads: Threads of each process; if left out, each gets its share of what the machine grants.
        checkpoints: Whether the weights are saved after each epoch.
        attachable: Whether other processes of this user can watch and steer the run.
        ready: Called when the arms are built; from then on a stop ends the run in order.

    Raises:
        CrewClosedError: A stop was requested while a disk that does not answer was waited for; nothing is left behind.
        InputError: The preset asks for what isn't there (a device, a data set, memory), or `logs` can't be written.
            Nothing is left behind.
        RegtuiError: Training could not begin. Whatever fails later is told by the result's status instead.
        HandedOver: A `HandOver` was sent, and the run goes on in another process.
    """
    check_early(preset, None if crew is None else 1)
    if crew is not None:
        return _run(
            preset, logs, control, emit, crew, begun, checkpoints=checkpoints, attachable=attachable, ready=ready
        )
    with ProcessCrew(threads) as processes:  # the processes import torch while the log and the data are prepared
        return _run(
            preset, logs, control, emit, processes, begun, checkpoints=checkpoints, attachable=attachable, ready=ready
        )


def _run(
    preset: Preset,
    logs: Path,
    control: Control,
    emit: Callable[[Event], object],
    crew: Crew,
    begun: Callable[[Path], None],
    *,
    checkpoints: bool,
    attachable: bool,
    ready: Callable[[], object],
) -> RunResult:
    crew.prepare(len(preset.arms()))
    disk = Disk()
    with awaited(disk, logs, control, emit):
        made = opened(
            disk, lambda: RunLog(logs, preset, crew.threads, checkpoints=checkpoints, disk=disk), RunLog.discard
        )
    with made as log:
        try:
            build(preset, crew, control, emit)
        except BaseException:
            with suppress(HangsError):  # it is still done when the disk answers
                disk(log.discard)
            raise
        ready()
        history = History()
        with serving(log, control, emit, wanted=attachable) as served:
            begun(log.folder)
            tell = teller(history, log, served)
            place = (lambda: log.checkpoint) if checkpoints else None
            trainer = Trainer(preset, crew, control, tell, place, log.sync, log.disk, log.fault_now)
            return conduct(trainer, history, log, served)


def build(preset: Preset, crew: Crew, control: Control, emit: Callable[[Event], object], t: float = 0.0) -> str:
    """Get the data and have the crew build the arms; returns their device.

    Args:
        preset: Whose arms.
        crew: Builds them.
        control: Says whether a stop was requested meanwhile.
        emit: Receives that a process stands still, which no log tells yet.
        t: The time of the run.

    Raises:
        InputError: The preset asks for a device or a data set that isn't there.
    """
    data_file = ensure(preset.data.dataset, Path(preset.data.root) if preset.data.root else None)
    crew.watch = Watch(control, lambda wait: emit(stalled(wait, t)), PATIENCE)
    return crew.build(preset, data_file)


def teller(history: History, log: RunLog, emit: Callable[[Event], object]) -> Callable[[Event], None]:
    """A function that adds an event to the history, writes it into the log, and emits it."""

    def tell(event: Event) -> None:
        history.add(event)
        saving = log(event)
        emit(event)
        for word in saving:
            tell(word)

    return tell


def conduct(
    trainer: Trainer,
    history: History,
    log: RunLog,
    emit: Callable[[Event], object],
    seam: Callable[[], object] = lambda: None,
) -> RunResult:
    """Train arms that have been built to their end, test them, and save the outcome.

    Args:
        trainer: Has the arms; it emits through `teller`.
        history: Of the run so far.
        log: Where the run is saved.
        emit: Receives every event of the end.
        seam: What a run that is resumed does before its first step.

    Raises:
        HandedOver: Training ended here, and the run goes on in another process.
    """
    status: Status | None = "failed"
    sentence = "the program was ended from outside"
    try:
        status, sentence = trainer.run(seam), ""
    except CrewClosedError:  # nobody waits for it after a stop
        status, sentence = "stopped", ""
    except StalledError as error:
        status, sentence = "stopped", f"{error}, so that the run was ended with what had been measured"
    except Exception as error:
        sentence = str(error) if isinstance(error, RegtuiError) else f"training failed: {error!r}"
        log.traceback(error.traceback if isinstance(error, EngineError) else traceback.format_exc())
    finally:
        if status is not None:
            summary = _end(trainer, history, log, emit, status, sentence)
    if status is None:
        words = "the run is handed over when the disk answers; a stop at once ends it before"
        waits = log.disk.silent = WaitForDisk(trainer.progress.now, lambda: trainer.control.stop_at_once, emit, words)
        log.hand_over(trainer.progress.now)
        waits.end()
        raise HandedOver(log.folder)
    return RunResult(log.folder, summary, history)


def _end(
    trainer: Trainer,
    history: History,
    log: RunLog,
    emit: Callable[[Event], object],
    status: Status,
    sentence: str,
) -> Summary:
    """Tell of the end, and save the outcome and whatever could not be saved before."""
    progress = trainer.progress
    wall = progress.clock.seconds
    words = "the run has ended, and waits for the disk; a stop at once loses what it has not written"
    waits = log.disk.silent = WaitForDisk(wall, lambda: trainer.control.stop_at_once, emit, words)
    finished = RunFinished(t=round(wall, 3), status=status, error=sentence, train_seconds=progress.train_seconds)
    unkept = _keep_predictions(log, trainer.reports, finished.t)
    for word in (*unkept, *log(finished), *log.close(finished.t)):
        history.add(word)
        emit(word)
    history.add(finished)
    summary = summarize(trainer.preset, history, wall)
    if (unsaved := log.finish(summary, finished.t)) is not None:
        words = "; ".join(filter(None, (summary.unsaved, unsaved.words)))
        summary = summary.model_copy(update={"unsaved": words})
        emit(unsaved)
    waits.end()
    emit(finished)
    return summary


def _keep_predictions(log: RunLog, reports: Mapping[str, ScoreReport], t: float) -> list[Saving]:
    """Save the arms' predictions, if they were tested; returns why that failed, which does not fail the run."""
    if not reports:
        return []
    from regtui.runs.predictions import Predictions, to_bytes  # imports numpy, 0.1 s

    predictions = {name: report.predictions for name, report in reports.items()}
    content = to_bytes(Predictions(next(iter(reports.values())).targets, predictions))
    unkept = log.keep_predictions(content, t)
    if unkept is None:
        return []
    log(unkept)
    return [unkept]


def summarize(preset: Preset, history: History, wall_seconds: float) -> Summary:
    """The summary of a run that has ended."""
    started, finished, scored = history.started, history.finished, history.scored
    lately = history.seams[-1] if history.seams else started
    task = preset.task
    return Summary(
        status=finished.status if finished else "failed",
        error=finished.error if finished else "",
        unsaved="; ".join(history.unsaved.values()),
        preset=preset.name,
        seed=preset.train.seed,
        device=lately.device if lately else preset.train.device,
        threads=lately.threads if lately else None,
        wall_seconds=round(wall_seconds, 3),
        train_seconds=round(finished.train_seconds, 3) if finished else 0.0,
        task=TaskSummary(name=task.name, metric=task.metric.name, better=task.metric.better),
        arms={name: _summarize_arm(arm) for name, arm in history.arms.items()},
        comparisons=scored.comparisons if scored else {},
        pairing=Pairing(
            initial_weights={name: arm.info.initial_weights for name, arm in history.arms.items()},
            shared_tensors=started.shared_tensors,
            data={name: arm.info.data for name, arm in history.arms.items()},
            split={name: arm.info.split for name, arm in history.arms.items()},
            tensors={name: arm.info.tensors for name, arm in history.arms.items()},
            order=history.order_hashes,
            unpaired_because=history.unpaired_because,
        )
        if started
        else None,
        same_experiment={name: same_experiment(preset, history, name) for name in list(preset.arms())[1:]},
        interventions=history.interventions,
    )


def _summarize_arm(arm: ArmHistory) -> ArmSummary:
    score = arm.test
    return ArmSummary(
        epochs=len(arm.epochs),
        stop_reason=arm.stopped.reason if arm.stopped else None,
        best_epoch=arm.best.epoch if arm.best else None,
        best_val_loss=arm.best.val_loss if arm.best else None,
        final=Scores.model_validate(arm.last, from_attributes=True) if arm.last else None,
        kept=score.kept if score else None,
        kept_epoch=score.epoch if score else None,
        at_kept=Scores.model_validate(arm.kept, from_attributes=True) if score and arm.kept else None,
        test={"loss": score.loss, **score.metrics} if score else None,
        zero_weights=arm.zero_weights,
        weight_norm=arm.weight_norm,
        seconds=round(arm.seconds, 3),
        parameters=arm.info.parameters,
    )
