"""What techniques contribute to a step, alone and together: each in its place, from the arm's own stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import torch
from torch import Generator, Tensor
from torch.nn import functional

from regtui.arm.arm import Arm
from regtui.arm.split import normalize
from regtui.arm.streams import stream
from regtui.models import Site
from regtui.preset.model import Preset
from regtui.tasks import TASKS
from regtui.techniques import Techniques
from regtui.techniques.base import Explanation, Setting, Technique
from regtui.techniques.dropout import Dropout, mask
from regtui.techniques.label_smoothing import LabelSmoothing
from tests.conftest import small_preset
from tests.test_models import arm as build

if TYPE_CHECKING:
    from regtui.techniques.base import Criterion, Noise

NOTHING = Explanation("Double", "", "", "", "", "", "")


class Blur(Technique):
    """Adds Gaussian noise to the input and before activations."""

    explanation: ClassVar[Explanation] = NOTHING
    std: float = 0.5

    def label(self) -> str:
        return "blur"

    def addend_at(self, site: Site) -> Noise | None:
        if site.kind == "after":
            return None
        return lambda shape, generator: self.std * torch.randn(shape, generator=generator)


class Mix(Technique):
    """Every example is the mean of itself and another, and so is its target."""

    explanation: ClassVar[Explanation] = NOTHING

    def label(self) -> str:
        return "mix"

    def change_batch(self, inputs: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        other = torch.randperm(len(inputs), generator=generator)
        shares = functional.one_hot(targets, 10).float() if targets.ndim == 1 else targets
        return (inputs + inputs[other]) / 2, (shares + shares[other]) / 2


class Flip(Technique):
    """Turns images upside down; the targets stay."""

    explanation: ClassVar[Explanation] = NOTHING
    shapes: ClassVar[list[tuple[int, ...]]] = []

    def label(self) -> str:
        return "flip"

    def change_batch(self, inputs: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        del generator
        self.shapes.append(tuple(inputs.shape))
        return inputs.flip(2), targets


class Double(Technique):
    """Optimizes twice the loss, and a random number more."""

    explanation: ClassVar[Explanation] = NOTHING

    def label(self) -> str:
        return "double"

    def change_criterion(self, criterion: Criterion, generator: Generator) -> Criterion:
        def doubled(outputs: Tensor, targets: Tensor) -> Tensor:
            return 2 * criterion(outputs, targets) + torch.rand((), generator=generator)

        return doubled


class More(Techniques):
    """The techniques that there are, and the doubles."""

    blur: Blur | None = None
    flip: Flip | None = None
    mix: Mix | None = None
    double: Double | None = None


def with_doubles(techniques: More, **tables: dict[str, Any]) -> Preset:
    preset = small_preset(regularized={}, **tables)
    preset.__dict__["regularized"] = techniques  # as if the doubles were registered
    return preset


def arm(techniques: More | None = None, **tables: dict[str, Any]) -> Arm:
    return build(with_doubles(techniques or More(), **tables))


def first_batch(one: Arm) -> tuple[Tensor, Tensor]:
    rows = one._batches[0]
    return normalize(one.data.train_examples.read(rows)), one.data.train_targets[rows]


def gradients(one: Arm) -> list[Tensor]:
    return [p.grad for p in one.model.parameters() if p.grad is not None]


MODELS: list[dict[str, Any]] = [{}, {"kind": "linear"}, {"kind": "cnn", "channels": [4, 6], "hidden": [8]}]


# Noise that adds


def test_what_is_added_is_added_after_layers_and_factors_while_training_alone() -> None:
    one = arm(More(blur=Blur(), dropout=Dropout(rate=0.0, input_rate=0.5)), model={"hidden": []})
    one.model.train()
    x = torch.rand(6, 784)

    def own(purpose: str) -> Generator:
        return stream(one.preset.train.seed, f"regularized/{purpose}")

    dropped = mask((6, 784), 0.5, own("dropout/0"))
    assert dropped is not None
    noise = 0.5 * torch.randn(6, 784, generator=own("blur/0/addend"))
    expected = functional.linear(x * dropped + noise, *one.model.module.parameters())
    torch.testing.assert_close(one.model(x), expected)
    one.model.eval()
    torch.testing.assert_close(one.model(x), functional.linear(x, *one.model.module.parameters()))


def test_noise_is_drawn_anew_at_each_step_and_at_each_site_from_a_stream_of_its_own() -> None:
    one = arm(More(blur=Blur()))
    one.model.train()
    x = torch.rand(6, 784)
    assert not torch.equal(one.model(x), one.model(x))
    assert {name for name in one._own_streams if name.startswith("blur")} == {
        "blur/0/addend",
        "blur/before 1/addend",
        "blur/before 2/addend",
    }
    states = {name: generator.get_state() for name, generator in one._own_streams.items()}
    one.model.eval()
    one.model(x)
    assert all(torch.equal(state, one._own_streams[name].get_state()) for name, state in states.items())


# Another batch


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_step_is_made_on_the_changed_batch_with_shares_as_targets(model: dict[str, Any]) -> None:
    one = arm(More(mix=Mix()), model=model)
    one.start_epoch()
    x, y = first_batch(one)
    x, y = Mix().change_batch(x, y, stream(one.preset.train.seed, "regularized/mix/batch"))
    plain = arm(model=model)
    loss = functional.cross_entropy(plain.model(x), y)
    loss.backward()  # type: ignore[no-untyped-call]
    assert one.train_steps(1).losses == [pytest.approx(loss.item(), rel=1e-6)]
    for mine, theirs in zip(gradients(one), gradients(plain), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_images_are_given_as_images_whatever_the_network_takes() -> None:
    for model in MODELS:
        Flip.shapes.clear()
        one = arm(More(flip=Flip(), mix=Mix()), model=model)
        one.start_epoch()
        one.train_steps(1)
        assert Flip.shapes == [(32, 1, 28, 28)]
    one = arm(More(flip=Flip()))
    one.start_epoch()
    x, y = first_batch(one)
    expected = functional.cross_entropy(arm().model(x.view(-1, 28, 28).flip(1).reshape(-1, 784)), y)
    assert one.train_steps(1).losses == [pytest.approx(expected.item(), rel=1e-6)]


def test_what_is_measured_and_tested_is_never_changed() -> None:
    changed, plain = arm(More(flip=Flip(), mix=Mix(), double=Double(), blur=Blur())), arm()
    assert changed.measure()[:4] == plain.measure()[:4]
    assert changed.test({"regularized": False})[:2] == plain.test({"regularized": False})[:2]


# Another criterion


def test_label_smoothing_is_torch_s() -> None:
    outputs, targets = torch.randn(16, 10, requires_grad=True), torch.randint(0, 10, (16,))
    technique = LabelSmoothing(strength=0.3)
    criterion = technique.change_criterion(functional.cross_entropy, stream(0, "none"))
    for strength in (0.3, 0.0, 0.8):
        technique.retune("strength", strength)
        theirs = functional.cross_entropy(outputs, targets, label_smoothing=strength)
        mine = criterion(outputs, targets)
        torch.testing.assert_close(mine, theirs)
        (expected,), (found,) = (torch.autograd.grad(loss, outputs, retain_graph=True) for loss in (theirs, mine))
        torch.testing.assert_close(found, expected)
    shares = outputs.detach().softmax(1)
    torch.testing.assert_close(
        criterion(outputs, shares), functional.cross_entropy(outputs, shares, label_smoothing=0.8)
    )


def test_label_smoothing_needs_classes() -> None:
    values = Setting([], train_samples=10, batch_size=5, task=TASKS["regression"], outputs=1)
    assert list(LabelSmoothing().faults(values)) == [
        ("", "the targets are values, and there are no classes to spread them over")
    ]
    assert list(LabelSmoothing().faults(values._replace(task=TASKS["classification"], outputs=10))) == []


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_the_reported_loss_is_plain_and_the_optimized_one_is_not(model: dict[str, Any]) -> None:
    smoothed, plain = arm(More(label_smoothing=LabelSmoothing(strength=0.5)), model=model), arm(model=model)
    for one in (smoothed, plain):
        one.start_epoch()
    assert smoothed.train_steps(1) == plain.train_steps(1), "the first step's data loss knows nothing of it"
    assert any(not torch.equal(a, b) for a, b in zip(gradients(smoothed), gradients(plain), strict=True))
    assert smoothed.train_steps(1) != plain.train_steps(1)


def test_changes_of_the_criterion_compose_in_order_and_draw_from_their_own_streams() -> None:
    one = arm(More(label_smoothing=LabelSmoothing(strength=0.5), double=Double()))
    outputs, targets = torch.randn(8, 10), torch.randint(0, 10, (8,))
    more = torch.rand((), generator=stream(one.preset.train.seed, "regularized/double/criterion"))
    expected = 2 * functional.cross_entropy(outputs, targets, label_smoothing=0.5) + more
    torch.testing.assert_close(one._optimized(outputs, targets), expected)
    assert one._by_hand is None


# All together


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_everything_together_trains_and_the_seed_decides(model: dict[str, Any]) -> None:
    def made() -> More:
        norm: dict[str, Any] = {} if model.get("kind") == "linear" else {"batch_norm": {}}
        table = {"l1": {}, "l2": {}, "dropout": {"rate": 0.2, "input_rate": 0.1}, "label_smoothing": {}, **norm}
        doubles = {"blur": {"std": 0.1}, "flip": {}, "mix": {}, "double": {}}
        return More.model_validate({**table, **doubles, "early_stopping": {}})

    first, second = arm(made(), model=model), arm(made(), model=model)
    for one in (first, second):
        one.start_epoch()
    losses = first.train_steps(10).losses
    assert losses == second.train_steps(10).losses
    assert all(0 < loss < 20 for loss in losses)
    assert first.measure()[:6] == second.measure()[:6]
    assert len(set(first._own_streams)) == len(first._own_streams) > 4
    draws = {tuple(torch.rand(4, generator=generator).tolist()) for generator in first._own_streams.values()}
    assert len(draws) == len(first._own_streams), "no two streams are the same"
