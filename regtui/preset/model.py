"""Presets: what a run is, as a strict pydantic model with bounds, and the facts that follow from it."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from regtui.data.facts import DATASETS, Dataset, DatasetName
from regtui.techniques import Techniques
from regtui.text import lines, one_line

ARMS = ("baseline", "regularized")
SEEDS = 2**63
"""Seeds run from 0 to below this, as torch takes them."""
TRAIN_EVAL = 5_000
"""Training images whose loss is measured after each epoch: the mean of so many is good to a few thousandths."""

LONGEST_TITLE, LONGEST_SUMMARY = 200, 4_000
"""Characters of a preset's texts; those that a terminal would obey become escapes, which may cut off an end."""


class Sizes(NamedTuple):
    """How many images each part of a run has.

    Attributes:
        train: Images that are trained on.
        val: Images validated on, after each epoch.
        test: Images scored once, at the end.
        train_eval: Training images whose loss is measured in evaluation mode after each epoch, a fixed sample.
    """

    train: int
    val: int
    test: int
    train_eval: int


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, validate_assignment=True)


class DataTable(_Table):
    """Which images, and how they are split."""

    dataset: DatasetName = Field("mnist", description="The data set.")
    val_fraction: float = Field(0.2, gt=0, lt=1, description="Share of the training set kept for validation.")
    train_samples: int | None = Field(None, ge=2, description="Train on so many, drawn by the seed; all when left out.")
    root: str | None = Field(None, description="A folder in torchvision's layout to read from instead of downloading.")


class ModelTable(_Table):
    """The network that both arms share."""

    kind: Literal["mlp"] = Field("mlp", description="A multilayer perceptron with ReLU.")
    hidden: list[Annotated[int, Field(ge=1, le=65_536)]] = Field(
        [256, 128], max_length=64, description="Units of each hidden layer; an empty list is a linear model."
    )


class TrainTable(_Table):
    """How both arms are trained."""

    epochs: int = Field(10, ge=1, le=100_000, description="Passes over the training images.")
    batch_size: int = Field(
        64, ge=1, le=1_000_000, description="Images in a step; the last step of an epoch may have fewer."
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="PyTorch's optimizer of that name.")
    learning_rate: float = Field(1e-3, gt=0, allow_inf_nan=False, description="The optimizer's step size.")
    weight_decay: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="The optimizer's own, in both arms, on all parameters as in PyTorch.",
    )
    seed: int = Field(0, ge=0, lt=SEEDS, description="All randomness of the run follows from it.")
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = Field(
        "auto", description="auto, cpu, cuda, cuda:1 or mps; auto takes a GPU where there is one."
    )


class Preset(_Table):
    """A whole experiment: one network on one data set, trained in two arms that differ in their techniques."""

    schema_version: Literal[1] = Field(1, alias="schema", description="Version of this format.")
    name: str = Field(
        "preset",
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        description="Short name, used in the run's folder; the file's name when left out.",
    )
    title: Annotated[str, AfterValidator(partial(one_line, limit=LONGEST_TITLE))] = Field(
        "", max_length=LONGEST_TITLE, description="One line for lists."
    )
    summary: Annotated[str, AfterValidator(lambda text: lines(text)[:LONGEST_SUMMARY])] = Field(
        "", max_length=LONGEST_SUMMARY, description="What the experiment shows and what to look for."
    )
    data: DataTable = DataTable()
    model: ModelTable = ModelTable()
    train: TrainTable = TrainTable()
    baseline: Techniques = Field(Techniques(), description="Techniques of the baseline; usually none.")
    regularized: Techniques = Field(Techniques(), description="Techniques of the regularized arm.")

    @property
    def dataset(self) -> Dataset:
        """Facts about the data set that this preset names."""
        return DATASETS[self.data.dataset]

    @property
    def sizes(self) -> Sizes:
        """How many images each part has; needs no data."""
        val = round(self.data.val_fraction * self.dataset.train)
        train = self.dataset.train - val if self.data.train_samples is None else self.data.train_samples
        return Sizes(train, val, self.dataset.test, min(train, TRAIN_EVAL))

    @property
    def layers(self) -> list[int]:
        """Widths from the input to the output: [784, 256, 128, 10]."""
        return [self.dataset.features, *self.model.hidden, self.dataset.classes]

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch, the last of which may have a smaller batch."""
        return -(-self.sizes.train // self.train.batch_size)

    def arms(self) -> dict[str, Techniques]:
        """The techniques of each arm, the baseline first."""
        return {"baseline": self.baseline, "regularized": self.regularized}

    @property
    def same_arms(self) -> bool:
        """Whether both arms are the same experiment: their techniques do the same, if anything."""
        baseline, regularized = (
            techniques.acting(len(self.model.hidden), self.train.epochs) for techniques in self.arms().values()
        )
        return baseline == regularized

    @property
    def warning(self) -> str:
        """What should be known before this preset is run; empty if nothing."""
        return "both arms are the same experiment: no technique sets them apart" if self.same_arms else ""

    @model_validator(mode="after")
    def _check_across_tables(self) -> Preset:
        faults = list(_size_faults(self))
        for arm, techniques in self.arms().items():
            faults += _technique_faults(self, arm, techniques)
        if faults:
            raise ValueError("\n".join(faults))
        return self


def _size_faults(preset: Preset) -> list[str]:
    train, val, _, _ = preset.sizes
    whole = preset.dataset.train
    if not 0 < val < whole:
        return [
            f"data.val_fraction: {preset.data.val_fraction:g} of {whole:,} images leaves {val:,} to validate on and "
            f"{whole - val:,} to train on; both need at least one"
        ]
    if train > whole - val:
        return [
            f"data.train_samples: {train:,} is more than the {whole - val:,} images of {preset.dataset.title} that "
            f"val_fraction {preset.data.val_fraction:g} leaves to train on"
        ]
    return []


def _technique_faults(preset: Preset, arm: str, techniques: Techniques) -> list[str]:
    faults = []
    depth = len(preset.model.hidden)
    dropout, batch_norm = techniques.dropout, techniques.batch_norm
    if dropout is not None:
        beyond = [layer for layer in dropout.after or [] if layer > depth]
        if beyond:
            faults.append(f"{arm}.dropout.after: there is no hidden layer {beyond[0]}; model.hidden has {depth}")
        elif (depth == 0 or dropout.after == []) and dropout.input_rate == 0:
            empty = "model.hidden" if depth == 0 else "after"
            faults.append(f"{arm}.dropout: {empty} is empty, so there is no layer to drop from; set input_rate")
    if batch_norm is not None:
        if depth == 0:
            faults.append(f"{arm}.batch_norm: model.hidden is empty, so there is no layer to normalize")
        if 1 in (preset.train.batch_size, preset.sizes.train % preset.train.batch_size):
            faults.append(
                f"{arm}.batch_norm: {preset.sizes.train:,} training images in batches of {preset.train.batch_size} "
                "leave a batch of one image, which has no variance to normalize by; change train.batch_size"
            )
    return faults
