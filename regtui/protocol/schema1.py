"""Logs of schema 1, which knew one task and two arms, told in today's fields. Those logs are read for good."""

from __future__ import annotations

import json
from typing import Any

_COUNTS = {"both_right": "both_right", "only_baseline": "only_baseline", "only_regularized": "only_arm"}
_COUNTS |= {"both_wrong": "both_wrong"}
"""The 2×2 table, whose third count was called after the one arm that it could be, and its names of today."""
_TASK = {"name": "classification", "loss": "cross-entropy", "metric": "accuracy", "better": "higher", "unit": "%"}
_MARKS = ('"train_accuracy":', '"only_regularized":', '"shared_tensors":')


def wrote(line: str | bytes) -> bool:
    """Whether an event's line of JSON may be of schema 1: a quick look, which takes none of that schema for today's."""
    if isinstance(line, bytes):
        return any(mark.encode() in line for mark in _MARKS)
    return any(mark in line for mark in _MARKS)


def translate(line: str | bytes) -> str:
    """A line of JSON with an event of schema 1 in today's fields; one of today comes back as it is.

    Raises:
        ValueError: It is no JSON.
    """
    try:
        return json.dumps(_translated(json.loads(line)))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _translated(event: Any) -> Any:
    if not isinstance(event, dict):
        return event
    kind = event.get("kind")
    if kind == "run_started":
        return {"task": _TASK} | event
    if kind == "epoch_done":
        return _metrics(event)
    if kind == "scored" and "only_regularized" in event:
        told = event | {"comparisons": {"regularized": _counts(event)}}
        if isinstance(arms := event.get("arms"), dict):
            told["arms"] = {name: _score(score) for name, score in arms.items()}
        return told
    return event


def summary(outcome: Any) -> Any:
    """A summary.json of schema 1 in today's fields; one of today comes back as it is."""
    if not isinstance(outcome, dict) or outcome.get("schema") != 1:
        return outcome
    task = {key: _TASK[key] for key in ("name", "metric", "better")}
    told: dict[str, Any] = {"task": task} | outcome | {"schema": 2}
    paired = told.pop("paired_test", None)
    told["comparisons"] = {"regularized": _counts(paired)} if isinstance(paired, dict) else {}
    same = told.pop("same_experiment", None)
    told["same_experiment"] = {"regularized": same} if isinstance(same, bool) else {}
    if isinstance(arms := outcome.get("arms"), dict):
        told["arms"] = {
            name: arm | {"final": _metrics(arm["final"])}
            if isinstance(arm, dict) and isinstance(arm.get("final"), dict)
            else arm
            for name, arm in arms.items()
        }
    return told


def _metrics(event: dict[str, Any]) -> dict[str, Any]:
    told = dict(event)
    for part in ("train", "val"):
        if f"{part}_accuracy" in told:
            told[f"{part}_metrics"] = {"accuracy": told.pop(f"{part}_accuracy")}
    return told


def _score(score: Any) -> Any:
    if not isinstance(score, dict) or "accuracy" not in score:
        return score
    return score | {"metrics": {"accuracy": score["accuracy"]}}


def _counts(table: dict[str, Any]) -> dict[str, Any]:
    return {today: table[then] for then, today in _COUNTS.items() if then in table}
