"""What one run supports, in words that claim no more than one run can.

A run compares trained networks on one test set, each with the baseline's. That bears out which of two did better on
these examples. It does not bear out which technique is better: seeds of one setting differ by more than this test's
error, so that two networks of the same technique, too, often differ "significantly". That is a question for several
seeds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from regtui.tasks import TASKS, Comparison, Task, words
from regtui.text import NBSP, UNKNOWN, loss, p_value, seconds

if TYPE_CHECKING:
    from regtui.protocol.events import Status  # imports pydantic, which the list of runs does not need

ALPHA = 0.05
"""A network has done better than the other if p is below this and the 95 % interval leaves out 0."""
Outcome = Literal["more", "fewer", "closer", "farther", "undecided", "same", "none"]
"""Of one arm in one run: its network classified more of the test examples correctly than the baseline's, or fewer; or
its predictions are closer to the truth, or farther from it; or that is undecided; both arms are the same experiment; no
comparison is drawn."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


HOW_DIVERGED = {
    "non_finite": "numbers were no longer finite",
    "exploded": "training loss was far above that of guessing",
}
"""The reasons for which an arm that diverged was stopped, in words."""


@dataclass(frozen=True)
class ArmResult:
    """What one arm came to; None where a number was not measured.

    A gap is validation loss minus training loss, both data losses in evaluation mode. `epochs` is the last epoch that
    was measured; for an arm that diverged, the one it diverged in.
    """

    name: str  # as the preset calls it
    label: str  # "baseline", "dropout 0.5"; of a baseline that runs techniques, these
    is_plain: bool  # whether it runs no technique
    epochs: int
    best_epoch: int | None  # the one with the lowest validation loss
    best_val_loss: float | None
    test_metric: float | None
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

    @property
    def diverged(self) -> bool:
        """Whether it was stopped because its loss was not finite, or absurdly large."""
        return self.stop_reason in HOW_DIVERGED

    @property
    def has_no_finite_error(self) -> bool:
        """Whether it was scored on the test set, where its error is not finite."""
        return self.kept_epoch is not None and self.test_loss is None


@dataclass(frozen=True)
class Conditions:
    """What a run held fixed, so that its verdict holds for that; None where the log does not tell it."""

    epochs: int  # planned
    learning_rate: float | None
    batch_size: int
    train_examples: int | None
    bootstrap: bool = False  # whether these are drawn with replacement


