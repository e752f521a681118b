"""What varies in a study, as numbers for other programs: for study.json, and as tables in full precision.

strengths[]      key, arm (of the preset), cell, log (whether the axis is), best and second by validation (values of
                 the knob), behind (of the second) and its interval, chosen_over (seeds)
  baseline       mean, interval, validation (mean), train_loss, val_loss, rise (above the run's lowest), overfits
  values[]       value, arm, underfits, and what the baseline has
gains[]          key, and by arm: values, differences (means), slope (for each doubling), interval, p (after Holm),
                 seeds, level, shown
bias_variance    by cell and arm: sets, examples, squared (error, bias, variance; unbiased), plug_in (the same as they
                 were measured), zero_one (error, bias, variance, unbiased, biased, net), shifts (of the squared
                 terms from the baseline's: difference and interval)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from regtui.evidence.bias_variance import TERMS, Decomposition, shift
from regtui.evidence.dose import DoseResponse, Level
from regtui.evidence.gain import Gains
from regtui.preset.arms import BASELINE
from regtui.study.bias_variance import bias_variance
from regtui.study.dose import dose_responses, gains
from regtui.study.outcome import StudyOutcome

Rows = list[list[Any]]


def varied_numbers(outcome: StudyOutcome) -> dict[str, Any]:
    """All of it, without what does not vary."""
    judged = {name: cell for name, cell in outcome.cells.items() if cell.cell.role == "verdict"}
    parts = {name: found for name, cell in judged.items() if (found := bias_variance(outcome, cell))}
    return {
        "strengths": [_response(of, name) for name in judged for of in dose_responses(outcome, name)],
        "gains": [_gains(of) for of in gains(outcome)],
        "bias_variance": {
            name: {arm: _parts(of, found[BASELINE], outcome.plan.alpha) for arm, of in found.items()}
            for name, found in parts.items()
        },
    }


def _response(response: DoseResponse, cell: str) -> dict[str, Any]:
    runner = response.runner
    return {
        "key": response.key,
        "arm": response.of,
        "cell": cell,
        "log": response.is_log,
        "best": None if response.best is None else response.best.value,
        "second": None if runner is None else runner.value,
        "behind": None if runner is None else runner.behind,
        "interval": None if runner is None else runner.interval,
        "chosen_over": response.chosen_over,
        "baseline": _level(response.baseline),
        "values": [
            {"value": dose.value, "arm": dose.arm, "underfits": dose.underfits, **_level(dose.level)}
            for dose in response.doses
        ],
    }


def _level(level: Level) -> dict[str, Any]:
    return {
        "mean": level.mean,
        "interval": level.interval,
        "validation": level.validation,
        "train_loss": level.train_loss,
        "val_loss": level.val_loss,
        "rise": level.rise,
        "overfits": level.overfits,
    }


def _gains(of: Gains) -> dict[str, Any]:
    arms = {
        trend.arm: {
            "values": [gain.value for gain in trend.gains],
            "differences": [gain.difference.mean for gain in trend.gains],
            "slope": trend.slope,
            "interval": trend.interval,
            "p": trend.p,
            "seeds": trend.seeds,
            "level": trend.level,
            "shown": trend.is_shown,
        }
        for trend in of.trends
    }
    return {"key": of.key, "arms": arms}


def _parts(of: Decomposition, baseline: Decomposition, alpha: float) -> dict[str, Any]:
    zero_one = None if of.zero_one is None else {**vars(of.zero_one), "net": of.zero_one.net}
    shifts = {}
    if of is not baseline:
        shifts = {term: shift(baseline.squared, of.squared, term, alpha)._asdict() for term in TERMS}
    return {
        "sets": of.sets,
        "examples": of.examples,
        "squared": of.squared.terms._asdict(),
        "plug_in": of.squared.plug_in._asdict(),
        "zero_one": zero_one,
        "shifts": shifts,
    }


def varied_tables(outcome: StudyOutcome) -> Iterator[tuple[str, Sequence[str], Rows]]:
    """Tables in full precision: a name for a file, the head, and rows; None stands for what is not known."""
    found = varied_numbers(outcome)
    head = ["cell", "arm_of", "key", "value", "arm", "mean", "low", "high", "validation", "train_loss", "val_loss"]
    rows: Rows = []
    for of in found["strengths"]:
        for value in ({"value": None, "arm": BASELINE, "underfits": False, **of["baseline"]}, *of["values"]):
            low, high = value["interval"] or (None, None)
            is_best = int(value["value"] is not None and value["value"] == of["best"])
            rows.append([
                of["cell"], of["arm"], of["key"], value["value"], value["arm"], value["mean"], low, high,
                value["validation"], value["train_loss"], value["val_loss"], value["rise"],
                int(value["underfits"]), int(value["overfits"]), is_best,
            ])  # fmt: skip
    if rows:
        yield "strengths", [*head, "rise", "underfits", "overfits", "best_by_validation"], rows
    rows = [
        [of["key"], arm, value, difference, trend["slope"], *(trend["interval"] or (None, None)), trend["p"]]
        for of in found["gains"]
        for arm, trend in of["arms"].items()
        for value, difference in zip(trend["values"], trend["differences"], strict=True)
    ]
    if rows:
        yield "gains", ["key", "arm", "value", "difference", "slope", "slope_low", "slope_high", "p_trend"], rows
    rows = [
        [
            cell, arm, of["sets"], of["examples"], *of["squared"].values(), *of["plug_in"].values(),
            *((of["zero_one"] or {}).get(name) for name in ("error", "bias", "net")),
        ]
        for cell, arms in found["bias_variance"].items()
        for arm, of in arms.items()
    ]  # fmt: skip
    if rows:
        squared = [f"{kind}_{term}" for kind in ("squared", "plug_in") for term in TERMS]
        zero_one = ["zero_one_error", "zero_one_bias", "zero_one_net_variance"]
        yield "bias_variance", ["cell", "arm", "sets", "examples", *squared, *zero_one], rows
