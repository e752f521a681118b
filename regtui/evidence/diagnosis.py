"""One or two sentences on what is happening in a run, the most important first.

They describe measured numbers and claim nothing about the technique, which is the verdict's task.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from regtui.evidence.trend import FLAT, NEAR, Kind, Trend, trend
from regtui.preset.arms import BASELINE, REGULARIZED, marks_of
from regtui.protocol.events import ArmStopped, ControlApplied, StopReason
from regtui.protocol.history import ArmHistory, History
from regtui.text import capital, counted, listed, number, share, short

LEVEL = 0.005
"""Arms are level if their validation losses differ by no more than this share of the baseline's."""
ROOM = 2 * 115
"""The most characters of all sentences, which fit into two lines of a terminal of 120 columns."""
MOST_NAMES = 3
"""So many arms are named; more are counted."""
MOST = 3
"""So many sentences are told at most."""
FAR = 100
"""A loss so many times above its lowest is called 'far above', without a percentage."""
ALIKE = 0.005
"""A loss is as low as its lowest if both are shown alike, and it is above that by less than this share."""


def describe(history: History, planned_epochs: int, *, over: bool = False) -> str:
    """What is happening now in a run, or what happened in one that has ended: as many sentences as have room.

    How the arms compare comes first, unless one diverged, then what matters most: whoever has less room cuts the rest.

    Args:
        history: The run's history.
        planned_epochs: The most epochs it may train.
        over: Whether the run is over even though the history has no end.
    """
    ended = over or history.finished is not None
    words = ""
    for sentence in islice(_ended(history) if ended else _going_on(history, planned_epochs), MOST):
        if words and len(words) + 1 + len(sentence) > ROOM:
            break
        words += f" {sentence}" if words else sentence
    return words


def end(history: History) -> str:
    """How and when a run ended, with the lowest validation losses; what went wrong, if something did."""
    return next(_ended(history))


def _going_on(history: History, planned_epochs: int) -> Iterator[str]:
    """Sentences on a run that goes on, the most important first."""
    if history.started is None:
        yield "Nothing is trained yet: the arms are being built."
        return
    running = {name: arm for name, arm in history.arms.items() if arm.stopped is None}
    several = len(history.arms) > 2
    if not running:
        yield "All arms have stopped; the run is coming to its end."
        return
    some_stopped = list(_some_stopped(history, list(running)))
    diverged = any(arm.diverged for arm in history.arms.values())
    if diverged:
        yield from some_stopped
    standing = _standing(running, _labels(history)) if several else iter((_versus(history),))
    yield from filter(None, islice(standing, 1))
    if history.paused:
        yield _paused(history)
    if not diverged:
        yield from some_stopped
    newest = max(len(arm.epochs) for arm in running.values())
    changes = history.changes
    fresh = bool(changes) and changes[-1][-1].epoch > newest  # its effect was not measured yet
    if fresh:
        yield _steered(history)
    if newest == 0:
        yield _first_epoch_of_several(running) if several else _first_epoch(running)
    elif several:
        yield from standing
    else:
        yield from _trends(running, planned_epochs)
    if changes and not fresh:
        yield _steered(history)
    yield from _resumed(history)


def _resumed(history: History) -> Iterator[str]:
    """A sentence on where the run was resumed last."""
    if history.seams:
        times = f", the last of {len(history.seams)} times" if len(history.seams) > 1 else ""
        words = history.seams[-1].words()
        yield f"{capital(words)}{times}."


def _paused(history: History) -> str:
    step = max(len(arm.step_losses) for arm in history.arms.values())
    if step == 0:
        return "Paused before the first step."
    epochs, within = divmod(step, history.started.steps_per_epoch if history.started else step)
    return f"Paused in epoch {epochs + 1}, after step {step:,}." if within else f"Paused after epoch {epochs}."


def _stopped(name: str, arm: ArmHistory, stopped: ArmStopped) -> str:
    """How an arm ended, without the full stop."""
    who = _beginning(name)
    if stopped.diverged:
        return f"{who} diverged in epoch {stopped.epoch}: its {stopped.how_diverged}"
    how = {"early_stopping": "stopped early", "max_epochs": "has trained all its epochs"}.get(stopped.reason, "stopped")
    when = f"in epoch {stopped.epoch}" if _cut_short(arm) else f"after epoch {stopped.epoch}"
    found = trend(arm)
    lowest = f"; its lowest validation loss was {_lowest(found)}" if found else ""
    return f"{who} {how}{lowest}" if stopped.reason == "max_epochs" else f"{who} {how} {when}{lowest}"


def _beginning(name: str) -> str:
    """An arm's name at the beginning of a sentence; what its preset calls it is not changed."""
    return name.capitalize() if name in (BASELINE, REGULARIZED) else name