@dataclass(frozen=True)
class Verdict:
    """The outcome of one arm of a run against the baseline, and everything its words are made of.

    `difference` and `interval` are the arm minus the baseline, in the comparison's unit; with `p_value` they are None
    where no comparison is drawn (`outcome` "none"), and but for the difference where both arms are the same experiment
    ("same"). `p_value` is adjusted for the run's other comparisons where there are any; the interval never is.
    `cost_ratio` is the arm's time per epoch over the baseline's, None if no time was measured.
    """

    outcome: Outcome
    p_value: float | None
    difference: float | None
    interval: tuple[float, float] | None
    cost_ratio: float | None
    baseline: ArmResult
    arm: ArmResult
    comparison: Comparison | None
    comparisons: int  # that were drawn in this run
    unpaired_because: str
    interventions: int
    status: Status
    seed: int
    dataset: str
    examples: str
    task: Task
    conditions: Conditions | None = None
    changes: tuple[str, ...] = ()  # what was steered while it trained, in words

    def statement(self) -> str:
        """Say the outcome in full, with every number it rests on; empty where no comparison is drawn."""
        if self.outcome == "same" and self.comparison is not None:
            return self._same(self.comparison)
        if self.comparison is None or self.p_value is None or self.interval is None:
            return ""
        comparison, arm = self.comparison, self.arm.label
        base = "the baseline" if self.baseline.is_plain else f"the baseline ({self.baseline.label})"
        examples = f"{comparison.total:,} {self.dataset} test {self.examples}"
        low, high = (words.difference(comparison, x) for x in self.interval)
        several = f", by Holm for {self.comparisons} comparisons" if self.comparisons > 1 else ""
        numbers = (
            f"{words.values(comparison)} (95{NBSP}% interval {low}{NBSP}to{NBSP}{high}; {comparison.method}; "
            f"{comparison.test} {p_value(self.p_value)}{several})."
        )
        on = "On this split and seed, "
        if self.outcome != "undecided":
            return f"{on}{words.headline(comparison, self.outcome, arm, base, examples)}: {numbers}"
        if self.interval[0] > 0 or self.interval[1] < 0:
            so_many = f" for {self.comparisons} comparisons" if self.comparisons > 1 else ""
            test = "exact test" if comparison.test.startswith("exact") else "test"
            return (
                f"{on}{words.unsettled(comparison, arm, base, examples)}: {numbers} The interval leaves out 0, but the "
                f"{test} does not reach p{NBSP}<{NBSP}{ALPHA}{so_many}."
            )
        return (
            f"{on}the network with {arm} and that of {base} show no difference that {examples} can resolve: {numbers} "
            f"Any difference in the interval fits these {words.evidence(comparison)}, 0 included."
        )

    @property
    def diverged(self) -> bool:
        """Whether one of the two arms diverged, so that they can't be compared."""
        return self.status == "diverged" and (self.baseline.diverged or self.arm.diverged)

    @property
    def not_finite(self) -> tuple[ArmResult, ...]:
        """The arms whose test error is not finite, where that is why they are not compared."""
        if self.comparison is not None:  # of right and wrong examples, which a loss does not change
            return ()
        return tuple(arm for arm in (self.baseline, self.arm) if arm.has_no_finite_error)

    def _same(self, comparison: Comparison) -> str:
        """Say that the arms are the same experiment, and what their numbers then mean."""
        ours = self.arm.label
        theirs = "no technique" if self.baseline.is_plain else self.baseline.label
        what = ours if ours == theirs else f"{ours} does here what {theirs} does"
        told = f"Both arms are the same experiment on this split and seed ({what}), so there is no technique to judge"
        examples = f"{comparison.total:,} {self.dataset} test {self.examples}"
        if alike := words.alike(comparison, examples):
            return f"{told}: {alike}."
        return (
            f"{told}: {words.values(comparison)} on {examples} come of other random draws alone. So far apart can two "
            "runs of one setting lie; an interval or a p-value would say nothing about a technique."
        )

    def why_none(self) -> str:
        """Say why no comparison is drawn."""
        if self.diverged:
            arms = " and ".join(
                f"{arm.label} diverged in epoch{NBSP}{arm.epochs} (its {HOW_DIVERGED[arm.stop_reason]})"
                for arm in (self.baseline, self.arm)
                if arm.diverged
            )
            advice = "Lower learning_rate" if self.baseline.diverged else "Lower its strength, or learning_rate,"
            return f"{arms}. {advice} and run again."
        if self.status == "failed":
            return "the run failed; its log names the error."
        if self.status == "stopped" and self.baseline.epochs == 0:
            return "the run was stopped before an epoch was measured."
        if self.not_finite:
            arms = " and of ".join("the baseline" if arm is self.baseline else arm.label for arm in self.not_finite)
            return f"the predictions of {arms} for the test {self.examples} are too far off for a finite error."
        if self.comparison is None:
            return f"the test {self.examples} were not scored."
        return f"the arms are not a matched pair: {self.unpaired_because}, so more than the technique sets them apart."

    def cost(self) -> str:
        """Compare the time and the parameters with the baseline's; empty where no time was measured."""
        if self.cost_ratio is None:
            return ""
        arm, base = self.arm, self.baseline
        ours, theirs = epoch_seconds(arm, base)
        cost = (
            f"Cost: {self.cost_ratio:.2f}{NBSP}× the baseline's time per epoch ({ours}{NBSP}s against {theirs}{NBSP}s)"
        )
        if arm.epochs != base.epochs:
            cost += f"; in all {arm.epochs} epochs against {base.epochs}, {seconds(arm.seconds, 1)}{NBSP}s against "
            cost += f"{seconds(base.seconds, 1)}{NBSP}s"
        if arm.parameters != base.parameters:
            cost += f", {arm.parameters:,} parameters against {base.parameters:,}"
        return cost + "."

    def gap(self) -> str:
        """Compare the generalization gaps of the weights each arm kept, unless they look the same in print."""
        arms = (self.arm, self.baseline)
        gap, base_gap = (arm.gap_at_kept for arm in arms)
        ours, theirs = loss(gap, "+.4f"), loss(base_gap, "+.4f")
        if gap is None or base_gap is None or ours == theirs:
            return ""
        kept = " against ".join(f"epoch{NBSP}{shown_epoch(arm.kept_epoch)}" for arm in arms)
        words = f"Generalization gap (validation − training loss) of the kept weights, {kept}: {ours} against {theirs}."
        if self.underfits:
            here, there = (loss(arm.val_loss_at_kept) for arm in arms)
            words += f" The gap is smaller, yet their validation loss is higher ({here} against {there})."
        return words

    @property
    def underfits(self) -> bool:
        """Whether the arm did worse, with a smaller gap but a higher validation loss.

        A smaller gap reads like success; where the other losses rose it is underfitting: the technique is too strong,
        or the epochs are too few.
        """
        (gap, loss), (base_gap, base_loss) = ((a.gap_at_kept, a.val_loss_at_kept) for a in (self.arm, self.baseline))
        if gap is None or base_gap is None or loss is None or base_loss is None:
            return False
        return self.outcome in ("fewer", "farther") and gap < base_gap and loss > base_loss

    def limits(self) -> str:
        """Say what this run leaves open."""
        if self.outcome in ("none", "same"):
            return ""
        return (
            f"One run of one seed ({self.seed}): interval and p-value speak of these two trained networks; another "
            "seed or split may say otherwise. Whether the technique makes the difference, several seeds can tell."
        )


