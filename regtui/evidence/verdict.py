"""What one run supports, in words that claim no more than one run can.

A run compares two trained networks on one test set. That bears out which of these two classified more of its images
correctly. It does not bear out which technique is better: seeds of one setting differ by more than this test's error,
so that two networks of the same technique, too, often differ "significantly". That is a question for several seeds.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from regtui.evidence.paired import INTERVAL_METHOD, PairedTable, difference_interval, mcnemar_exact
from regtui.text import NBSP, UNKNOWN, counted, number, p_value, seconds, share

if TYPE_CHECKING:
    from regtui.protocol.events import Status  # pydantic, of which the list of runs has no need

ALPHA = 0.05
"""A network has classified more than the other if p is below this and the 95 % interval leaves out 0."""
WIDTH = 80
"""Columns the text fits in, where no other width is asked for."""

Outcome = Literal["more", "fewer", "undecided", "same", "none"]
"""Of one run: the regularized network classified more of the test images correctly than the baseline's, or fewer, or
that is undecided; both arms are the same experiment; no comparison is drawn."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True)
class ArmResult:
    """What one arm came to; None where a number was not measured.

    A gap is validation loss minus training loss, both data losses in evaluation mode. `epochs` is the last epoch that
    was measured; for an arm that diverged, the one it diverged in.
    """

    label: str  # "baseline", "dropout 0.5"; of a baseline that runs techniques, these
    is_plain: bool  # whether it runs no technique
    epochs: int
    best_epoch: int | None  # the one with the lowest validation loss
    best_val_loss: float | None
    test_accuracy: float | None
    test_loss: float | None
    kept_epoch: int | None  # whose weights were scored on the test set
    seconds_per_epoch: float | None  # over the epochs that both arms trained, side by side
    seconds: float  # of all its epochs
    parameters: int
    zero_weights: float | None  # fraction of the weights that are exactly 0
    weight_norm: float | None
    gap_at_kept: float | None
    val_loss_at_kept: float | None
    stop_reason: str  # max_epochs, early_stopping, stopped, non_finite, exploded
    cut_short: bool = False  # whether the last epoch is not a whole one


