"""The events of a run: frozen, JSON-compatible, one `kind` each, for the screen, the printed table and the log.

Counting starts at 1 for epochs and steps; steps count over the whole run. `t` is seconds since the run's start. Numbers
that are not finite become None, with `finite` false beside them, because JSON has neither NaN nor infinity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Literal, Self, TypeGuard

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from regtui.protocol import schema1
from regtui.protocol.who import Who
from regtui.tasks import Comparison, Task
from regtui.text import counted, one_line

HUGE = 1e100
"""Larger numbers count as infinite. 32-bit numbers are far smaller, and smaller numbers can be squared and summed."""


def is_finite(number: float | None) -> TypeGuard[float]:
    """Whether a number is neither None nor NaN nor infinite."""
    return number is not None and abs(number) <= HUGE


def all_finite(numbers: Sequence[float | None]) -> bool:
    """Whether all numbers are finite; False also if one is extremely large."""
    try:
        # The root of the sum of squares is at least the largest number, and takes a tenth of the time of a loop.
        return math.hypot(*numbers) <= HUGE  # type: ignore[arg-type]
    except TypeError:  # None among them
        return False


def _finite_or_none(number: float | None) -> float | None:
    return number if is_finite(number) else None


def _each_finite_or_none(numbers: list[float | None]) -> list[float | None]:
    return numbers if all_finite(numbers) else [_finite_or_none(number) for number in numbers]


Number = Annotated[float | None, AfterValidator(_finite_or_none)]
"""A measured number; None stands for one that is not finite."""
Numbers = Annotated[list[float | None], AfterValidator(_each_finite_or_none)]
"""A list of measured numbers, such as the losses of an epoch's steps."""


Text = Annotated[str, AfterValidator(one_line)]
"""A text from a log, which may come from anywhere: made safe to show, on one line."""


class _Event(BaseModel):
    # A log from a later version may have fields that this one does not know.
    model_config = ConfigDict(frozen=True, extra="ignore")

    t: float

    def model_post_init(self, _context: object, /) -> None:
        """Let events share pydantic's set of given fields, which otherwise takes half of an event's memory."""
        object.__setattr__(self, "__pydantic_fields_set__", _FIELDS_SET)


_FIELDS_SET: set[str] = set()


class ArmInfo(BaseModel):
    """What is known of an arm before its first step.

    Attributes:
        techniques: Its techniques in a few words.
        is_plain: Whether it has no technique; earlier versions logged this only in words.
        parameters: The number of trainable parameters.
        initial_weights: Hash of the initial values of the tensors that all arms have.
        tensors: The number of tensors of its network.
        data: Hash of all examples and targets of its data set; empty in logs of earlier versions, as is `split`.
        split: Hash of the numbers of the examples of each part: 'training', 'validation', 'test'.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    techniques: Text
    is_plain: bool = Field(default_factory=lambda told: told.get("techniques") == "no technique")
    parameters: int
    initial_weights: Text
    tensors: int
    data: Text = ""
    split: dict[Text, Text] = {}


class SiteInfo(BaseModel):
    """A place in the network where techniques may put something.

    Attributes:
        kind: The input, or just before or after an activation.
        number: Its number among the sites of its kind, from 1; 0 for the input.
        name: The layer's name.
        shape: The shape of one example there.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Text
    number: int
    name: Text
    shape: tuple[int, ...]


