"""One or two sentences on what is happening in a run, the most telling thing first.

They describe numbers that were measured and claim nothing about the technique: that is the verdict's task.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from regtui.protocol.events import ArmStopped, ControlApplied
from regtui.protocol.history import ArmHistory, History

TOLERANCE = 0.01
"""A validation loss within this share of its lowest counts as flat."""
DIRECTED = 0.5
"""A loss that climbs and falls again rises only if its net rise is at least this share of all its movement."""
LEVEL = 0.005
"""Two arms whose validation losses differ by less than this share are level."""


class Trend(NamedTuple):
    """Where an arm's validation loss goes.

    Attributes:
        kind: 'first' after one epoch; 'falls' if the last epoch is the lowest by more than the tolerance; 'flat' if it
            is within the tolerance of the lowest, or lowest by no more than that; 'rises' if it is further above and
            went there directly; 'wavers' if it came there to and fro.
        lowest: The lowest finite loss.
        epoch: Its epoch, the earliest if there are several.
        since: Epochs after that one; none of them was lower.
        last: The newest finite loss.
    """

    kind: str
    lowest: float
    epoch: int
    since: int
    last: float


def describe(history: History, planned_epochs: int) -> str:
    """What is happening now in a run, or what happened in one that has ended."""
    sentences = _ended(history) if history.finished is not None else _going_on(history, planned_epochs)
    return " ".join(islice(sentences, 2))


def trend(arm: ArmHistory) -> Trend | None:
    """Where the validation loss goes; None without a finite one."""
    measured = [(epoch.epoch, epoch.val_loss) for epoch in arm.epochs if epoch.val_loss is not None]
    if not measured:
        return None
    values = [value for _, value in measured]
    lowest = min(values)
    index = values.index(lowest)
    epoch = measured[index][0]
    return Trend(_kind(values, index), lowest, epoch, measured[-1][0] - epoch, values[-1])


def _kind(values: Sequence[float], lowest: int) -> str:
    """The kind of trend of these losses, of which `lowest` is the index of the lowest."""
    if len(values) == 1:
        return "first"
    tolerance = TOLERANCE * abs(values[lowest])
    after = values[lowest:]
    if len(after) == 1:
        return "falls" if min(values[:-1]) - values[-1] > tolerance else "flat"
    rise = after[-1] - after[0]
    if rise <= tolerance:
        return "flat"
    movement = sum(abs(b - a) for a, b in pairwise(after))
    return "rises" if rise >= DIRECTED * movement else "wavers"


def _going_on(history: History, planned_epochs: int) -> Iterator[str]:
    """Sentences on a run that trains, the most telling first."""
    if history.started is None:
        yield "Nothing is trained yet: the arms are being built."
        return
    if history.paused:
        yield _paused(history)
    running = {name: arm for name, arm in history.arms.items() if arm.stopped is None}
    for name, arm in history.arms.items():
        if arm.stopped is not None and running:
            others = f"; {' and '.join(running)} {'goes' if len(running) == 1 else 'go'} on alone"
            yield _stopped(name, arm.stopped) + others + "."
    if not running:
        yield "All arms have stopped; the run is coming to its end."
        return
    newest = max(len(arm.epochs) for arm in running.values())
    changes = history.changes
    fresh = bool(changes) and changes[-1][-1].epoch > newest  # no measurement shows its effect yet
    if fresh:
        yield _steered(changes)
    if newest == 0:
        yield _first_epoch(running)
    else:
        yield from _trends(history, running, planned_epochs)
    if changes and not fresh:
        yield _steered(changes)


def _paused(history: History) -> str:
    step = max(len(arm.step_losses) for arm in history.arms.values())
    if step == 0:
        return "Paused before the first step."
    epochs, within = divmod(step, history.started.steps_per_epoch if history.started else step)
    return f"Paused in epoch {epochs + 1}, after step {step:,}." if within else f"Paused after epoch {epochs}."


def _stopped(name: str, stopped: ArmStopped) -> str:
    """How an arm ended, without the full stop."""
    who = name.capitalize()
    if stopped.reason == "non_finite":
        return f"{who} diverged in epoch {stopped.epoch}: its loss at step {stopped.step:,} is not finite"
    if stopped.reason == "exploded":
        return f"{who} diverged in epoch {stopped.epoch}: its loss is far above an untrained network's"
    how = "stopped early" if stopped.reason == "early_stopping" else "stopped"
    loss = "" if stopped.best_val_loss is None else f" with validation loss {_loss(stopped.best_val_loss)}"
    best = "" if stopped.best_epoch is None else f"; its best was epoch {stopped.best_epoch}{loss}"
    return f"{who} {how} after epoch {stopped.epoch}{best}"


def _first_epoch(running: dict[str, ArmHistory]) -> str:
    parts = []
    for name, arm in running.items():
        first, now = arm.first_step_loss, arm.recent_step_loss
        if math.isfinite(first) and math.isfinite(now) and now != first:
            way = "has come down" if now < first else "has gone up"
            parts.append(f"{way} from {_loss(first)} to {_loss(now)} ({name})")
    if not parts:
        return "Training the first epoch."
    return f"Training the first epoch: step loss {', '.join(parts)}."


def _trends(history: History, running: dict[str, ArmHistory], planned_epochs: int) -> Iterator[str]:
    """Sentences on the running arms' validation losses: what rises first, then how the arms compare."""
    unmeasured = [name for name, arm in running.items() if arm.last is not None and arm.last.val_loss is None]
    for name in unmeasured:
        yield f"{name.capitalize()}: the validation loss of epoch {running[name].epochs[-1].epoch} is not finite."
    trends = {name: t for name, arm in running.items() if name not in unmeasured and (t := trend(arm)) is not None}
    kinds = {t.kind for t in trends.values()}
    versus = _versus(history)
    if len(trends) == 2 and len(kinds) == 1 and not kinds & {"rises", "wavers"}:
        kind = kinds.pop()
        words = {
            "first": f"The first of {planned_epochs} epochs is measured",
            "falls": "Both validation losses still fall",
            "flat": "Both validation losses are flat, within 1 % of their lowest",
        }[kind]
        yield f"{words}; {versus}." if versus else f"{words}."
        return
    order = {"rises": 0, "wavers": 1, "flat": 2, "falls": 3, "first": 4}
    told = sorted(trends, key=lambda name: (order[trends[name].kind], -trends[name].since))
    for name in told:
        sentence = _arm_trend(name, running[name], trends[name])
        if name == told[0] and trends[name].kind in {"rises", "wavers"}:
            sentence += _gap(running[name])
        if name == told[-1] and versus:
            sentence += f"; {versus.removeprefix(f'{name} is ')}"
        yield f"{sentence}."


