"""summary.json: the outcome of a run, for other programs and for ourselves."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from regtui import SCHEMA
from regtui.files import read_plain, text_of
from regtui.protocol import schema1
from regtui.protocol.events import Number, Status, StopReason, Text
from regtui.tasks import Comparison

LONGEST_SUMMARY = 2**24
"""Longest summary in bytes; one of 100,000 epochs, the most a preset may have, is a sixth of it."""


class Scores(BaseModel):
    """One epoch of an arm, in evaluation mode."""

    train_loss: Number
    val_loss: Number
    train_metrics: dict[Text, Number]
    val_metrics: dict[Text, Number]


class ArmSummary(BaseModel):
    """How an arm ended; None for what it did not reach.

    Attributes:
        best_epoch: The epoch with the lowest validation loss, whatever early stopping monitors or counts.
        best_val_loss: Its validation loss. Before there was `kept_epoch`, both were those of the last that counted.
        final: Its newest epoch.
        kept_epoch: The epoch whose weights were tested.
        at_kept: That epoch; None in summaries of earlier versions.
        test: Loss and metrics on the test set, by name.
    """

    epochs: int
    stop_reason: StopReason | None
    best_epoch: int | None
    best_val_loss: Number
    final: Scores | None
    kept: Text | None
    kept_epoch: int | None = None
    at_kept: Scores | None = None
    test: dict[Text, Number] | None
    zero_weights: float | None
    weight_norm: Number
    seconds: float
    parameters: int


class TaskSummary(BaseModel):
    """What the networks were trained for, the main metric, and whether higher or lower values of it are better."""

    name: Text
    metric: Text
    better: Text


class Pairing(BaseModel):
    """The proof that the arms are a matched pair.

    Attributes:
        initial_weights: Hash, for each arm, of the tensors that all have.
        shared_tensors: How many those are.
        tensors: How many each arm has in all.
        data: Hash, for each arm, of all its data; empty in runs of earlier versions, as is `split`.
        split: Hashes, for each arm, of the numbers of its training, validation and test examples.
        order: Hash of each epoch's order of examples, equal for all arms.
        unpaired_because: What broke the pair; empty if nothing did.
    """

    initial_weights: dict[Text, Text]
    shared_tensors: int
    data: dict[Text, Text] = {}
    split: dict[Text, dict[Text, Text]] = {}
    tensors: dict[Text, int]
    order: list[Text]
    unpaired_because: Text = ""


class Summary(BaseModel):
    """summary.json: the outcome of a run, for other programs.

    Attributes:
        task: What the networks were trained for.
        comparisons: Each arm but the baseline against it, example by example on the test set.
        same_experiment: For each arm but the baseline, whether both are the same experiment but for chance; empty in
            logs of earlier versions.
    """

    model_config = ConfigDict(extra="ignore")

    schema_version: int = Field(SCHEMA, alias="schema")
    status: Status
    error: Text = ""
    unsaved: Text = ""
    preset: Text
    seed: int
    device: Text
    threads: int | None = None
    wall_seconds: float
    train_seconds: float
    task: TaskSummary
    arms: dict[Text, ArmSummary]
    comparisons: dict[Text, Comparison] = {}
    pairing: Pairing | None
    same_experiment: dict[Text, bool] = {}
    interventions: int


def read_summary(folder: Path) -> Summary | None:
    """The summary of a run; None if it has none, because it did not end or goes on."""
    try:
        outcome = json.loads(text_of(read_plain(folder / "summary.json", LONGEST_SUMMARY)))
        return Summary.model_validate(schema1.summary(outcome))
    except (OSError, ValueError, RecursionError):
        return None
