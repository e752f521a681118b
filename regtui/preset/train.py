"""A preset's `[train]`: how all arms are trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SEEDS = 2**63
"""Seeds are below this, the range that torch accepts."""

Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
"""Where a run is trained, by name."""


class Table(BaseModel):
    """A table of a preset: strict about unknown keys and types of values."""

    model_config = ConfigDict(extra="forbid", strict=True, validate_assignment=True)


class TrainTable(Table):
    """How all arms are trained."""

    epochs: int = Field(10, ge=1, le=100_000, description="Passes over the training examples.")
    batch_size: int = Field(
        64, ge=1, le=1_000_000, description="Examples in a step; the last step of an epoch may have fewer."
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="PyTorch's optimizer of that name.")
    learning_rate: float = Field(1e-3, gt=0, allow_inf_nan=False, description="The optimizer's step size.")
    schedule: Literal["constant", "cosine", "step"] = Field(
        "constant", description="What becomes of the learning rate: it stays, falls along a cosine, or is cut in steps."
    )
    step_epochs: int | None = Field(
        None, ge=1, le=100_000, description="Of the schedule step: the rate is cut after every so many epochs."
    )
    step_factor: float | None = Field(
        None, gt=0, lt=1, description="Of the schedule step: what a cut leaves of the rate; 0.1 when left out."
    )
    warmup_epochs: int = Field(0, ge=0, le=100_000, description="The rate rises from 0 over so many first epochs.")
    warmup_steps: int = Field(0, ge=0, le=2**53, description="The same, in steps instead of epochs.")
    clip_norm: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Gradients whose Euclidean norm, all together, is larger are scaled down to it.",
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="The optimizer's own, in all arms, on all parameters as in PyTorch.",
    )
    seed: int = Field(
        0, ge=0, lt=SEEDS, description="All randomness of the run follows from it; but for the split, with data.seed."
    )
    device: Device = Field("auto", description="auto, cpu, cuda, cuda:1 or mps; auto takes a GPU where there is one.")