def _cut_short(arm: ArmHistory) -> bool:
    """Whether its last epoch is not a whole one."""
    return arm.last is not None and arm.last.partial


def _first_epoch(running: dict[str, ArmHistory]) -> str:
    parts = []
    for name, arm in running.items():
        first, now = arm.first_step_loss, arm.recent_step_loss
        if math.isfinite(first) and math.isfinite(now) and short(now) != short(first):
            way = "has come down" if now < first else "has gone up"
            parts.append(f"{way} from {short(first)} to {short(now)} ({name})")
    if not parts:
        return "Training the first epoch."
    return f"Training the first epoch: step loss {', '.join(parts)}."


def _trends(running: dict[str, ArmHistory], planned_epochs: int) -> Iterator[str]:
    """Sentences on the validation losses of the running arms, overfitting first."""
    unmeasured = [name for name, arm in running.items() if arm.last is not None and arm.last.val_loss is None]
    for name in unmeasured:
        yield f"{_beginning(name)}: the validation loss of epoch {running[name].epochs[-1].epoch} is not finite."
    trends = {name: t for name, arm in running.items() if name not in unmeasured and (t := trend(arm)) is not None}
    if len(trends) == 2 and (words := _both(list(trends.values()), planned_epochs)):
        yield f"{words}."
        return
    told = sorted(trends, key=lambda name: (_FIRST_TOLD.index(trends[name].kind), -trends[name].above))
    yield from (f"{_arm_trend(name, trends[name])}." for name in told)


_FIRST_TOLD: Sequence[Kind] = (
    "overfits", "rises", "above", "recovers", "wavers", "flat", "slows", "lowest", "falls", "first",
)  # fmt: skip


def _both(trends: Sequence[Trend], planned_epochs: int) -> str:
    """Words for both arms together; empty if each needs a sentence of its own."""
    kinds = {t.kind for t in trends}
    if kinds == {"falls"}:
        return "Both validation losses still fall"
    if kinds == {"first"} and all(t.last.epoch == 1 for t in trends):
        return f"The first of {planned_epochs:,} epochs is measured"
    if kinds == {"flat"} and len({t.calm for t in trends}) == 1:
        return f"Both validation losses are flat, within {share(FLAT, 0)} over {trends[0].calm} epochs"
    return ""


def _arm_trend(name: str, of: Trend) -> str:
    """A sentence on the trend of an arm's validation loss, without the full stop."""
    who, last = _beginning(name), f"{short(of.last.val_loss)} at epoch {of.last.epoch}"
    if of.kind == "overfits":
        losses = f"{short(of.lowest.val_loss)} → {short(of.last.val_loss)}"
        return f"{who} overfitting since epoch {of.lowest.epoch}: validation loss {_size(of)} ({losses})"
    flat = f"within {share(FLAT, 0)} over {of.calm} epochs"
    words = {
        "rises": f"has risen for {of.risen} epochs, {_above(of)}",
        "recovers": f"falls, but is {_above(of)}",
        "above": f"is {_above(of)}",
        "wavers": f"wavers within {share(NEAR, 0)} of its lowest, {_lowest(of)}",
        "flat": f"is flat, {flat}, {_above(of)}",
        "slows": f"hardly falls any more, {flat}: {last}",
        "lowest": f"is at its lowest, {last}",
        "falls": f"still falls, {last}",
        "first": f"is {last}",
    }
    return f"{who}: validation loss {words[of.kind]}"


def _above(of: Trend) -> str:
    """The newest loss compared with the lowest: '2.5 % above its lowest, 0.3101 at epoch 6'."""
    if of.last is of.lowest:
        return f"at its lowest, {_lowest(of)}"
    alike = short(of.last.val_loss) == short(of.lowest.val_loss)
    if alike and of.above < ALIKE:  # losses from 1,000 on are shown with one digit
        return f"as low as its lowest, {_lowest(of)}"
    return f"{'far' if of.above >= FAR else _rise(of)} above its lowest, {_lowest(of)}"


def _lowest(of: Trend) -> str:
    return f"{short(of.lowest.val_loss)} at epoch {of.lowest.epoch}"


def _rise(of: Trend) -> str:
    """How far the newest loss is above the lowest, with two digits or more: '2.5 %', '145 %'."""
    return share(of.above) if of.above < 0.0995 else f"{number(100 * of.above, '.0f')} %"


def _size(of: Trend) -> str:
    return "far up" if of.above >= FAR else f"+{_rise(of)}"


