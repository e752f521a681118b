"""What several seeds of one preset say together, in words for people; the numbers are those of `over_seeds`.

One run only speaks of its own trained networks. The spread over seeds says how far the next seed may differ. All seeds
are scored on the same test examples, so nothing is said about others. The number of seeds is taken to have been
decided on beforehand, which the words name as a condition.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Literal

from regtui.evidence.decided import Decided
from regtui.evidence.over_seeds import Compared, Pairs, compare
from regtui.evidence.t_power import MOST_SEEDS, POWER, seeds_for_flips
from regtui.evidence.verdict import ALPHA
from regtui.tasks import Metric
from regtui.text import NBSP, listed, number, p_value


def judge_seeds(
    arms: Mapping[str, Mapping[int, float]], better: Literal["higher", "lower"] = "higher"
) -> dict[str, Compared]:
    """Judge the arms of one preset as one family.

    Args:
        arms: By arm: its differences to the baseline, by seed.
        better: Whether higher or lower values of the quantity are better.
    """
    family = {arm: Pairs(dict.fromkeys(differences, 0.0), differences) for arm, differences in arms.items()}
    return compare(family, Decided(better, max(map(len, arms.values()), default=0), alpha=ALPHA))


def describe_seeds(
    name: str, arm: str, metric: Metric, score: Compared, loss: Compared | None, width: int
) -> list[str]:
    """The statistics over seeds as a paragraph for people.

    Args:
        name: What was run with these seeds.
        arm: The arm beside the baseline.
        metric: What they are judged by, beside the loss.
        score: The comparison in it on the test set, as it is shown: of accuracy in percentage points. Of two seeds or
            more, as all here.
        loss: Those in test loss of the same seeds; None where it is not known of all.
        width: Columns at most.
    """
    count, spread = len(score.differences), _spread(score, metric.digits, metric.points)
    words = f"{name}, {count} seeds: test {metric.title} ◆{NBSP}−{NBSP}● {spread}"
    words += f", ◆{NBSP}ahead with {score.wins}, ●{NBSP}with {count - score.wins - score.ties}"
    words += f"; test loss {_spread(loss, 4)}" if loss is not None else ""
    words += f". {_meaning(arm, metric, score, loss)}"
    return [line.replace(NBSP, " ") for line in textwrap.wrap(words, width, break_on_hyphens=False)]


def describe_several(
    name: str,
    metric: Metric,
    scores: Mapping[str, Compared],
    losses: Mapping[str, Compared],
    width: int,
) -> list[str]:
    """Describe what the seeds say of several arms, each against the baseline, as a paragraph for people.

    Args:
        name: The preset's name.
        metric: The metric of `scores`.
        scores: For each arm, its comparison in the metric on the test set, as it is shown; judged together.
        losses: The same in test loss; empty unless it is known of all of them.
        width: The largest width in columns.
    """
    counts = sorted({len(of.differences) for of in scores.values()})
    seeds = f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    words = (
        f"{name}, {seeds}, {len(scores)} arms, each against the baseline on this test set (p is from flipping the "
        f"signs of whole seeds, adjusted for {len(scores)} comparisons by step-down max-T, and holds if the number of "
        f"seeds was decided on beforehand; the 95{NBSP}% intervals, Student's t, hold together). Difference in test "
        f"{metric.title}{f' in{metric.points}' if metric.points else ''}: {_found(scores, metric.digits)}."
    )
    words += f" In test loss: {_found(losses, 4)}." if losses else ""
    fewest = seeds_for_flips(ALPHA)
    if counts[-1] < fewest:
        words += f" Fewer than {fewest} seeds can settle nothing here, however large the differences are."
    else:
        unsure = [arm for arm, of in scores.items() if of.disagree]
        if unsure:
            words += f" For {listed(unsure)} alone, t and sign-flip disagree: look at each seed's difference there."
    return [line.replace(NBSP, " ") for line in textwrap.wrap(words, width, break_on_hyphens=False)]


def _sign(of: Compared | None) -> int:
    """+1 where the arm is shown to be better, −1 where the baseline is, 0 where neither is."""
    return 0 if of is None else (of.call == "helps") - (of.call == "hurts")


def _mean(of: Compared, digits: int) -> str:
    return number(of.mean, f"+.{digits}f")


def _ends(of: Compared, digits: int) -> tuple[str, ...]:
    """Both ends of the interval that holds for all comparisons together; empty if there is none."""
    return tuple(number(limit, f"+.{digits}f") for limit in of.joint or ())


def _found(of_arms: Mapping[str, Compared], digits: int) -> str:
    """Each arm's mean with its interval and p-value: what is settled first, the largest difference first."""
    ordered = sorted(of_arms.items(), key=lambda arm: -abs(arm[1].mean or 0.0))
    parts = []
    for title, is_settled in (("settled", True), ("not settled", False)):
        arms = []
        for arm, of in ordered:
            if bool(_sign(of)) is is_settled:
                ends = _ends(of, digits)
                spread = f"{NBSP}to{NBSP}".join(ends) if ends else "the same for every seed"
                p = f", {p_value(of.p)}" if of.p is not None else ""
                arms.append(f"{arm}{NBSP}{_mean(of, digits)} ({spread}{p})")
        parts += [f"{title} {', '.join(arms)}"] if arms else []
    return "; ".join(parts)