@dataclass(frozen=True)
class Verdict:
    """The outcome of one run and everything its words are made of.

    `difference` and `interval` are fractions, regularized minus baseline; with `p_value` they are None where no
    comparison is drawn (`outcome` "none"), and but for the difference where both arms are the same experiment ("same").
    `cost_ratio` is the regularized arm's time per epoch over the baseline's,
    None if no time was measured.
    """

    outcome: Outcome
    p_value: float | None
    difference: float | None
    interval: tuple[float, float] | None
    cost_ratio: float | None
    baseline: ArmResult
    regularized: ArmResult
    table: PairedTable | None
    unpaired_because: str
    interventions: int
    status: Status
    seed: int
    dataset: str

    def lines(self, width: int = WIDTH) -> list[str]:
        """Return the verdict as plain text for people, at most `width` columns wide."""
        blocks = [_wrap(width, self._headline()), _arms_table(width, self.baseline, self.regularized)]
        if self.table is not None and self.outcome != "none":
            blocks.append(_wrap(width, _counts(self.table), self._cost(), self._gap()))
        blocks.append(_wrap(width, *self._limits()))
        return [line for block in blocks if block for line in ("", *block)][1:]

    def _headline(self) -> str:
        """Say the outcome, with every number it rests on, after what clouds it."""
        if self.outcome == "same" and self.table is not None:
            return self._clouds() + self._same(self.table)
        if self.table is None or self.p_value is None or self.interval is None:
            return f"{self._clouds()}No comparison is drawn on this split and seed: {self._why_none()}"
        table, arm = self.table, self.regularized.label
        base = "the baseline" if self.baseline.is_plain else f"the baseline ({self.baseline.label})"
        images, digits = f"{table.total:,} {self.dataset} test images", _digits(table)
        low, high = (number(100 * x, f"+.{digits}f") for x in self.interval)
        numbers = (
            f"{_accuracies(table)} (95{NBSP}% interval {low}{NBSP}to{NBSP}{high}; {INTERVAL_METHOD}; "
            f"exact McNemar {p_value(self.p_value)})."
        )
        on = f"{self._clouds()}On this split and seed, "
        if self.outcome != "undecided":
            return (
                f"{on}the network with {arm} classified {self.outcome} of the {images} correctly than that of {base}: "
                f"{numbers}"
            )
        if self.interval[0] > 0 or self.interval[1] < 0:
            return (
                f"{on}{images} do not settle whether the network with {arm} or that of {base} classifies more of their "
                f"kind correctly: {numbers} The interval leaves out 0, but the exact test does not reach "
                f"p{NBSP}<{NBSP}{ALPHA}."
            )
        return (
            f"{on}the network with {arm} and that of {base} show no difference that {images} can resolve: {numbers} "
            "Any difference in the interval fits these counts, 0 included."
        )

    def _clouds(self) -> str:
        """Say what keeps the run from being the clean comparison that its preset plans; empty if nothing does."""
        clouds = []
        if self.interventions > 0:
            times = "once" if self.interventions == 1 else f"{self.interventions} times"
            clouds.append(f"steered {times} while it trained")
        if self.status == "stopped" and self.baseline.epochs > 0:
            # An arm that had ended by then was not stopped.
            arms = {"baseline": self.baseline, "regularized arm": self.regularized}
            stopped = {name: arm for name, arm in arms.items() if arm.stop_reason == "stopped"}
            after = ": " + " and ".join(f"the {name} after {_epochs(arm)}" for name, arm in stopped.items())
            if len(stopped) == 2 and _epochs(self.baseline) == _epochs(self.regularized):
                after = f" after {_epochs(self.baseline)}"
            clouds.append(f"stopped by the user{after if stopped else ''}")
        return f"No clean comparison: the run was {' and '.join(clouds)}. " if clouds else ""

    def _same(self, table: PairedTable) -> str:
        """Say that the arms are the same experiment, and what their numbers then mean."""
        ours = self.regularized.label
        theirs = "no technique" if self.baseline.is_plain else self.baseline.label
        what = ours if ours == theirs else f"{ours} does here what {theirs} does"
        words = f"Both arms are the same experiment on this split and seed ({what}), so there is no technique to judge"
        images = f"{table.total:,} {self.dataset} test images"
        if table.only_baseline == table.only_regularized == 0:
            return f"{words}: both networks are right on the same of the {images}."
        return (
            f"{words}: {_accuracies(table)} on {images} come of other random draws alone. So far apart can two runs of "
            "one setting lie; an interval or a p-value would say nothing about a technique."
        )

    def _why_none(self) -> str:
        if self.status == "diverged":
            how = {
                "non_finite": "its training loss was not finite",
                "exploded": "its training loss was far above that of guessing",
            }
            arms = " and ".join(
                f"{arm.label} diverged in epoch{NBSP}{arm.epochs} ({how[arm.stop_reason]})"
                for arm in (self.baseline, self.regularized)
                if arm.stop_reason in how
            )
            alone = self.baseline.stop_reason not in how
            advice = "Lower its strength, or learning_rate," if alone else "Lower learning_rate"
            return f"{arms}. {advice} and run again."
        if self.status == "failed":
            return "the run failed; its log names the error."
        if self.status == "stopped" and self.baseline.epochs == 0:
            return "the run was stopped before an epoch was measured."
        if self.table is None:
            return "the test images were not scored."
        return f"the arms are not a matched pair: {self.unpaired_because}, so more than the technique sets them apart."

    def _cost(self) -> str:
        if self.cost_ratio is None:
            return ""
        arm, base = self.regularized, self.baseline
        ours, theirs = _seconds(arm, base)
        cost = (
            f"Cost: {self.cost_ratio:.2f}{NBSP}× the baseline's time per epoch ({ours}{NBSP}s against {theirs}{NBSP}s)"
        )
        if arm.epochs != base.epochs:
            cost += f"; in all {arm.epochs} epochs against {base.epochs}, {seconds(arm.seconds, 1)}{NBSP}s against "
            cost += f"{seconds(base.seconds, 1)}{NBSP}s"
        if arm.parameters != base.parameters:
            cost += f", {arm.parameters:,} parameters against {base.parameters:,}"
        return cost + "."

    def _gap(self) -> str:
        """Compare the generalization gaps of the weights each arm kept, unless they look the same in print."""
        arms = (self.regularized, self.baseline)
        gap, base_gap = (arm.gap_at_kept for arm in arms)
        ours, theirs = number(gap, "+.4f"), number(base_gap, "+.4f")
        if gap is None or base_gap is None or ours == theirs:
            return ""
        kept = " against ".join(f"epoch{NBSP}{_epoch(arm.kept_epoch)}" for arm in arms)
        words = f"Generalization gap (validation − training loss) of the kept weights, {kept}: {ours} against {theirs}."
        loss, base_loss = (arm.val_loss_at_kept for arm in arms)
        if (
            self.outcome == "fewer"
            and gap < base_gap
            and loss is not None
            and base_loss is not None
            and loss > base_loss
        ):
            # A smaller gap reads like success; where the other losses rose it is underfitting, for one of two reasons.
            epochs = counted(self.regularized.kept_epoch or 0, "epoch")
            words += (
                f" The gap is smaller, yet their validation loss is higher ({number(loss, '.4f')} against "
                f"{number(base_loss, '.4f')}): {self.regularized.label} may be too strong here, or {epochs} too few."
            )
        return words

    def _limits(self) -> list[str]:
        """Say what this run leaves open."""
        if self.outcome in ("none", "same"):
            return []
        return [
            f"One run of one seed ({self.seed}): interval and p-value speak of these two trained networks; another "
            "seed or split may say otherwise. Whether the technique makes the difference, several seeds can tell."
        ]


