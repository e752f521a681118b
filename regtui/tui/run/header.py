"""The line at the top of a run: preset, data, device, pairing, and how long it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import chain

from rich.style import Style
from rich.text import Text

from regtui.preset.model import Preset
from regtui.preset.schedule import is_steady
from regtui.protocol.applied import present_rate
from regtui.protocol.history import ArmHistory, History
from regtui.text import clock, counted, one_line
from regtui.tui.run.gauges import machine_words
from regtui.tui.run.session import Session
from regtui.tui.widgets.lines import Lines

ROOMY = 60
"""From this width on the line begins with the program's name."""
NEWEST = 5
"""The remaining time is estimated from so many of the latest epochs."""


def remaining(history: History) -> float | None:
    """Seconds of training left if every arm trains all epochs; None if that is not known yet."""
    started = history.started
    if started is None:
        return None
    running = [arm for arm in history.arms.values() if arm.stopped is None]
    times = [_seconds_left(arm, started.epochs, started.steps_per_epoch) for arm in running]
    known = [seconds for seconds in times if seconds is not None]
    return max(known, default=None) if known else None


def _seconds_left(arm: ArmHistory, epochs: int, steps_per_epoch: int) -> float | None:
    whole = [epoch.seconds for epoch in arm.epochs[-NEWEST:] if not epoch.partial]
    if not whole:
        return None
    return sum(whole) / len(whole) * (epochs - len(arm.step_losses) / steps_per_epoch)


def header_line(
    preset: Preset,
    history: History,
    width: int,
    colours: Mapping[str, str],
    cursor: int | None = None,
    status: str = "",
    silence: str = "",
    gauges: str = "",
) -> Text:
    """The line, `width` cells long; less important parts give way first.

    Args:
        preset: What is trained.
        history: The run's history.
        width: Available cells.
        colours: The theme's colours, by name.
        cursor: The epoch under the cursor, if any.
        status: How the run ended, if that is known from elsewhere than its events.
        silence: How long a run that is trained elsewhere has been silent, in words; may be empty.
        gauges: What training uses of the processors and the memory now; may be empty.
    """
    if not status and history.finished is not None:
        status = history.finished.status
    sizes, started = preset.sizes, history.started
    faint, strong = Style(color=colours["faint"]), Style(color=colours["primary"], bold=True)
    left = Text("regtui " if width >= ROOMY else "", strong, end="", no_wrap=True)
    left.append(one_line(preset.name, max(12, width // 2)), Style(bold=True))
    title = preset.dataset.title
    data = f"{title} {sizes.train:,} / {sizes.val:,}"
    device = started.device if started else preset.train.device
    threads = counted(started.threads, "thread") if started and started.threads else ""
    now = "" if is_steady(preset.train) or cursor is not None else " now"  # the control beside it has the base rate
    seed, rate = preset.seeds, f"lr {_rate(preset, history, cursor):.3g}{now}"
    machine = machine_words(history, gauges)
    parts = [part for part in (data, machine or device, threads, seed, rate) if part]
    giving_way = [part for part in (threads, data, machine, title, device, seed, rate) if part]
    shorter = {data: title, machine: device}
    words = _progress(preset, history, status, silence) if cursor is None else _read_at(cursor, history, status)
    while len(words) > 1 and len(left) + len(" · ".join(words)) >= width:
        words.pop(1)
    right = " · ".join(words)
    marks = _marks(history, colours)
    while parts and len(left) + sum(len(p) + 3 for p in parts) + len(marks[0]) + len(right) + 5 > width:
        gone = giving_way.pop(0)
        at = parts.index(gone)
        parts[at : at + 1] = [shorter[gone]] if gone in shorter else []
    for part in parts:
        left.append(" · ", faint)
        left.append(part)
    fitting = next((mark for mark in marks if mark and len(left) + len(mark) + len(right) + 5 <= width), None)
    if fitting is not None:
        left.append(" · ", faint)
        left.append_text(fitting)
    gap = max(1, width - len(left) - len(right))
    left.append(" " * gap)
    left.append(right, faint)
    if cursor is not None:
        left.stylize(
            Style(color=colours["accent"], bold=True), len(left) - len(right), len(left) - len(right) + len(words[0])
        )
    left.truncate(width)
    return left


def _rate(preset: Preset, history: History, cursor: int | None) -> float:
    """The learning rate at the end of the epoch under the cursor, where the log tells it; else the present one."""
    if cursor is not None:
        for done in chain.from_iterable(arm.epochs for arm in history.arms.values()):
            if done.epoch == cursor and done.learning_rate is not None:
                return done.learning_rate
    return present_rate(preset, history)


def _marks(history: History, colours: Mapping[str, str]) -> list[Text]:
    """Whether the arms are a matched pair, were steered, and were resumed; from long to short."""
    paired = _pairing(history, colours)
    shorter = paired[: len("NOT PAIRED")]
    resumed = [Text("resumed", Style(color=colours["warning"]))] if history.seams else []
    steered = Text("steered", Style(color=colours["warning"], bold=True))
    others = [steered, *resumed] if history.interventions else resumed
    if not others:
        return [paired, shorter]
    told = [Text(" · ").join([one, *others]) for one in (paired, shorter)]
    if not history.interventions:
        return [*told, paired, shorter]
    told += [Text(" · ").join([one, steered]) for one in (paired, shorter) if resumed]
    return [*told, shorter if history.unpaired_because else steered]


def _pairing(history: History, colours: Mapping[str, str]) -> Text:
    if history.started is None:
        return Text("")
    if history.unpaired_because:
        return Text(f"NOT PAIRED: {history.unpaired_because}", Style(color=colours["error"], bold=True))
    return Text("paired ✓", Style(color=colours["success"]))


def _progress(preset: Preset, history: History, status: str, silence: str) -> list[str]:
    """Words on the run's progress; the second gives way first."""
    if history.started is None:
        return [status or "starting"]
    epoch = max((len(arm.step_losses) for arm in history.arms.values()), default=0) / history.started.steps_per_epoch
    words = [f"epoch {max(1, math.ceil(epoch))}/{preset.train.epochs}", clock(history.going_seconds)]
    if status:
        words = [status, clock(history.going_seconds) + _pauses(history)]
    elif silence:
        words.append(silence)
    elif history.paused:
        words.append("paused")
    elif (left := remaining(history)) is not None:
        words.append(f"{clock(left)} left")
    return words


def _pauses(history: History) -> str:
    """How long the run stood still, which its time leaves out: ' + 2:10 paused'; empty if it did not."""
    return f" + {clock(history.stood_still)} paused" if history.stood_still >= 1 else ""


def _read_at(cursor: int, history: History, status: str) -> list[str]:
    """Words on the epoch under the cursor, and on the run's progress meanwhile."""
    words = [f"epoch {cursor} of {history.epochs} · cursor"]
    if not status:
        words.append("paused" if history.paused else "going on")
    return words


class Header(Lines):
    """Shows the line at the top."""

    DEFAULT_CSS = "Header { height: 1; }"

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.cursor: int | None = None

    def rows(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        """One row."""
        run = self._session
        colours = self.app.theme_variables
        told = (self.cursor, run.status, run.silence, run.gauges.words)
        return [header_line(run.preset, run.history, width, colours, *told)]
