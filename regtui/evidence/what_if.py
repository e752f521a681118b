"""What other patiences would have done in a run, without training and without claims about epochs not run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from regtui.protocol.events import EpochDone
from regtui.protocol.history import ArmHistory
from regtui.techniques.early_stopping import EarlyStopping, Monitor, StoppingRule, followed_metric, restores_best
from regtui.text import NBSP, counted, short

MAX_PATIENCE = 50
"""Patiences from 1 up to this are considered."""


@dataclass(frozen=True)
class PatienceOutcome:
    """The outcome with one patience.

    Attributes:
        patience: Epochs without improvement after which the arm stops.
        stops_at: The epoch after which it would have stopped; None if not within the epochs that were run.
        keeps: The epoch whose weights it would have kept; None if no epoch counts.
        val_loss: The kept epoch's validation loss; None where it is not finite.
        val_metric: The kept epoch's metric of the validation set.
        cost: How much worse the kept epoch's monitored value is than the best epoch's; at least 0 if the arm returns to
            its best weights; None if it is not finite.
        saved: Epochs that were trained after `stops_at`.
    """

    patience: int
    stops_at: int | None
    keeps: int | None
    val_loss: float | None
    val_metric: float | None
    cost: float | None
    saved: int


@dataclass(frozen=True)
class WhatIf:
    """The outcomes of all patiences in one arm.

    Attributes:
        outcomes: The outcome of each patience, from 1 on.
        monitor: The value that the stopping rule monitors.
        best_epoch: The best epoch by the monitored value after the warm-up; None if no epoch counts.
        epochs: The number of complete epochs from the first on without a gap; only these count.
        planned: The planned number of epochs.
        left_out: The first epoch that does not count, as it was cut short or is missing in the log; None if all do.
    """

    outcomes: Sequence[PatienceOutcome]
    monitor: Monitor
    best_epoch: int | None
    epochs: int
    planned: int
    left_out: int | None

    @property
    def complete(self) -> bool:
        """Whether all planned epochs were trained; otherwise a patience that did not stop might have stopped later."""
        return self.epochs >= self.planned

    @property
    def chosen(self) -> PatienceOutcome | None:
        """The shortest patience that comes closest to the best epoch; None if no epoch counts."""
        known = [outcome for outcome in self.outcomes if outcome.cost is not None]
        return min(known, key=lambda outcome: outcome.cost or 0.0, default=None)

    def takeaway(self) -> str:
        """What the chosen patience would have kept and saved, in a sentence."""
        chosen = self.chosen
        if chosen is None:
            return self._nothing()
        run = f"the {counted(self.epochs, 'epoch')} that were run"
        of_those = "" if self.complete else f" of {run}"
        kept = f"epoch {chosen.keeps}, the best{of_those}"
        if chosen.cost:  # every patience would have stopped too early, or the arm does not return to its best epoch
            kept = f"epoch {chosen.keeps}, {self.cost(chosen)} off the best{of_those}, epoch {self.best_epoch}"
        if chosen.stops_at is not None:
            end = f"saved {counted(chosen.saved, 'epoch')}" if chosen.saved else "stopped with the last epoch"
            return f"Patience {chosen.patience} would have kept {kept}, and {end}."
        if chosen.patience == 1:
            return (
                f"Not even patience 1 would have stopped it within the {counted(self.epochs, 'epoch')} that were run."
            )
        shorter = self.outcomes[chosen.patience - 2]
        stops = f"{shorter.patience} would have stopped at epoch {shorter.stops_at}"
        return f"Only patience {chosen.patience} or more would have reached {kept}; {stops}."

    def cost(self, outcome: PatienceOutcome) -> str:
        """How far the kept epoch's monitored value is from the best: 'best', '+0.0011', '−0.35 points'."""
        cost = outcome.cost or 0.0
        if cost == 0:
            return "best"
        metric = followed_metric(self.monitor)
        return f"+{short(cost)}" if metric is None else metric.difference(-cost).replace(NBSP, " ")

    def _nothing(self) -> str:
        """Why no patience can be judged."""
        if self.epochs == 0:
            return "No whole epoch was run, so no patience can be judged."
        return f"None of the {counted(self.epochs, 'epoch')} counts: not finite, or within the warmup."

    def remarks(self) -> Iterator[str]:
        """What is not known, in lines."""
        if self.outcomes[-1].stops_at is None and self.best_epoch is not None and not self.complete:
            yield f"* would not have stopped within the {counted(self.epochs, 'epoch')} that were run;"
            yield f"  what the others of the {self.planned:,} planned would have brought is not known."
        if self.left_out is not None:
            yield f"Epoch {self.left_out} was cut short or is missing in the log; it and later ones do not count."


def what_if(arm: ArmHistory, stopping: EarlyStopping | None, planned: int) -> WhatIf:
    """Work out from an arm's epochs what each patience would have done.

    Args:
        arm: The arm, ended or still going on.
        stopping: Its early stopping, for all knobs but patience; None means the defaults.
        planned: The planned number of epochs.
    """
    rule = StoppingRule() if stopping is None else stopping.stopping_rule()
    epochs = list(_whole(arm.epochs))
    counted = [epoch for epoch in epochs[rule.warmup :] if math.isfinite(_value(epoch, rule.monitor))]
    best = min(counted, key=lambda epoch: _value(epoch, rule.monitor), default=None)
    last = len(epochs)

    def outcome(patience: int, stops_at: int | None) -> PatienceOutcome:
        restores = restores_best(stopping, patience)
        keeps = None if rule.best_epoch is None else rule.kept_epoch(stops_at or last, restore_best=restores)
        kept = None if keeps is None else epochs[keeps - 1]
        cost = math.inf if kept is None or best is None else _value(kept, rule.monitor) - _value(best, rule.monitor)
        return PatienceOutcome(
            patience=patience,
            stops_at=stops_at,
            keeps=keeps,
            val_loss=None if kept is None else kept.val_loss,
            val_metric=None if kept is None else kept.val_metric,
            cost=cost if math.isfinite(cost) else None,
            saved=0 if stops_at is None else last - stops_at,
        )

    # The best epoch does not depend on patience, so one pass is enough: whenever the rule would stop, the outcome is
    # noted and the patience is raised by one, as a user could do.
    outcomes: list[PatienceOutcome] = []
    patience = rule.patience = 1
    for epoch in epochs:
        rule.update(epoch.epoch, val_loss=epoch.val_loss, val_metric=epoch.val_metric)
        while rule.should_stop and patience <= MAX_PATIENCE:
            outcomes.append(outcome(patience, epoch.epoch))
            patience = rule.patience = patience + 1
    outcomes += [outcome(longer, None) for longer in range(patience, MAX_PATIENCE + 1)]
    left_out = last + 1 if last < len(arm.epochs) else None
    return WhatIf(outcomes, rule.monitor, None if best is None else best.epoch, last, planned, left_out)


def _whole(epochs: Sequence[EpochDone]) -> Iterator[EpochDone]:
    """The epochs before the first that was cut short or is missing in the log.

    What a complete epoch would have given there is not known.
    """
    for number, epoch in enumerate(epochs, start=1):
        if epoch.partial or epoch.epoch != number:
            return
        yield epoch


def _value(epoch: EpochDone, monitor: Monitor) -> float:
    """The monitored value, lower is better; infinity where it is not finite."""
    if monitor == "val_loss":
        return math.inf if epoch.val_loss is None else epoch.val_loss
    return math.inf if epoch.val_metric is None else -epoch.val_metric