def outcome_of(table: PairedTable | None, *, same: bool, paired: bool, status: str) -> Outcome:
    """Decide: "more" and "fewer" need both p < `ALPHA` and a 95 % interval that leaves out 0.

    Args:
        table: The arms' rights and wrongs on the test set; None if it was not scored.
        same: Whether both arms are the same experiment.
        paired: Whether both arms started from the same weights and saw the same data in the same order.
        status: How the run ended; no other than a finished or stopped one is compared.
    """
    if table is None or not paired or status not in ("finished", "stopped"):
        return "none"
    if same:
        return "same"
    if mcnemar_exact(table) < ALPHA:
        low, high = difference_interval(table)
        if low > 0 or high < 0:
            return "more" if low > 0 else "fewer"
    return "undecided"


def judge(
    baseline: ArmResult,
    regularized: ArmResult,
    table: PairedTable | None,
    *,
    same: bool,
    unpaired_because: str,
    interventions: int,
    status: Status,
    seed: int,
    dataset: str,
) -> Verdict:
    """Judge one run.

    Args:
        baseline: What the baseline came to.
        regularized: What the regularized arm came to.
        table: Their rights and wrongs on the test set; None if it was not scored.
        same: Whether both arms are the same experiment.
        unpaired_because: What broke the matched pair; empty if nothing did.
        interventions: How often the user changed something while the run trained.
        status: How the run ended.
        seed: The run's seed.
        dataset: The data set's title, "MNIST".
    """
    outcome = outcome_of(table, same=same, paired=not unpaired_because, status=status)
    p_value = difference = interval = None
    if table is not None and outcome != "none":
        difference = table.difference
    if table is not None and outcome not in ("none", "same"):
        p_value, interval = mcnemar_exact(table), difference_interval(table)
    theirs, ours = baseline.seconds_per_epoch, regularized.seconds_per_epoch
    cost_ratio = ours / theirs if theirs and ours is not None else None
    return Verdict(
        outcome, p_value, difference, interval, cost_ratio,
        baseline, regularized, table, unpaired_because, interventions, status, seed, dataset,
    )  # fmt: skip