def _arm_trend(name: str, arm: ArmHistory, of: Trend) -> str:
    """Where one arm's validation loss goes, without the full stop."""
    best = "best" if arm.best is not None and arm.best.epoch == of.epoch else "lowest"
    since = f"{of.since} epoch{'' if of.since == 1 else 's'}"
    mark = f"its {best}, {_loss(of.lowest)} at epoch {of.epoch}"
    who = f"{name.capitalize()}: validation loss"
    match of.kind:
        case "rises" if of.since == 1:
            return f"{who} is {_loss(of.last - of.lowest, 2)} above {mark}"
        case "rises":
            return f"{who} has risen for {since} since {mark}"
        case "wavers":
            return f"{who} has wavered for {since} since {mark}"
        case "flat" if of.since:
            return f"{who} is flat, not better for {since} but within 1 % of {mark}"
        case "flat":
            return f"{who} hardly falls any more, {_loss(of.last)} at epoch {of.epoch}"
        case "falls":
            return f"{who} still falls, {_loss(of.last)} at epoch {of.epoch}"
        case _:
            return f"{who} is {_loss(of.last)} at epoch {of.epoch}"


def _gap(arm: ArmHistory) -> str:
    gap = arm.last.gap if arm.last else None
    return "" if gap is None else f"; gap {_loss(gap, 2)}"


def _versus(history: History) -> str:
    """How the arms compare in the newest epoch that both have measured; empty before that or where one has stopped."""
    arms = list(history.arms.values())
    if len(arms) != 2 or any(arm.stopped for arm in arms):
        return ""
    losses, others = ({done.epoch: done.val_loss for done in arm.epochs} for arm in arms)
    epoch = max(losses.keys() & others.keys(), default=0)
    baseline, difference = losses.get(epoch), history.differences.get(epoch)
    if baseline is None or difference is None:
        return ""
    if abs(difference) <= LEVEL * baseline:
        return f"the arms are level at epoch {epoch}"
    side = "below" if difference < 0 else "above"
    return f"regularized is {_loss(abs(difference), 2)} {side} the baseline at epoch {epoch}"


def _steered(changes: Sequence[Sequence[ControlApplied]]) -> str:
    """The newest of the knobs' changes."""
    others = f", the last of {len(changes)} changes" if len(changes) > 1 else ""
    return f"{_change(changes[-1])}{others}."


def _change(change: Sequence[ControlApplied]) -> str:
    """What was set, and when; the answers of both arms are one change."""
    last = change[-1]
    when = f"in epoch {last.epoch}" if last.epoch else "before the first epoch"
    knob = (last.key or "").replace(".", " ").replace("_", " ").capitalize()
    if len({control.value for control in change}) > 1:
        values = [f"{'off' if c.value is None else f'{c.value:g}'} ({c.arm})" for c in change]
        return f"{knob} was set to {' and '.join(values)} {when}"
    arms = "both arms" if len(change) > 1 else f"{last.arm}"
    if last.value is None:
        return f"Early stopping of {arms} was turned off {when}"
    return f"{knob} of {arms} was set to {last.value:g} {when}"


def _ended(history: History) -> Iterator[str]:
    """Sentences on a run that has ended."""
    finished = history.finished
    if finished is not None and finished.status == "failed":
        yield f"The run failed: {finished.error.rstrip('.') or 'the log says why'}."
        return
    diverged = [
        _stopped(name, arm.stopped)
        for name, arm in history.arms.items()
        if arm.stopped is not None and arm.stopped.reason in {"non_finite", "exploded"}
    ]
    if diverged:
        yield "; ".join(diverged) + "."
        return
    epochs = max((len(arm.epochs) for arm in history.arms.values()), default=0)
    word = "Stopped" if finished is not None and finished.status == "stopped" else "Finished"
    lowest = [
        f"{_loss(t.lowest)} at epoch {t.epoch} ({name})"
        for name, arm in history.arms.items()
        if (t := trend(arm)) is not None
    ]
    summary = f": lowest validation loss {', '.join(lowest)}" if lowest else ""
    yield f"{word} after {epochs} epoch{'' if epochs == 1 else 's'}{summary}."
    if history.changes:
        yield _steered(history.changes)


def _loss(value: float, digits: int = 3) -> str:
    """A loss in so many significant digits: 0.310, 2.31, 1,234."""
    if abs(value) >= 100:
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:#.{digits}g}".removesuffix(".").replace("-", "−")
