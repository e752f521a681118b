"""study.json: every number of what a study came to, for other programs; written anew, at once, after each run.

    schema          1
    name            the study's folder
    preset          the name of what was run
    state           running, finished, decided or futile (ended at a look), stopped, interrupted
    runs            done, planned
    metric          name, better (higher or lower), unit: in which all its numbers stand here (accuracies in percent and
                    percentage points)
    plan            what study.toml decided: seeds, smallest_effect, alpha, looks, tune, resample, trials, threads
    verdict         headline, call (of the arm that the headline tells), arm, conditions, exit (as with --verdict-exit)
    seeds           those that the verdict speaks of
    cells[]         name, settings, role (verdict or sensitivity), left_out, runs (by seed, a run's name for each trial)
      baseline      test, validation: by seed; chosen: by seed, the trial that counts, where something was tuned
      arms.NAME     label, test, validation, chosen, cost (time an epoch over the baseline's),
                    score and loss (the test loss beside it), both_scopes (interval for new seeds and new examples)
        score       differences by seed, mean, deviation, interval (of this comparison alone), joint (of all, at every
                    look), p_t, p_flip, p_joint, p (which decides), level (what p may be at most), together (the
                    level of joint taken alone), wins, ties, correlation, gain, call (helps, hurts, no difference,
                    inconclusive, open, none), shown, needed, disagree
      exploratory   by arm, a score over all seeds, where some were added beyond the plan
    varied          strengths, gains, bias_variance: see study/varied_numbers.py; null while the study runs
    strangers       runs in the folder that are of no job

A number that is not known is null. While `call` is "open" no look has come, and nothing in the numbers is a verdict.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from regtui.errors import InputError, RegtuiError, unwritable
from regtui.evidence.over_seeds import Compared
from regtui.files import write_whole
from regtui.runs.files import read_json
from regtui.study.folder import StudyFolder
from regtui.study.outcome import STATES, ArmOutcome, CellOutcome, State, StudyOutcome
from regtui.study.varied_numbers import varied_numbers
from regtui.study.words import StudyWords, verdict_exit
from regtui.text import NBSP, one_line

SCHEMA = 1


def write_outcome(study: StudyFolder, outcome: StudyOutcome) -> None:
    """Write what a study came to so far into its folder, at once.

    Raises:
        RegtuiError: It can't be written.
    """
    text = json.dumps(to_json(outcome, study.name), indent=1, ensure_ascii=False, allow_nan=False)
    try:
        write_whole(study.outcome, f"{text}\n".encode())
    except OSError as error:
        raise RegtuiError(f"{study.outcome}: can't be written ({unwritable(error)})") from None


def to_json(outcome: StudyOutcome, name: str) -> dict[str, Any]:
    """The content of study.json, of a study whose folder has this name."""
    words, plan, metric = StudyWords(outcome), outcome.plan, outcome.metric
    arm = words.best_arm
    return {
        "schema": SCHEMA,
        "name": one_line(name),
        "preset": plan.preset["name"],
        "state": outcome.state,
        "runs": {"done": outcome.runs[0], "planned": outcome.runs[1]},
        "metric": {
            "name": metric.name,
            "better": metric.better,
            "unit": {"value": metric.unit.strip(f" {NBSP}"), "difference": metric.points.strip(f" {NBSP}")},
        },
        "plan": {
            "seeds": plan.seeds,
            "smallest_effect": plan.smallest_effect,
            "alpha": plan.alpha,
            "looks": plan.looks,
            "tune": plan.tune,
            "resample": plan.resample,
            "trials": len(plan.trials),
            "threads": plan.threads,
        },
        "verdict": {
            "headline": words.headline().replace(NBSP, " "),
            "call": words.first.arms[arm].score.call,
            "arm": arm,
            "conditions": words.conditions().replace(NBSP, " "),
            "exit": verdict_exit(outcome),
        },
        "seeds": list(outcome.seeds),
        "cells": [_cell(cell, words) for cell in outcome.cells.values()],
        "varied": _plain(varied_numbers(outcome)) if outcome.state != "running" else None,
        "strangers": list(outcome.strangers),
    }


def _cell(cell: CellOutcome, words: StudyWords) -> dict[str, Any]:
    runs: dict[int, list[str]] = {}
    for (seed, _), folder in sorted(cell.runs.items()):
        runs.setdefault(seed, []).append(one_line(folder.name))
    return {
        "name": cell.cell.name,
        "settings": cell.cell.settings,
        "role": cell.cell.role,
        "left_out": list(cell.left_out),
        "runs": runs,
        "baseline": {
            "test": _numbers(cell.baseline),
            "validation": _numbers(cell.baseline_validation),
            "chosen": dict(cell.baseline_chosen),
        },
        "arms": {name: _arm(arm, words.labels[name]) for name, arm in cell.arms.items()},
        "exploratory": {name: compared_json(compared) for name, compared in cell.exploratory.items()},
    }


def _arm(arm: ArmOutcome, label: str) -> dict[str, Any]:
    return {
        "label": label,
        "test": _numbers(arm.values),
        "validation": _numbers(arm.validation),
        "chosen": dict(arm.chosen),
        "cost": _plain(arm.cost),
        "score": compared_json(arm.score),
        "loss": None if arm.loss is None else compared_json(arm.loss),
        "both_scopes": _plain(arm.both_scopes),
    }


def compared_json(compared: Compared) -> dict[str, Any]:
    """All that is known of a comparison."""
    return {field.name: _plain(getattr(compared, field.name)) for field in fields(compared)}


def _numbers(values: Mapping[int, float]) -> dict[int, Any]:
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    """A value as JSON has it: numbers that are not finite are null."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def state_of(study: StudyFolder) -> State:
    """How a saved study stands: as study.json tells, unless it tells of a study that goes on and none does."""
    try:
        told = read_json(study.outcome).get("state")
    except (OSError, InputError):
        told = None
    state: State | None = next((state for state in STATES if state == told), None)
    if study.is_held:
        return "running"
    return "interrupted" if state is None or state == "running" else state
