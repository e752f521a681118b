"""The preset: a strict pydantic model of a run with bounds, and the facts that follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from regtui.data.facts import DATASETS, Dataset, DatasetName
from regtui.models import AnyModel, Shape, Site
from regtui.models.base import input_shape
from regtui.models.mlp import MLP
from regtui.preset import schedule
from regtui.preset.arms import ARM_PATTERN, BASELINE, MOST_ARMS, REGULARIZED
from regtui.preset.faults import ContradictionError, Fault
from regtui.preset.train import SEEDS, Table, TrainTable
from regtui.tasks import TASKS, Task, TaskName
from regtui.techniques import Techniques
from regtui.techniques.base import Setting, Technique
from regtui.text import lines, listed, one_line

TRAIN_EVAL = 5_000
"""Training examples whose loss is measured after each epoch; their mean is accurate to a few thousandths."""

LONGEST_TITLE, LONGEST_SUMMARY = 200, 4_000
"""Longest texts of a preset in characters; control characters become escapes, which count as several."""


class Sizes(NamedTuple):
    """How many examples each part of a run has.

    Attributes:
        train: Examples to train on.
        val: Examples for validation after each epoch.
        test: Examples scored once at the end.
        train_eval: Training examples whose loss is measured in evaluation mode after each epoch, a fixed sample.
    """

    train: int
    val: int
    test: int
    train_eval: int


class DataTable(Table):
    """The data set, and how it is split."""

    dataset: DatasetName = Field("mnist", description="The data set.")
    val_fraction: float = Field(0.2, gt=0, lt=1, description="Share of the training set kept for validation.")
    val_samples: int | None = Field(
        None, ge=1, description="Validate on so many of those, drawn by the seed; all when left out."
    )
    train_samples: int | None = Field(None, ge=2, description="Train on so many, drawn by the seed; all when left out.")
    task: TaskName | None = Field(
        None, description="What the network is trained for; what the data set is made for when left out."
    )
    root: str | None = Field(None, description="A folder in torchvision's layout to read from instead of downloading.")
    seed: int | None = Field(None, ge=0, lt=SEEDS, description="The split follows it; train.seed when left out.")
    bootstrap: bool = Field(
        False, description="Train on as many examples drawn with replacement from the training part, by train.seed."
    )

    def kept_for_validation(self, examples: int) -> int:
        """How many examples of a training set are kept for validation; `val_samples` may use fewer of them."""
        return round(self.val_fraction * examples)


ArmName = Annotated[str, Field(pattern=ARM_PATTERN)]


class Preset(Table):
    """A whole experiment: one network on one data set, trained in two or more arms that differ in their techniques."""

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
    model: AnyModel = Field(MLP(), description="The network that all arms share.")
    train: TrainTable = TrainTable()
    baseline: Techniques = Field(Techniques(), description="Techniques of the baseline; usually none.")
    regularized: Techniques = Field(
        Techniques(), description="Techniques of the regularized arm, where it is the only one beside the baseline."
    )
    named_arms: dict[ArmName, Techniques] = Field(
        {},
        alias="arms",
        max_length=MOST_ARMS,
        description="Instead of [regularized]: the arms beside the baseline by name, each with its techniques.",
        json_schema_extra={"additionalProperties": False},
    )

    @property
    def dataset(self) -> Dataset:
        """Facts about the data set that this preset names."""
        return DATASETS[self.data.dataset]

    @property
    def task(self) -> Task:
        """What the networks are trained for; that it fits the data, validation has seen to."""
        return TASKS[self.dataset.task]

    @property
    def sizes(self) -> Sizes:
        """How many examples each part has; needs no data."""
        kept = self.data.kept_for_validation(self.dataset.train)
        val = kept if self.data.val_samples is None else self.data.val_samples
        train = self.dataset.train - kept if self.data.train_samples is None else self.data.train_samples
        return Sizes(train, val, self.dataset.test, min(train, TRAIN_EVAL))

    @property
    def shape(self) -> Shape:
        """The shape of an example as the network takes it: (784,), or (channels, height, width)."""
        return input_shape(self.dataset.shape, images=self.model.takes_images)

    @property
    def sites(self) -> list[Site]:
        """The network's sites, where techniques may put something."""
        return self.model.sites(self.shape)

    @property
    def network(self) -> str:
        """The network in a few words: '784-256-128-10'."""
        return self.model.words(self.shape, self.dataset.outputs)

    @property
    def seeds(self) -> str:
        """What randomness follows from, in a few words: 'seed 0'; 'seed 3, split 0, bootstrap'."""
        split = "" if self.data.seed is None else f", split {self.data.seed}"
        return f"seed {self.train.seed}{split}{', bootstrap' if self.data.bootstrap else ''}"

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch, the last of which may have a smaller batch."""
        return -(-self.sizes.train // self.train.batch_size)

    def arms(self) -> dict[str, Techniques]:
        """The techniques of each arm, the baseline first."""
        return {BASELINE: self.baseline, **(self.named_arms or {REGULARIZED: self.regularized})}

    def table_of(self, arm: str) -> str:
        """The dotted key of an arm's table: 'baseline', 'regularized', 'arms.both'."""
        return f"arms.{arm}" if arm in self.named_arms else arm

    @property
    def alike(self) -> list[list[str]]:
        """Groups of two or more arms that are the same experiment: their techniques do the same, if anything."""
        groups: list[tuple[dict[str, Technique], list[str]]] = []
        for arm, techniques in self.arms().items():
            acting = techniques.acting(self.sites, self.train.epochs)
            group = next((names for same, names in groups if same == acting), None)
            if group is None:
                groups.append((acting, [arm]))
            else:
                group.append(arm)
        return [names for _, names in groups if len(names) > 1]

    def does_as_baseline(self, arm: str) -> bool:
        """Whether an arm and the baseline are the same experiment: their techniques do the same, if anything."""
        return any(BASELINE in names and arm in names for names in self.alike)

    @property
    def warning(self) -> str:
        """A warning before this preset is run; empty if there is none."""
        if len(self.arms()) == 2:
            return "both arms are the same experiment: no technique sets them apart" if self.alike else ""
        groups = map(listed, self.alike)
        return "; ".join(f"{names} are the same experiment: no technique sets them apart" for names in groups)

    @model_validator(mode="after")
    def _check_across_tables(self) -> Preset:
        faults = [*_task_faults(self), *_size_faults(self), *schedule.faults(self.train), *_arm_faults(self)]
        broken = [Fault(f"model.{knob}", words) for knob, words in self.model.faults(self.shape, self.dataset.outputs)]
        faults += broken
        if not broken:  # otherwise there is no network for techniques
            faults += _technique_faults(self)
        if faults:
            raise ContradictionError(faults)
        return self


