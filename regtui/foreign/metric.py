"""What a metric's name tells: which values are better, what it was measured on, in which unit people read it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import reduce
from typing import Literal, NamedTuple

from regtui.errors import InputError
from regtui.foreign.series import LoggedRun
from regtui.tasks.facts import TASKS, Metric
from regtui.text import listed, quoted

Better = Literal["higher", "lower"]

ACCURACY = frozenset({"acc", "accuracy", "top1", "top5"})
HIGHER = ACCURACY.union(
    ("f1", "auc", "auroc", "auprc", "ap", "map", "map50", "precision", "recall", "sensitivity", "specificity", "mcc"),
    ("kappa", "iou", "miou", "jaccard", "dice", "r2", "pearson", "spearman", "pearsonr", "spearmanr", "ndcg", "mrr"),
    ("bleu", "rouge", "rouge1", "rouge2", "rougel", "rougelsum", "meteor", "psnr", "ssim", "reward", "return"),
)
LOWER = frozenset(("loss", "error", "errors", "err", "perplexity", "ppl", "nll", "bce", "ce", "xent")).union(
    ("crossentropy", "entropy", "logloss", "deviance", "mae", "mse", "rmse", "rmsd", "rmsle", "mape", "smape"),
    ("wer", "cer", "eer", "fid", "brier", "ece", "bpb", "bpc"),
)
UNSURE = frozenset({"neg", "negative", "minus", "inverse"})
"""Words of a name that tell whether higher or lower values are better, and those that turn it round."""
TEST, VALIDATION = (
    frozenset({"test", "testing"}),
    frozenset({"val", "valid", "validation", "eval", "evaluation", "dev"}),
)
TRAINING = frozenset({"train", "training", "trn"})
MOST_NAMED = 8


class Chosen(NamedTuple):
    """The metric that is judged, and whether it was chosen here, because nobody named it."""

    name: str
    was_named: bool


def words_of(name: str) -> list[str]:
    """The words of a metric's name in small letters: 'val', 'acc' of 'val/Acc', 'val_acc' and 'valAcc'."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]


def better_of(name: str) -> Better | None:
    """Whether higher or lower values of a metric are better; None where its name does not tell."""
    words = {*words_of(name), *words_of(name.lower())}  # 'mAP50' is one word
    higher, lower = bool(words & HIGHER), bool(words & LOWER)
    if words & UNSURE or higher == lower:
        return None
    return "higher" if higher else "lower"


def measured_on(name: str) -> Literal["test", "validation", "training", ""]:
    """What a metric was measured on, as its name tells; empty where it doesn't."""
    words = set(words_of(name))
    if words & TRAINING:
        return "training"
    return "test" if words & TEST else "validation" if words & VALIDATION else ""


def choose(runs: Sequence[LoggedRun], wanted: str | None) -> Chosen:
    """The metric to judge by: the one that is named, else the one that all runs have and that is plainly meant.

    Without a name it is the accuracy on the test set, else that on the validation set, else another score of the one,
    of the other, else a loss or error of the one, of the other, else the same of names that do not tell.

    Raises:
        InputError: A run does not have it, or it is not plain which is meant.
    """
    if wanted is not None:
        return Chosen(_named(runs, wanted), True)
    shared = reduce(lambda names, run: [name for name in names if name in run.series], runs, list(runs[0].series))
    ranks: dict[tuple[bool, int, int], list[str]] = {}
    for name in shared:
        better, part = better_of(name), measured_on(name)
        if better is not None and part != "training" and not name.endswith("_step"):
            kind = 0 if set(words_of(name)) & ACCURACY else 1 if better == "higher" else 2
            rank = (part == "", kind, ("test", "validation", "").index(part))
            ranks.setdefault(rank, []).append(name)
    if not ranks:
        if shared:
            raise InputError(
                f"no metric that all runs have is plainly the one to judge by; add --metric with one of {_some(shared)}"
            )
        raise InputError(f"the runs share no metric: {_each_has(runs)}; name runs of one kind")
    best = ranks[min(ranks)]
    if len(best) > 1:
        raise InputError(f"several metrics may be meant: add --metric with one of {_some(best)}")
    return Chosen(best[0], False)


def _each_has(runs: Sequence[LoggedRun]) -> str:
    """What two runs have that share no metric; the first one, and the one with the fewest of its metrics."""
    other = min(runs, key=lambda run: len(run.series.keys() & runs[0].series.keys()))
    return f"{runs[0].name} has {_some(list(runs[0].series))}, and {other.name} {_some(list(other.series))}"


def _named(runs: Sequence[LoggedRun], wanted: str) -> str:
    """The metric of that name, however its words are joined: 'val/acc' is found by 'val_acc' where nothing else is."""
    alike = {name for run in runs for name in run.series if words_of(name) == words_of(wanted)}
    name = next(iter(alike)) if len(alike) == 1 else wanted
    for run in runs:
        if name not in run.series:
            near = get_close_matches(name, run.series, 1, 0.6)
            hint = f"did you mean {quoted(near[0])}?" if near else f"it has {_some(list(run.series))}"
            raise InputError(f"{run.name} has no metric {quoted(name)}; {hint}")
    return name


def facts(name: str, values: Mapping[str, Sequence[float]], better: Better | None) -> Metric:
    """How a metric is read and shown: accuracies in percent, their differences in points, everything else as it is.

    Args:
        name: The metric.
        values: All values by run; an accuracy whose values are all from 0 to 1 is a share, one from 0 to 100 a
            percentage.
        better: What was said of it; None to go by its name.

    Raises:
        InputError: Its name does not tell what is better, or some runs have shares and others percentages.
    """
    known = better or better_of(name)
    if known is None:
        raise InputError(
            f"{quoted(name)} does not tell whether higher or lower is better; add --better higher or lower"
        )
    plain = Metric(name, name, name, known, 1, "", "", 4, -math.inf, math.inf)
    accuracy = TASKS["classification"].metric
    finite = {run: [value for value in of if math.isfinite(value)] for run, of in values.items()}
    largest = {run: max(of) for run, of in finite.items() if of}
    if not set(words_of(name)) & ACCURACY or not largest or min(min(of) for of in finite.values() if of) < 0:
        return plain
    shares = [run for run, value in largest.items() if value <= 1]
    if len(shares) == len(largest):
        return accuracy._replace(name=name, title=name, short=name, better=known)
    if max(largest.values()) > 100:
        return plain
    if shares:
        percents = next(run for run, value in largest.items() if value > 1)
        raise InputError(f"{quoted(name)} is a share from 0 to 1 in {shares[0]} and a percentage in {percents}")
    return accuracy._replace(name=name, title=name, short=name, better=known, factor=1, high=100.0)


def _some(names: Sequence[str]) -> str:
    shown = [quoted(name, 60) for name in names[:MOST_NAMED]]
    more = len(names) - len(shown)
    return f"{', '.join(shown)} and {more:,} more" if more else listed(shown) or "nothing"