def _versus(history: History) -> str:
    """How the arms compare in the newest epoch measured by both, or if one has stopped by what was lowest in each.

    Empty before that, and if an arm diverged.
    """
    arms, (name,) = list(history.arms.values()), history.others
    if any(arm.diverged for arm in arms):
        return ""
    if any(arm.stopped for arm in arms):
        lowest = [None if arm.best is None else arm.best.val_loss for arm in arms]
        baseline, other = lowest
        difference = None if baseline is None or other is None else other - baseline
        what = "lowest validation loss so far"
    else:
        losses, others = ({done.epoch: done.val_loss for done in arm.epochs} for arm in arms)
        epoch = max(losses.keys() & others.keys(), default=0)
        baseline, difference, what = (
            losses.get(epoch),
            history.differences(name).get(epoch),
            f"validation loss at epoch {epoch}",
        )
    if baseline is None or difference is None:
        return ""
    if abs(difference) <= LEVEL * baseline:
        return f"The arms are level in {what}, within {share(LEVEL)}."
    side = "below" if difference < 0 else "above"
    return f"{_beginning(name)} is {short(abs(difference))} {side} the baseline in {what}."


# Several arms beside the baseline: what each does would be too much, so they are counted


def _labels(history: History) -> dict[str, str]:
    """What sentences call each arm: of several by letter and name, since a name such as 'all' is a word as well."""
    if len(history.arms) <= 2:
        return {name: name for name in history.arms}
    return {name: name if name == BASELINE else f"{mark} {name}" for name, mark in marks_of(history.arms).items()}


def _names(names: Sequence[str]) -> str:
    """'A a', 'A a and B b', 'A a, B b and C c', '4 arms'."""
    return listed(names) if len(names) <= MOST_NAMES else f"{len(names)} arms"


def _some_stopped(history: History, running: Sequence[str]) -> Iterator[str]:
    """A sentence on the arms that have stopped while others go on; nothing before the first has."""
    labels = _labels(history)
    ended = {name: arm.stopped for name, arm in history.arms.items() if arm.stopped is not None}
    on = f"{labels[running[0]]} goes on alone" if len(running) == 1 else f"{len(running)} arms go on"
    if len(ended) == 1:
        ((name, stopped),) = ended.items()
        yield f"{_stopped(labels[name], history.arms[name], stopped)}; {on}."
    elif ended:
        groups = {
            how: [labels[name] for name, end in ended.items() if _ENDS[end.reason] == how] for how in _ENDS.values()
        }
        words = "; ".join(f"{_names(names)} {how}" for how, names in groups.items() if names)
        yield f"{capital(words)}; {on}."


_ENDS: Mapping[StopReason, str] = {
    "non_finite": "diverged",
    "exploded": "diverged",
    "early_stopping": "stopped early",
    "max_epochs": "trained all epochs",
    "stopped": "stopped",
}
"""How several arms ended, in words; what is told first comes first."""


def _first_epoch_of_several(running: dict[str, ArmHistory]) -> str:
    lower = [name for name, arm in running.items() if arm.recent_step_loss < arm.first_step_loss]
    return f"Training the first epoch: the step loss has come down in {len(lower)} of {len(running)} arms."


def _standing(running: dict[str, ArmHistory], labels: Mapping[str, str]) -> Iterator[str]:
    """Which running arm is lowest in the newest epoch that all have measured, and how many are at their own lowest."""
    arms = {labels[name]: arm for name, arm in running.items()}
    unmeasured = [name for name, arm in arms.items() if arm.last is not None and arm.last.val_loss is None]
    if unmeasured:
        yield f"The validation loss of {_names(unmeasured)} is not finite."
    measured = {name: arm for name, arm in arms.items() if name not in unmeasured}
    losses = {
        name: {e.epoch: e.val_loss for e in arm.epochs if e.val_loss is not None} for name, arm in measured.items()
    }
    common = set.intersection(*(set(of_arm) for of_arm in losses.values())) if losses else set()
    if common and len(losses) > 1:
        yield _lowest_of({name: of_arm[max(common)] for name, of_arm in losses.items()}, max(common))
    trends = {name: found for name, arm in measured.items() if (found := trend(arm)) is not None}
    overfitting = [name for name, of in trends.items() if of.kind == "overfits"]
    at_lowest = [name for name, of in trends.items() if of.last is of.lowest]
    above = [name for name in trends if name not in {*overfitting, *at_lowest}]
    groups = {"overfitting": overfitting, "at their lowest": at_lowest, "above their lowest": above}
    parts = [f"{_names(names)} {words}" for words, names in groups.items() if names]
    if parts and len(measured) > 1 and any(arm.last is not None and arm.last.epoch > 1 for arm in measured.values()):
        yield f"Validation losses: {', '.join(parts)}."