class TaskInfo(BaseModel):
    """What the networks are trained for.

    Attributes:
        name: One of `TASKS`.
        loss: The loss in words.
        metric: The metric that people read beside it.
        better: Whether higher or lower values of it are better.
        unit: Of its values as they are shown.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Text
    loss: Text = ""
    metric: Text
    better: Text
    unit: Text = ""

    @classmethod
    def of(cls, task: Task) -> Self:
        """The facts of a task that a log tells."""
        metric = task.metric
        return cls(name=task.name, loss=task.loss, metric=metric.name, better=metric.better, unit=metric.unit.strip())


class RunStarted(_Event):
    """The arms are built and training begins.

    Attributes:
        preset: The preset's name.
        dataset: The data set's title.
        task: What the networks are trained for.
        examples: What the data set's examples are called: "images".
        sizes: Examples to train on, to validate on, to test on, and of the training ones those whose loss is measured.
        layers: Widths of the network from input to output, in logs of earlier versions without `network`.
        network: The network in a few words.
        sites: Where its techniques may put something, in the order of the forward pass.
        epochs: The planned number of epochs.
        steps_per_epoch: Optimizer steps in an epoch.
        arms: Facts of each arm, the baseline first.
        shared_tensors: How many tensors all arms have in common, with equal initial values.
        threads: Threads of each process; None in logs of earlier versions.
    """

    kind: Literal["run_started"] = "run_started"
    preset: Text
    title: Text
    dataset: Text
    task: TaskInfo
    examples: Text = "images"
    sizes: dict[Text, int]
    layers: list[int] = []
    network: Text = ""
    sites: list[SiteInfo] = []
    epochs: int
    steps_per_epoch: int
    batch_size: int
    seed: int
    device: Text
    arms: dict[Text, ArmInfo]
    shared_tensors: int
    threads: int | None = None


class StepsDone(_Event):
    """The data loss of every step since the last such event, without penalties, in training mode."""

    kind: Literal["steps_done"] = "steps_done"
    arm: Text
    epoch: int
    first_step: int
    losses: Numbers
    finite: bool = True


# A dataclass takes a tenth of a model's memory, and a long run has hundreds of thousands.
@dataclass(frozen=True, slots=True)
class LayerWeights:
    """The weight matrix of one layer: its Euclidean norm, and how many of its `size` weights are exactly zero."""

    norm: Number
    zeros: int
    size: int


class EpochDone(_Event):
    """An arm has trained one more epoch and was measured, in evaluation mode.

    Attributes:
        train_loss: Mean data loss of the training examples (see `Sizes.train_eval`), without penalties.
        val_loss: The same of the validation examples.
        train_metrics: The task's metrics of the same training examples, by name, the main one first.
        val_metrics: The same of the validation examples.
        penalties: Each technique's penalty on the weights, whether or not the optimizer sees it.
        weights: Each weight matrix, by layer.
        order: Hash of the order in which this epoch's examples were trained on.
        seconds: What training and validating this epoch took this arm.
        learning_rate: The learning rate of its last step; None in logs of earlier versions.
        gpu_bytes: The memory that torch holds on the arm's GPU, for all arms of its process; None on other devices.
        best: Whether the validation loss is the lowest so far; in logs of earlier versions, whether the epoch counted.
        counted: Whether the stopping rule counts it as an improvement; None in logs of earlier versions.
        wait: Epochs since the last that counted, without those whose monitored value is not finite.
        partial: Whether the user's stop cut the epoch short.
    """

    kind: Literal["epoch_done"] = "epoch_done"
    arm: Text
    epoch: int
    train_loss: Number
    val_loss: Number
    train_metrics: dict[Text, Number]
    val_metrics: dict[Text, Number]
    penalties: dict[Text, Number]
    weights: dict[Text, LayerWeights]
    order: Text
    seconds: float
    learning_rate: Number = None
    gpu_bytes: int | None = None
    best: bool
    counted: bool | None = None
    wait: int
    partial: bool = False
    finite: bool = True

    @property
    def counts(self) -> bool:
        """Whether the stopping rule counts the epoch as an improvement."""
        return self.best if self.counted is None else self.counted

    @property
    def train_metric(self) -> float | None:
        """The main metric of the training examples; None where it is not finite."""
        return next(iter(self.train_metrics.values()), None)

    @property
    def val_metric(self) -> float | None:
        """The main metric of the validation examples; None where it is not finite."""
        return next(iter(self.val_metrics.values()), None)

    @property
    def gap(self) -> float | None:
        """Generalization gap: validation loss minus training loss; None where one is not finite."""
        return None if self.val_loss is None or self.train_loss is None else self.val_loss - self.train_loss

    @property
    def zero_weights(self) -> float:
        """Share of the weights that are exactly zero."""
        layers = self.weights.values()
        return sum(layer.zeros for layer in layers) / max(1, sum(layer.size for layer in layers))

    @property
    def weight_norm(self) -> float | None:
        """Euclidean norm of all weights together; None if one layer's is not finite."""
        norms = [layer.norm for layer in self.weights.values()]
        return None if None in norms else math.hypot(*(norm for norm in norms if norm is not None))


class ControlApplied(_Event):
    """A command of the user took effect, or was refused for the reason `why`.

    Attributes:
        by: Who sent it; None in logs of earlier versions.
    """

    kind: Literal["control_applied"] = "control_applied"
    command: Text
    arm: Text | None = None
    key: Text | None = None
    value: float | int | None = None
    accepted: bool
    why: Text = ""
    epoch: int
    step: int
    by: Who | None = None