def _task_faults(preset: Preset) -> Iterator[Fault]:
    asked, made_for = preset.data.task, preset.dataset.task
    if asked not in (None, made_for):
        targets = "classes" if made_for == "classification" else "values"
        yield Fault(
            "data.task", f"{asked} does not fit {preset.dataset.title}, whose targets are {targets}: {made_for}"
        )


def _size_faults(preset: Preset) -> Iterator[Fault]:
    train, val, _, _ = preset.sizes
    whole, fraction = preset.dataset.train, preset.data.val_fraction
    kept = preset.data.kept_for_validation(whole)
    if not 0 < kept < whole:
        words = f"leaves {kept:,} to validate on and {whole - kept:,} to train on; both need at least one"
        yield Fault("data.val_fraction", f"{fraction:g} of {whole:,} {preset.dataset.examples} {words}")
        return
    of = f"{preset.dataset.examples} of {preset.dataset.title}"
    if val > kept:
        words = f"is more than the {kept:,} {of} that val_fraction {fraction:g} keeps to validate on"
        yield Fault("data.val_samples", f"{val:,} {words}")
    if train > whole - kept:
        words = f"is more than the {whole - kept:,} {of} that val_fraction {fraction:g} leaves to train on"
        yield Fault("data.train_samples", f"{train:,} {words}")


def _arm_faults(preset: Preset) -> Iterator[Fault]:
    names = list(preset.named_arms)
    if names and "regularized" in preset.model_fields_set:
        words = "a preset has one of the two: put its techniques into one of those arms, or leave [arms] out"
        yield Fault("regularized", f"stands beside [arms] ({', '.join(names)}); {words}")
    before: dict[str, str] = {}
    for name in names:
        if name.lower() == BASELINE:
            yield Fault(f"arms.{name}", "the baseline has a table of its own, [baseline]; name this arm otherwise")
        elif name.lower() in before:
            words = (
                f"differs from {before[name.lower()]} only by its case, as names of files may not; name it otherwise"
            )
            yield Fault(f"arms.{name}", words)
        before.setdefault(name.lower(), name)


def _technique_faults(preset: Preset) -> Iterator[Fault]:
    setting = Setting(preset.sites, preset.sizes.train, preset.train.batch_size, preset.task, preset.dataset.outputs)
    for arm, techniques in preset.arms().items():
        for name, technique in techniques.active().items():
            for knob, words in technique.faults(setting):
                yield Fault(".".join(filter(None, (preset.table_of(arm), name, knob))), words)