def _digits(table: PairedTable) -> int:
    """Of a percentage, enough to tell one test image."""
    return max(2, math.ceil(math.log10(table.total)) - 2)


def _accuracies(table: PairedTable) -> str:
    """Both, and their difference."""
    digits = _digits(table)
    ours = share((table.both_right + table.only_regularized) / table.total, digits, NBSP)
    theirs = share((table.both_right + table.only_baseline) / table.total, digits, NBSP)
    return f"{ours} against {theirs}, {number(100 * table.difference, f'+.{digits}f')}{NBSP}points"


def _counts(table: PairedTable) -> str:
    names = ("both right", "only baseline", "only regularized", "both wrong")
    cells = (f"{name} {count:,}".replace(" ", NBSP) for name, count in zip(names, table, strict=True))
    return f"Test images: {' · '.join(cells)}."


def _arms_table(width: int, *arms: ArmResult) -> list[str]:
    """Set the arms side by side, one a row, under a header of two lines; columns that find no room are left out."""
    columns = [
        ("", "", [f"{mark} {name}" for mark, name in (("●", "baseline"), ("◆", "regularized"))]),
        ("test", "accuracy", [share(arm.test_accuracy, 2) for arm in arms]),
        ("test", "loss", [number(arm.test_loss, ".4f") for arm in arms]),
        ("kept", "epoch", [_epoch(arm.kept_epoch) for arm in arms]),
        ("gap", "kept", [number(arm.gap_at_kept, "+.4f") for arm in arms]),
        ("best", "epoch", [_epoch(arm.best_epoch) for arm in arms]),
        ("best val", "loss", [number(arm.best_val_loss, ".4f") for arm in arms]),
        ("weights", "zero", [share(arm.zero_weights, 1) for arm in arms]),
        ("", "‖w‖", [number(arm.weight_norm, ".1f") for arm in arms]),
        ("", "s/epoch", _seconds(*arms)),
    ]
    widths = [max(len(top), len(bottom), *map(len, cells)) for top, bottom, cells in columns]
    while width < WIDTH and len(widths) > 2 and sum(widths) + len(widths) - 1 > width:
        widths.pop()
    columns = columns[: len(widths)]
    rows = zip(*((top, bottom, *cells) for top, bottom, cells in columns), strict=True)
    lines = []
    for name, *cells in rows:
        right = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        lines.append(" ".join([name.ljust(widths[0]), *right]).rstrip().replace(NBSP, " "))
    return lines


def _epochs(arm: ArmResult) -> str:
    """How many it has trained."""
    epochs = counted(arm.epochs, "epoch")
    return f"{epochs}, the last cut short" if arm.cut_short else epochs


def _epoch(number: int | None) -> str:
    return UNKNOWN if number is None else str(number)


def _seconds(*arms: ArmResult) -> list[str]:
    """What an epoch took each arm, all with the digits that the shortest needs."""
    known = [arm.seconds_per_epoch for arm in arms if arm.seconds_per_epoch is not None]
    digits = 4 if known and min(known) < 0.1 else 2
    return [UNKNOWN if arm.seconds_per_epoch is None else seconds(arm.seconds_per_epoch, digits) for arm in arms]


def _wrap(width: int, *sentences: str) -> list[str]:
    """Wrap each to the width; a no-break space keeps a number with its unit and then turns into a plain one."""
    wrapped = (textwrap.wrap(sentence, width, break_on_hyphens=False) for sentence in sentences)
    return [line.replace(NBSP, " ") for lines in wrapped for line in lines]