class Paused(_Event):
    """Training stands still after `step`.

    Attributes:
        by: Who asked for it; None in logs of earlier versions.
    """

    kind: Literal["paused"] = "paused"
    epoch: int
    step: int
    by: Who | None = None


class Resumed(_Event):
    """Training goes on.

    Attributes:
        by: Who asked for it; None in logs of earlier versions.
    """

    kind: Literal["resumed"] = "resumed"
    epoch: int
    step: int
    by: Who | None = None


class Interrupted(_Event):
    """The seam of a run that was interrupted and is resumed here, from the end of its last completed epoch.

    What the log had after that epoch's checkpoint is dropped, because it is trained again.

    Attributes:
        epoch: The epoch after which it goes on; 0 if it begins anew.
        step: The step after which it goes on.
        dropped: Lines of the log that were dropped: the beginning of an epoch that was never saved.
        undone: Changes of knobs among them, which no longer hold.
        arms: The arms that train on.
        epochs: The planned number of epochs from here on.
        device: What it trains on from here on.
        threads: Threads of each process from here on.
        extended: Whether it had ended and was given more epochs, instead of having been interrupted.
        tested: Whether it had been tested before, as one that was stopped is.
        differs: Why its numbers may differ from those of a run that was never interrupted, as another version of torch
            or another device; empty if they are the same.
        by: Who resumed it.
    """

    kind: Literal["interrupted"] = "interrupted"
    epoch: int
    step: int
    dropped: int = 0
    undone: int = 0
    arms: list[Text]
    epochs: int
    device: Text
    threads: int | None = None
    extended: bool = False
    tested: bool = False
    differs: Text = ""
    by: Who | None = None

    def words(self) -> str:
        """What happened, as a clause: 'resumed after epoch 7; 3 lines of the log after it were dropped'."""
        if self.extended:
            words = f"trained on after epoch {self.epoch}, up to epoch {self.epochs}"
        elif self.epoch:
            words = f"resumed after epoch {self.epoch}"
        else:
            words = "begun anew, as there was no checkpoint"
        words += ", having been tested before" if self.tested and not self.extended else ""
        where = "after it" if self.epoch else "before"
        if self.dropped and not self.extended:
            words += (
                f"; {counted(self.dropped, 'line')} of the log {where} {'were' if self.dropped > 1 else 'was'} dropped"
            )
        if self.undone:
            words += f"; {counted(self.undone, 'change')} made {where} undone"
        return words + (f"; its numbers may differ: {self.differs}" if self.differs else "")


class Suspended(_Event):
    """The whole program stood still, as after Ctrl-Z, for so many seconds before this event; arms wait meanwhile."""

    kind: Literal["suspended"] = "suspended"
    seconds: float


class Stalled(_Event):
    """A process has not answered for far longer than it usually takes; its arms train on as soon as it does.

    Attributes:
        arms: The arms that it trains.
        pid: The process number.
        seconds: How long it has not answered.
        stopped: Whether a signal has stopped it.
    """

    kind: Literal["stalled"] = "stalled"
    arms: list[Text]
    pid: int
    seconds: float
    stopped: bool = False

    def words(self) -> str:
        """A sentence on what happened, without the full stop."""
        process, seconds = process_of(self.arms, self.pid), f"has not answered for {self.seconds:.0f} s"
        if self.stopped:
            return f"{process} is stopped: kill -CONT {self.pid} lets it go on; it {seconds}"
        return f"{process} {seconds}"


def process_of(arms: Sequence[str], pid: int) -> str:
    """'the process that trains regularized (pid 123)'."""
    if not arms:  # before it got any arms
        return f"a process that is to train (pid {pid})"
    return f"the process that trains {' and '.join(arms)} (pid {pid})"


StopReason = Literal["max_epochs", "early_stopping", "stopped", "non_finite", "exploded"]
"""Why an arm has stopped."""
DIVERGED: frozenset[StopReason] = frozenset({"non_finite", "exploded"})
"""The reasons that mean divergence: a number is not finite, or the loss absurdly large."""


NotFinite = Literal["loss", "gradient", "weights", "squares", "epoch loss"]
"""What of an arm stopped being finite: the loss of a step, its gradient's norm, the sum of a tensor of weights after it
(or of running means and the like), that of the squares of gradients that Adam keeps, or the training loss that was
measured after an epoch."""