def _lowest_of(losses: dict[str, float], epoch: int) -> str:
    """Which of several losses of one epoch is the lowest, and how far that is from the baseline's."""
    name, *others = sorted(losses, key=lambda arm: losses[arm])
    lowest = f"At epoch {epoch} {name} has the lowest validation loss of {counted(len(losses), 'arm')}"
    lowest += f", {short(losses[name])}"
    if not others or BASELINE not in losses:
        return f"{lowest}."
    if name == BASELINE:
        above = losses[others[0]] - losses[name]
        level = above <= LEVEL * losses[name]
        how = f"level with it within {share(LEVEL)}" if level else f"next, {short(above)} above"
        return f"{lowest}; {others[0]} is {how}."
    difference = losses[BASELINE] - losses[name]
    if difference <= LEVEL * losses[BASELINE]:
        return f"{lowest}, level with the baseline within {share(LEVEL)}."
    return f"{lowest}; that is {short(difference)} below the baseline."


def _steered(history: History) -> str:
    """A sentence on the latest change of a knob."""
    changes = history.changes
    others = f", the last of {len(changes)} changes" if len(changes) > 1 else ""
    return f"{_change(changes[-1], _labels(history))}{others}."


def _change(change: Sequence[ControlApplied], labels: Mapping[str, str]) -> str:
    """What was set, and when; a change in several of the run's arms counts as one."""
    last = change[-1]
    when = f"in epoch {last.epoch}" if last.epoch else "before the first epoch"
    knob = (last.key or "").replace(".", " ").replace("_", " ").capitalize()
    if len({control.value for control in change}) > 1:
        values = [f"{'off' if c.value is None else f'{c.value:g}'} ({labels[c.arm or '']})" for c in change]
        return f"{knob} was set to {' and '.join(values)} {when}"
    every = "both arms" if len(labels) == 2 else "all arms"
    changed = [labels[control.arm] for control in change if control.arm is not None]
    arms = every if last.arm is None or len(change) == len(labels) > 1 else _names(changed)
    if last.value is None:
        return f"Early stopping of {arms} was switched off {when}"
    return f"{knob} of {arms} was set to {last.value:g} {when}"


def _ended(history: History) -> Iterator[str]:
    """Sentences on a run that is over."""
    finished = history.finished
    if finished is not None and finished.status == "failed":
        yield f"The run failed: {finished.error.rstrip('.') or 'the log says why'}."
        return
    labels = _labels(history)
    diverged = [
        _stopped(labels[name], arm, arm.stopped)
        for name, arm in history.arms.items()
        if arm.stopped is not None and arm.stopped.diverged
    ]
    several = len(history.arms) > 2
    if diverged:
        yield (
            "; ".join(diverged[:MOST_NAMES]) + (f"; {len(diverged)} arms in all" if diverged[MOST_NAMES:] else "") + "."
        )
        if not several:
            return
    trends = {name: t for name, arm in history.arms.items() if (t := trend(arm)) is not None}
    told = dict(sorted(trends.items(), key=lambda one: one[1].lowest.val_loss or 0.0))
    if several:  # the lowest of all, and the baseline's
        told = {name: t for name, t in told.items() if name in (next(iter(told)), BASELINE)}
    lowest = [f"{_lowest(t)} ({labels[name]})" for name, t in (told if several else trends).items()]
    summary = f": lowest validation loss {', '.join(lowest)}" if lowest else ""
    yield f"{_end(history)}{summary}."
    overfitted = {
        name: f"{name} from epoch {t.lowest.epoch} on, validation loss {_size(t)} at its end"
        for name, t in trends.items()
        if t.kind == "overfits"
    }
    if overfitted:
        arms = _names([labels[name] for name in overfitted]) if several else "; ".join(overfitted.values())
        yield f"Overfitted: {arms}."
    if history.changes:
        yield _steered(history)
    yield from _resumed(history)


def _end(history: History) -> str:
    """How and when a run ended: 'Finished after 50 epochs (baseline) and 17 (regularized)'."""
    word = "The log breaks off"
    if history.finished is not None:
        word = "Stopped" if history.finished.status == "stopped" else "Finished"
    last = {name: (arm.last.epoch if arm.last else 0, _cut_short(arm)) for name, arm in history.arms.items()}
    if len(set(last.values())) > 1 and len(last) > 2:
        ends = [epoch for epoch, _ in last.values()]
        return f"{word} after {min(ends):,} to {max(ends):,} epochs"
    if len(set(last.values())) > 1:
        each = [f"epoch {epoch}{', cut short,' * cut} ({name})" for name, (epoch, cut) in last.items()]
        return f"{word} after {' and '.join(each)}"
    epochs, cut = next(iter(last.values()), (0, False))
    return f"{word} in epoch {epochs}" if cut else f"{word} after {counted(epochs, 'epoch')}"