def outcome_of(
    comparison: Comparison | None,
    *,
    same: bool,
    paired: bool,
    status: str,
    stop_reasons: Iterable[object],
    p_value: float | None = None,
) -> Outcome:
    """Decide: a difference is called if p < `ALPHA` and the 95 % interval leaves out 0.

    Args:
        comparison: An arm against the baseline on the test set; None if it was not scored.
        same: Whether both arms are the same experiment.
        paired: Whether both arms started from the same weights and saw the same data in the same order.
        status: How the run ended; nothing is compared in one that failed.
        stop_reasons: Why the two arms ended; none that diverged is compared.
        p_value: Where the run makes several comparisons, the p-value adjusted for that.
    """
    if comparison is None or not paired or status not in ("finished", "stopped", "diverged"):
        return "none"
    if status == "diverged" and any(reason in HOW_DIVERGED for reason in stop_reasons):
        return "none"
    if same:
        return "same"
    if (comparison.p_value() if p_value is None else p_value) < ALPHA:
        low, high = comparison.interval()
        above, below = words.found(comparison)
        if low > 0 or high < 0:
            return above if low > 0 else below
    return "undecided"


def judge(
    baseline: ArmResult,
    arm: ArmResult,
    comparison: Comparison | None,
    *,
    same: bool,
    unpaired_because: str,
    interventions: int,
    status: Status,
    seed: int,
    dataset: str,
    examples: str = "images",
    task: Task = TASKS["classification"],
    adjusted: float | None = None,
    comparisons: int = 1,
    conditions: Conditions | None = None,
    changes: tuple[str, ...] = (),
) -> Verdict:
    """Judge one arm of one run.

    Args:
        baseline: What the baseline came to.
        arm: What the arm came to.
        comparison: The two on the test set, example by example; None if it was not scored.
        same: Whether both arms are the same experiment.
        unpaired_because: What broke the matched pair; empty if nothing did.
        interventions: How often the user changed something while the run trained.
        status: How the run ended.
        seed: The run's seed.
        dataset: The data set's title, "MNIST".
        examples: What its examples are called.
        task: What the networks were trained for.
        adjusted: The p-value, adjusted for the run's other comparisons; None if there are none.
        comparisons: How many are drawn in the run.
        conditions: What the run held fixed; None if that is not known.
        changes: What the user changed, in words.
    """
    outcome = outcome_of(
        comparison,
        same=same,
        paired=not unpaired_because,
        status=status,
        stop_reasons=(baseline.stop_reason, arm.stop_reason),
        p_value=adjusted,
    )
    p_value = difference = interval = None
    if comparison is not None and outcome != "none":
        difference = comparison.difference
    if comparison is not None and outcome not in ("none", "same"):
        p_value = comparison.p_value() if adjusted is None else adjusted
        interval = comparison.interval()
    theirs, ours = baseline.seconds_per_epoch, arm.seconds_per_epoch
    cost_ratio = ours / theirs if theirs and ours is not None else None
    return Verdict(
        outcome, p_value, difference, interval, cost_ratio, baseline, arm, comparison, comparisons, unpaired_because,
        interventions, status, seed, dataset, examples, task, conditions, changes,
    )  # fmt: skip


def shown_epoch(number: int | None) -> str:
    """An epoch's number as it is shown."""
    return UNKNOWN if number is None else str(number)


def epoch_seconds(*arms: ArmResult) -> list[str]:
    """Each arm's seconds per epoch, with as many digits as the shortest needs."""
    known = [arm.seconds_per_epoch for arm in arms if arm.seconds_per_epoch is not None]
    digits = 4 if known and min(known) < 0.1 else 2
    return [UNKNOWN if arm.seconds_per_epoch is None else seconds(arm.seconds_per_epoch, digits) for arm in arms]