class ArmStopped(_Event):
    """An arm has stopped.

    Attributes:
        step: Its last step; of reason non_finite the one that broke it.
        not_finite: Of reason non_finite, what was not finite first; None in logs of earlier versions, which looked only
            at losses of steps, and of other reasons.
        best_epoch: The epoch with the lowest validation loss, which need not be the one whose weights are kept.
        best_val_loss: Its validation loss. In logs of earlier versions both are those of the last epoch that counted.
    """

    kind: Literal["arm_stopped"] = "arm_stopped"
    arm: Text
    reason: StopReason
    epoch: int
    step: int
    best_epoch: int | None
    best_val_loss: Number
    not_finite: NotFinite | None = None

    @property
    def diverged(self) -> bool:
        """Whether the arm diverged: a number is not finite, or its loss absurdly large."""
        return self.reason in DIVERGED

    @property
    def how_diverged(self) -> str:
        """How an arm that diverged did, as words after 'its': 'loss of step 13 is not finite'."""
        if self.reason == "exploded":
            return "training loss is far above that of guessing"
        return {
            "loss": f"training loss of step {self.step:,} is not finite",
            "gradient": f"gradient of step {self.step:,} has a norm that is not finite",
            "weights": f"weights after step {self.step:,} have a sum that is not finite",
            "squares": f"mean squares of gradients, which Adam divides by, are not finite after step {self.step:,}",
            "epoch loss": f"training loss of epoch {self.epoch} is not finite",
        }[self.not_finite or "loss"]


class ArmScore(BaseModel):
    """An arm on the test set, with the weights that it keeps.

    Attributes:
        kept: 'best' if the arm returned to the best epoch by early stopping's monitor, else 'last'.
        epoch: The epoch of the weights.
        metrics: The task's metrics, by name, the main one first.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kept: Literal["best", "last"]
    epoch: int
    loss: Number
    metrics: dict[Text, Number]

    @property
    def metric(self) -> float | None:
        """The main metric; None where it is not finite."""
        return next(iter(self.metrics.values()), None)


class Scored(_Event):
    """The test set was scored, once, after training.

    Attributes:
        arms: Each arm's score.
        comparisons: Each arm but the baseline, example by example against the baseline; without those that can't be
            compared because an error is not finite.
    """

    kind: Literal["scored"] = "scored"
    arms: dict[Text, ArmScore]
    comparisons: dict[Text, Comparison]


class Saving(_Event):
    """A part of the run can't be saved, or can be saved again; training goes on.

    Attributes:
        what: The part: events, weights, predictions, or summary; or the disk, if a run that has ended waits for it.
        saved: Whether it is completely on disk now.
        words: What happened, since when, and what to do.
    """

    kind: Literal["saving"] = "saving"
    what: Literal["log", "weights", "predictions", "summary", "disk"]
    saved: bool
    words: Text


class Unattachable(_Event):
    """Nobody can watch and steer this run from another process; training goes on.

    Attributes:
        words: Why.
    """

    kind: Literal["unattachable"] = "unattachable"
    words: Text


Status = Literal["finished", "stopped", "diverged", "failed"]


class RunFinished(_Event):
    """The run has ended. This event is the only proof that it has.

    Attributes:
        error: One sentence, if the run failed.
        train_seconds: Time of training and validation, without imports, loading of data, test and pauses.
    """

    kind: Literal["run_finished"] = "run_finished"
    status: Status
    error: Text = ""
    train_seconds: float = 0.0


Event = (
    RunStarted
    | StepsDone
    | EpochDone
    | ControlApplied
    | Paused
    | Resumed
    | Interrupted
    | Suspended
    | Stalled
    | ArmStopped
    | Scored
    | Saving
    | Unattachable
    | RunFinished
)

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def parse(line: str | bytes) -> Event:
    """An event from its line of JSON.

    Raises:
        pydantic.ValidationError: It is not an event known to this version.
    """
    mark = b"\xef\xbb\xbf"  # some editors put a byte order mark before a file's first line
    text = line.removeprefix(mark) if isinstance(line, bytes) else line
    if schema1.wrote(text):
        with suppress(ValueError):  # damaged; what is wrong with it is told below
            return _ADAPTER.validate_json(schema1.translate(text))
    return _ADAPTER.validate_json(text)
