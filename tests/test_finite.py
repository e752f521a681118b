"""What is not finite ends its arm in the step that broke it, also where no loss shows it, and nobody else notices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from regtui.arm.arm import Arm
from regtui.arm.reports import Trained
from regtui.arm.split import Data, load
from regtui.engine.crew import LocalCrew
from regtui.engine.run import RunResult, run
from regtui.epochs import table_lines
from regtui.models import fast
from regtui.preset.model import Preset
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import ArmStopped, EpochDone, Event, StepsDone
from regtui.protocol.history import History
from regtui.runs.checkpoint import read_manifest
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew

STEPS = 10  # of the small preset, in an epoch
CPU = torch.device("cpu")
Break = Callable[[Arm], object]


def hidden_bias(arm: Arm) -> None:
    """Behind a ReLU, which makes 0 of it: the loss stays finite."""
    arm.model.state_dict()["hidden1.bias"][0] = -math.inf


def a_weight(arm: Arm) -> None:
    arm.model.state_dict()["hidden1.weight"][0, 0] = math.nan


def hidden_weight(arm: Arm) -> None:
    """Of a pixel that is black in all images: its unit puts out minus infinity, of which a ReLU makes 0."""
    arm.model.state_dict()["hidden1.weight"][0, 0] = math.inf


def square(arm: Arm) -> None:
    """Of gradients, which Adam divides by: this weight does not move any more."""
    arm.optimizer.squares[0][0, 0] = math.inf


def running_variance(arm: Arm) -> None:
    """Used in evaluation mode only: no loss of a step shows it."""
    next(t for name, t in arm.model.state_dict().items() if name.endswith("running_var"))[0] = math.inf


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int, Break], None]:
    """Lets an arm be broken by a step of the run."""
    genuine = Arm._follow_gradient

    def at(name: str, step: int, broken: Break) -> None:
        def made(arm: Arm) -> list[Tensor]:
            told = genuine(arm)
            if (arm.name, arm._steps) == (name, step):
                with torch.no_grad():
                    broken(arm)
            return told

        monkeypatch.setattr(Arm, "_follow_gradient", made)

    return at


@lru_cache
def the_data(mnist_file: Path) -> Data:
    return load(mnist_file, small_preset().data, 0, CPU)


def arm_of(preset: Preset, mnist_file: Path) -> Arm:
    made = Arm("regularized", preset, the_data(mnist_file), CPU)
    made.start_epoch()
    return made


def told(arm: Arm, counts: Sequence[int]) -> tuple[list[float], str | None]:
    """What the arm says of its steps, asked for in groups of these sizes."""
    losses: list[float] = []
    for count in counts:
        made = arm.train_steps(count)
        losses += made.losses
        if made.not_finite is not None:
            return losses, made.not_finite
    return losses, None


# One arm


@pytest.mark.parametrize("counts", [[10], [1] * 10, [8, 2]], ids=str)
@pytest.mark.parametrize("step", [5, 10])
@pytest.mark.parametrize(
    ("techniques", "broken"),
    [
        ({}, hidden_bias),
        ({}, a_weight),
        ({"dropout": {}}, hidden_bias),
        ({"l1": {}, "label_smoothing": {}}, hidden_bias),
        ({"batch_norm": {}}, running_variance),
    ],
    ids=["by hand", "weight", "dropout", "autograd", "batch norm"],
)
def test_weights_that_are_not_finite_end_the_arm_in_the_step_that_broke_them(
    mnist_file: Path,
    breaks: Callable[[str, int, Break], None],
    techniques: dict[str, Any],
    broken: Break,
    step: int,
    counts: list[int],
) -> None:
    preset = small_preset(regularized=techniques)
    sound = told(arm_of(preset, mnist_file), [10])[0]
    breaks("regularized", step, broken)
    arm = arm_of(preset, mnist_file)
    losses, what = told(arm, counts)
    assert (losses, what) == (sound[:step], "weights"), "whatever the steps were asked for together"
    assert arm.train_steps(5) == ([], "weights"), "it makes no step any more"


def test_the_best_weights_stay_those_of_before(mnist_file: Path, breaks: Callable[[str, int, Break], None]) -> None:
    breaks("regularized", 7, hidden_bias)
    arm = arm_of(small_preset(), mnist_file)
    arm.train_steps(5)
    arm.remember(1)
    kept = {name: tensor.clone() for name, tensor in arm.model.state_dict().items()}
    arm.train_steps(5)
    arm.remember(2)
    assert arm._best is not None
    assert arm._best.epoch == 1
    assert all(torch.equal(tensor, kept[name]) for name, tensor in arm._best.weights.items())


@pytest.mark.parametrize("count", [10, 1])
@pytest.mark.parametrize(
    ("gradient", "what"),
    [
        (math.inf, "gradient"),  # clipped: inf / inf
        (math.nan, "gradient"),
        (1e30, "gradient"),  # finite, but its norm is not: it would be clipped to 0, and the arm stand still
    ],
)
def test_a_gradient_that_cannot_be_clipped_ends_the_arm(
    monkeypatch: pytest.MonkeyPatch, mnist_file: Path, gradient: float, what: str, count: int
) -> None:
    genuine = fast.learn_layers

    def learn(layers: Any, *rest: Any) -> Tensor:
        loss = genuine(layers, *rest)
        if arm._steps == 3:  # three are done
            layers.biases[0].grad[0] = gradient
        return loss

    monkeypatch.setattr("regtui.arm.arm.learn_layers", learn)
    arm = arm_of(small_preset(train={"clip_norm": 1.0}), mnist_file)
    losses, found = told(arm, [count] * 10)
    assert (len(losses), found) == (4, what)


@pytest.mark.parametrize(
    ("optimizer", "gradient"), [("adam", math.inf), ("adamw", -math.inf), ("sgd", math.inf), ("adam", math.nan)]
)
def test_a_gradient_that_is_not_finite_breaks_the_weights_of_its_step(
    monkeypatch: pytest.MonkeyPatch, mnist_file: Path, optimizer: str, gradient: float
) -> None:
    genuine = fast.learn_layers

    def learn(layers: Any, *rest: Any) -> Tensor:
        loss = genuine(layers, *rest)
        if arm._steps == 3:
            layers.weights[0].grad[0, 0] = gradient
        return loss

    monkeypatch.setattr("regtui.arm.arm.learn_layers", learn)
    arm = arm_of(small_preset(train={"optimizer": optimizer}), mnist_file)
    losses, found = told(arm, [10])
    assert (len(losses), found) == (4, "weights")


def test_steps_that_break_nothing_when_made_again_are_told_as_they_were(
    monkeypatch: pytest.MonkeyPatch, mnist_file: Path
) -> None:
    """As on a GPU, where sums may come out in another order."""
    genuine, calls = Arm._follow_gradient, []

    def once(arm: Arm) -> list[Tensor]:
        calls.append(arm)
        made = genuine(arm)
        if len(calls) == 4:
            running_variance(arm)
        return made

    monkeypatch.setattr(Arm, "_follow_gradient", once)
    losses, what = told(arm_of(small_preset(regularized={"batch_norm": {}}), mnist_file), [10])
    assert (len(losses), what) == (10, "weights"), "after step 10 they are not finite either"


LARGE: dict[str, Any] = {"hidden": [512, 16]}
"""784 * 512 weights are looked at through what the layer puts out, if few steps are asked for."""


@pytest.mark.parametrize("counts", [[1] * 10, [8, 2], [4, 1, 5], [1, 9]], ids=str)
@pytest.mark.parametrize("step", [1, 5, 10])
@pytest.mark.parametrize(
    ("techniques", "broken"),
    [
        ({"dropout": {"input_rate": 0.5}}, hidden_weight),
        ({"label_smoothing": {}}, hidden_weight),
        ({"batch_norm": {}}, running_variance),
    ],
    ids=["by hand", "autograd", "batch norm"],
)
def test_so_they_do_in_a_large_layer_though_its_weights_are_not_read_after_each_step(
    mnist_file: Path,
    breaks: Callable[[str, int, Break], None],
    techniques: dict[str, Any],
    broken: Break,
    step: int,
    counts: list[int],
) -> None:
    preset = small_preset(model=LARGE, regularized=techniques)
    breaks("regularized", step, broken)
    arm = arm_of(preset, mnist_file)
    assert len(arm._large) == 1
    losses, what = told(arm, counts)
    assert (len(losses), what) == (step, "weights"), "whatever the steps were asked for together"
    assert all(map(math.isfinite, losses))
    assert arm.train_steps(5) == ([], "weights"), "it makes no step any more"


@pytest.mark.parametrize("step", [3, 4])
def test_a_stop_in_the_middle_of_an_epoch_does_not_hide_what_its_last_step_broke(
    mnist_file: Path, breaks: Callable[[str, int, Break], None], step: int
) -> None:
    breaks("regularized", step, hidden_weight)
    arm = arm_of(small_preset(model=LARGE), mnist_file)
    made = arm.train_steps(4)
    assert (len(made.losses), made.not_finite) == (step, "weights" if step == 3 else None)
    assert arm.train_steps(0) == ([], "weights")


def test_what_a_large_layer_puts_out_may_overflow_while_its_weights_are_finite(
    mnist_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = Arm._find_gradient

    def overflow(arm: Arm, batch: Tensor) -> Tensor:
        loss = genuine(arm, batch)
        arm._put_out.append(torch.tensor(math.inf))
        return loss

    sound = told(arm_of(small_preset(model=LARGE), mnist_file), [1] * 8)
    monkeypatch.setattr(Arm, "_find_gradient", overflow)
    assert told(arm_of(small_preset(model=LARGE), mnist_file), [1] * 8) == sound


@pytest.mark.parametrize("counts", [[10], [8, 2]], ids=str)
def test_squares_of_gradients_that_overflow_end_the_arm_in_the_epoch(
    mnist_file: Path, breaks: Callable[[str, int, Break], None], counts: list[int]
) -> None:
    breaks("regularized", 5, square)
    losses, what = told(arm_of(small_preset(), mnist_file), counts)
    assert (len(losses), what) == (5 if counts == [10] else 10, "squares")


# A run


class Late(ScriptedCrew):
    """The arms find only afterwards that the last step has broken one of them."""

    def __init__(self, *late: int) -> None:
        super().__init__({"baseline": [1.0, 0.9], "regularized": [1.0, 0.9]})
        self.asked: list[int] = []
        self.late = late

    def _train_steps(self, arm: str, count: int) -> Trained:
        if arm == "regularized":
            self.asked.append(count)
            if len(self.asked) in self.late or count == 0:
                return Trained([], "weights")
        return super()._train_steps(arm, count)


def test_what_is_found_after_a_step_was_told_names_that_step(tmp_path: Path) -> None:
    crew = Late(2)
    result = run(small_preset(train={"epochs": 2}), tmp_path, Control(), lambda _: None, crew)
    broken = result.history.arms["regularized"]
    assert broken.stopped is not None
    assert (broken.stopped.reason, broken.stopped.epoch) == ("non_finite", 1)
    assert broken.stopped.step == crew.asked[0] == len(broken.step_losses)
    assert len(result.history.arms["baseline"].epochs) == 2


def test_a_run_that_is_stopped_inside_an_epoch_asks_what_its_last_step_has_broken(tmp_path: Path) -> None:
    control, crew = Control(), Late()

    def stop(event: Event) -> None:
        if isinstance(event, StepsDone):
            control.send(Stop())

    result = run(small_preset(), tmp_path, control, stop, crew)
    broken = result.history.arms["regularized"]
    assert crew.asked[-1] == 0
    assert broken.stopped is not None
    assert (broken.stopped.reason, broken.stopped.step) == ("non_finite", len(broken.step_losses))
    assert not broken.epochs, "and it is not measured"


@pytest.fixture
def three(tmp_path: Path) -> Callable[[], RunResult]:
    preset = small_preset(arms={"a": {"dropout": {}}, "b": {"batch_norm": {}}}, train={"epochs": 3})
    return lambda: run(preset, tmp_path, Control(), lambda _: None, LocalCrew())


def of(history: Sequence[Event], arm: str) -> list[dict[str, Any]]:
    """What the log says of an arm but times, its steps one by one."""
    events = [e for e in history if getattr(e, "arm", None) == arm]
    steps = [loss for e in events if isinstance(e, StepsDone) for loss in e.losses]
    rest = [e.model_dump(exclude={"t", "seconds"}) for e in events if not isinstance(e, StepsDone)]
    return [{"steps": steps}, *rest]


@pytest.mark.parametrize(
    ("arm", "step", "broken"),
    [("a", 15, hidden_bias), ("b", 20, running_variance), ("baseline", 20, a_weight), ("a", 10, hidden_bias)],
)
def test_one_arm_ends_and_the_others_are_the_same_to_the_last_bit(
    three: Callable[[], RunResult], breaks: Callable[[str, int, Break], None], arm: str, step: int, broken: Break
) -> None:
    from regtui.runs.events import read_events

    sound = list(read_events(three().folder))
    breaks(arm, step, broken)
    result = three()
    events = list(read_events(result.folder))
    epoch, whole = -(-step // STEPS), (step - 1) // STEPS
    for other in {"baseline", "a", "b"} - {arm}:
        assert of(events, other) == of(sound, other)
    stopped = next(e for e in events if isinstance(e, ArmStopped) and e.arm == arm)
    assert (stopped.reason, stopped.not_finite, stopped.epoch, stopped.step) == ("non_finite", "weights", epoch, step)
    mine = History.of(events).arms[arm]
    assert len(mine.step_losses) == step
    assert [e.epoch for e in events if isinstance(e, EpochDone) and e.arm == arm] == [*range(1, whole + 1)]
    assert result.summary.status == "diverged"
    lines = table_lines(stopped, History.of(events), None, 100)
    assert f"diverged: the weights after step {step} have a sum that is not finite" in " ".join(lines)

    manifest = read_manifest(result.folder / "checkpoint")
    assert manifest is not None
    if whole:
        files = manifest.arms[arm]
        assert files.best is not None
        assert files.best_epoch == stopped.best_epoch == mine.best.epoch if mine.best else None
        best = load_file(result.folder / "checkpoint" / files.best)
        assert all(tensor.isfinite().all() for tensor in best.values() if tensor.is_floating_point())


def test_an_absurd_learning_rate_ends_its_arms_also_where_l1_multiplies_it(tmp_path: Path) -> None:
    """The threshold of the proximal step is a product that no 32-bit number can hold."""
    preset = small_preset(train={"learning_rate": 1e300}, regularized={"l1": {}})
    result = run(preset, tmp_path, Control(), lambda _: None, LocalCrew())
    assert (result.summary.status, result.summary.error) == ("diverged", "")
    assert {arm.stop_reason for arm in result.summary.arms.values()} == {"non_finite"}
