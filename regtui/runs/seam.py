"""Which lines of a run's log are kept when it is resumed: those that belong to its checkpoint.

The lines after them are of an epoch that was begun and never saved; it is trained again. How many are kept is told by
the checkpoint, for which the log was synced before; those of earlier versions do not tell, and then it is the last line
that belongs to their epoch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from regtui.errors import InputError
from regtui.files import open_events
from regtui.protocol.events import ArmStopped, ControlApplied, EpochDone, Event, RunFinished, Scored, StepsDone, parse
from regtui.protocol.history import History
from regtui.runs.checkpoint import Commit
from regtui.runs.events import read_events, whole_lines
from regtui.text import counted, one_line, quoted


class Seam(NamedTuple):
    """Where a log is cut.

    Attributes:
        lines: Lines up to there.
        kept: How many of them are kept.
        dropped: Lines that are dropped, nearly all of them after that.
        undone: Changes of knobs among them.
        history: What those that are kept add up to.
        missing: What is missing before the cut, in words; empty if nothing is.
        unsaved: Of a run that begins anew, the last whole epoch that its log tells of.
    """

    lines: int
    kept: int
    dropped: int
    undone: int
    history: History
    missing: str = ""
    unsaved: int = 0


def find_seam(folder: Path, commit: Commit | None, training: Collection[str]) -> Seam:
    """Where the log in `folder` is cut so that it belongs to a commit; at its beginning, if there is no commit.

    Args:
        folder: The run's folder.
        commit: What the run goes on from.
        training: The arms that train on.

    Raises:
        InputError: The log can't be read, or lacks epochs that were trained before the commit.
    """
    try:
        if commit is None:
            done = [event.epoch for event in read_events(folder) if isinstance(event, EpochDone) and not event.partial]
            total, _ = _measure(folder, 0)
            return Seam(0, 0, total, _changes_after(folder, 0), History(), unsaved=max(done, default=0))
        total, by_epoch = _measure(folder, commit.epoch)
        missing = "" if commit.lines is None or commit.lines <= total else counted(commit.lines - total, "line")
        cuts = [by_epoch] if missing or commit.lines is None else [commit.lines, by_epoch]
        for cut in cuts:
            history, kept, later = History(), 0, 0
            for line, event in kept_lines(folder, cut, training):
                kept += line.endswith(b"\n")
                if event is not None:
                    history.add(event)
                if isinstance(event, StepsDone | EpochDone):
                    later = max(later, event.epoch)
            fault = _fault(history, commit)
            if not fault and later > commit.epoch:
                fault = f"has a part of epoch {later} among what belongs to epoch {commit.epoch}"
            if not fault:
                return Seam(cut, kept, total - kept, _changes_after(folder, cut), history, missing)
    except OSError as error:
        raise InputError(f"{quoted(folder / 'events.jsonl')} can't be read ({error.strerror})") from None
    raise InputError(f"{quoted(folder / 'events.jsonl')} {fault}, so that the run can't be resumed")


def kept_lines(folder: Path, lines: int, training: Collection[str]) -> Iterator[tuple[bytes, Event | None]]:
    """The first `lines` lines of a log, each with its event if it is a known one.

    What was told of the end of arms that train on is left out, and the end of the whole run.

    Raises:
        OSError: The log can't be read.
    """
    count = 0
    with open_events(folder) as file:
        for line in whole_lines(file):
            if count == lines:
                return
            count += line.endswith(b"\n")
            event = _event(line)
            if not _tells_an_end(event, training):
                yield line, event


def _tells_an_end(event: Event | None, training: Collection[str]) -> bool:
    """Whether an event is of an end that is none: of an arm that trains on, or of the run."""
    if isinstance(event, ArmStopped):
        return event.arm in training
    return isinstance(event, Scored | RunFinished) or (isinstance(event, ControlApplied) and event.command == "stop")


def _measure(folder: Path, epoch: int) -> tuple[int, int]:
    """How many lines a log has, and after how many of them an epoch is over for all arms."""
    count = cut = 0
    with open_events(folder) as file:
        for line in whole_lines(file):
            count += line.endswith(b"\n")
            if b'"steps_done"' in line[:100]:  # nearly all of a log
                continue
            event = _event(line)
            ended = isinstance(event, ArmStopped) and event.epoch <= epoch and cut == count - 1
            if ended or (isinstance(event, EpochDone) and event.epoch <= epoch and not event.partial):
                cut = count
    return count, cut


def _changes_after(folder: Path, lines: int) -> int:
    """How many changes of knobs a log tells of after so many lines; of one of all arms at once, how many arms."""
    count = changes = 0
    with open_events(folder) as file:
        for line in whole_lines(file):
            if count >= lines and b'"control_applied"' in line[:100]:
                event = _event(line)
                knob = event.key if isinstance(event, ControlApplied) and event.accepted else None
                changes += knob not in (None, "epochs")  # the number of epochs is in the preset, and holds
            count += line.endswith(b"\n")
    return changes


def _event(line: bytes) -> Event | None:
    try:
        return parse(line)
    except ValidationError:
        return None


def _fault(history: History, commit: Commit) -> str:
    """What is wrong with a log of what was trained before a commit, in words; empty if it has all epochs."""
    if history.started is None or set(history.arms) != set(commit.trainer["arms"]):
        return "lacks the start of this run"
    for name, arm in history.arms.items():
        trained = commit.trainer["arms"][name].get("epochs", 0)
        if type(trained) is not int or not 0 <= trained <= commit.epoch:
            return f"lacks epoch {one_line(trained, 20)} of the {name} arm, of which the checkpoint tells"
        seen = [done.epoch for done in arm.epochs]
        if seen != list(range(1, trained + 1)):
            lost = next((epoch for epoch in range(1, trained + 1) if epoch not in seen), trained)
            return f"lacks epoch {lost} of the {name} arm"
        # Several runs of one preset tell of the same epochs; with other numbers, if they were steered.
        best, told = arm.best.val_loss if arm.best else None, commit.trainer["arms"][name].get("best_val_loss")
        if told is not None and told != best:
            return f"is of another run than the checkpoint: the best validation loss of the {name} arm is another there"
    return ""