def _spread(of: Compared, digits: int, unit: str = "") -> str:
    """The mean with its interval and p-values."""
    mean = f"{_mean(of, digits)}{unit} on average"
    flips = f"sign-flip {p_value(of.p_flip)}" if of.p_flip is not None else ""
    ends = _ends(of, digits)
    if not ends or of.p_t is None:
        return f"{mean}, the same for every seed, which gives no interval ({flips})"
    return f"{mean}, 95{NBSP}% interval {' to '.join(ends)} (paired t over seeds, {p_value(of.p_t)}; {flips})"


def _meaning(arm: str, metric: Metric, score: Compared, loss: Compared | None) -> str:
    """Which arm is better by which measure, how sure that is, and what to do if that is not settled."""
    by = f"by {metric.title}"
    by_score, by_loss = _sign(score), _sign(loss)
    if by_score and by_score == by_loss:
        found = f"the {_better(arm, by_score)} is better, {by} and by loss"
    elif by_score and by_loss:
        found = f"the {_better(arm, by_score)} is better {by}, but the {_better(arm, by_loss)} by loss"
    elif by_score:
        unsettled = "" if loss is None else "; by loss that is not settled"
        found = f"the {_better(arm, by_score)} is better {by}{unsettled}"
    elif by_loss:
        found = f"the {_better(arm, by_loss)} is better by loss; {by} that is not settled"
    else:
        found = f"neither arm is shown to be better, {by}" + ("" if loss is None else " or by loss")
    proviso = " That holds if their number was decided on beforehand." if by_score or by_loss else ""
    plan = "" if by_score else _plan(metric, score)
    return f"Over these seeds and on this test set {found}.{proviso}{_doubt(metric, score, loss)}{plan}"


def _doubt(metric: Metric, score: Compared, loss: Compared | None) -> str:
    """Where t and sign-flip disagree, beginning with a blank."""
    unsure = [title for title, of in ((metric.title, score), ("loss", loss)) if of is not None and of.disagree]
    if not unsure:
        return ""
    fewest = seeds_for_flips(ALPHA)
    if len(score.differences) < fewest:
        return f" It rests on t, which assumes normal differences: sign-flip needs {fewest} seeds for p below {ALPHA}."
    return f" By {listed(unsure)} t and sign-flip disagree: look at each seed's difference before you trust either."


def _plan(metric: Metric, score: Compared) -> str:
    """How many seeds to run next time, beginning with a blank; empty if that is not known.

    Adding seeds until the interval excludes 0 finds a difference that does not exist in a fifth to a quarter of cases.
    With a number fixed in advance that happens in a twentieth.
    """
    if score.interval is None:
        return ""
    count = f"more than {MOST_SEEDS:,}" if score.needed is None else f"{score.needed:,}"
    return (
        f" To settle a difference in {metric.title} of this size with {100 * POWER:.0f}{NBSP}% power, decide on "
        f"{count} new seeds beforehand and judge those alone: adding seeds until one shows finds some where there is "
        "none."
    )


def _better(arm: str, sign: int) -> str:
    return f"{arm} arm" if sign > 0 else "baseline"
