"""Networks and their sites: what a model says of itself is what its network is, and two ways to a gradient are one."""

from __future__ import annotations

import copy
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from regtui.arm.arm import Arm
from regtui.arm.network import Network, as_images, as_vectors
from regtui.arm.split import Data, Fingerprint, Rows
from regtui.arm.streams import stream
from regtui.errors import InputError
from regtui.models import KINDS, Model, Shape, Site
from regtui.models.base import around, input_shape
from regtui.models.cnn import CNN
from regtui.models.fast import SMALL, Layers, apply_layers, learn_layers, linear, linear_layers
from regtui.models.layers import Linear, chain
from regtui.models.linear import LinearModel
from regtui.models.mlp import MLP
from regtui.preset.faults import PresetError
from regtui.preset.file import load
from regtui.preset.model import Preset
from regtui.preset.validation import validate
from regtui.techniques import Techniques
from regtui.techniques.batch_norm import BatchNorm
from regtui.techniques.dropout import Dropout
from tests.conftest import small_preset

CPU = torch.device("cpu")
MODELS: list[Model] = [
    MLP(),
    MLP(hidden=[]),
    MLP(hidden=[7, 5, 3], activation="tanh"),
    LinearModel(),
    CNN(),
    CNN(channels=[4], kernel=5, hidden=[], activation="gelu"),
    CNN(channels=[3, 4, 5], hidden=[9, 8]),
]
IMAGES: list[Shape] = [(28, 28), (32, 32, 3)]


def taken(model: Model, shape: Shape) -> Shape:
    return input_shape(shape, images=model.takes_images)


def built(model: Model, shape: Shape = (28, 28), seed: int = 0) -> nn.Module:
    return model.build(taken(model, shape), 10, stream(seed, "initial weights"))


def network(model: Model, **techniques: Any) -> Network:
    sites = model.sites(taken(model, (28, 28)))
    active = Techniques(**techniques).active()
    return Network(built(model), sites, active, lambda name: stream(0, name), CPU)


def pixels(shape: Shape, count: int = 6) -> Tensor:
    size = torch.Size(shape).numel()
    return torch.rand(count, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


# What a model says of its network


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("shape", IMAGES)
def test_the_sites_are_where_they_say_in_the_order_of_the_forward_pass(model: Model, shape: Shape) -> None:
    module, sites = built(model, shape), model.sites(taken(model, shape))
    seen: list[tuple[str, str, Shape]] = []
    module.register_forward_pre_hook(lambda _m, inputs: seen.append(("input", "", tuple(inputs[0].shape[1:]))))
    names = dict.fromkeys(site.module for site in sites if site.module)
    for name in names:

        def before(_m: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
            seen.append(("before", name, tuple(inputs[0].shape[1:])))

        def after(_m: nn.Module, _inputs: Any, output: Tensor, name: str = name) -> None:
            seen.append(("after", name, tuple(output.shape[1:])))

        module.get_submodule(name).register_forward_pre_hook(before)
        module.get_submodule(name).register_forward_hook(after)
    outputs = module(Network(module, sites, {}, lambda name: stream(0, name), CPU).shaped(pixels(shape)))
    assert outputs.shape == (6, 10)
    assert seen == [(site.kind, site.module, site.shape) for site in sites]
    assert [site.number for site in sites if site.kind == "after"] == list(range(1, len(names) + 1))
    activations = [name for name, part in module.named_children() if name.startswith("activation")]
    assert activations == list(names), "an activation without a site"


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("shape", IMAGES)
def test_the_parameters_are_counted_without_building(model: Model, shape: Shape) -> None:
    counted = sum(parameter.numel() for parameter in built(model, shape).parameters())
    assert model.parameters(taken(model, shape), 10) == counted


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_initial_weights_follow_from_the_seed_alone(model: Model) -> None:
    first = built(model).state_dict()
    torch.rand(100)
    again, other = built(model).state_dict(), built(model, seed=1).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert not any(torch.equal(tensor, other[name]) for name, tensor in first.items())
    for name, tensor in first.items():
        fan_in = first[f"{name.rpartition('.')[0]}.weight"][0].numel()
        assert tensor.abs().max() <= fan_in**-0.5, "PyTorch's own bound"


def test_a_network_in_words() -> None:
    assert MLP().words((784,), 10) == "784-256-128-10"
    assert MLP(hidden=[3], activation="tanh").words((784,), 10) == "784-3-10 tanh"
    assert LinearModel().words((784,), 10) == "784-10"
    assert CNN().words((1, 28, 28), 10) == "1×28×28 · conv 3×3 16, 32 · 128-10"


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_what_the_house_promises(name: str) -> None:
    kind = KINDS[name]
    assert Preset.model_validate({"model": {"kind": name}}).model == kind()
    assert all(field.description for field in kind.model_fields.values())
    root = Path(__file__).parent.parent
    assert (root / "regtui" / "models" / f"{name}.py").exists(), "not in a file of its own"
    assert f"| `{name}` |" in (root / "README.md").read_text(encoding="utf-8"), "no line in the README"


# Images


@pytest.mark.parametrize("shape", IMAGES)
def test_images_and_vectors_are_each_other_s_inverse(shape: Shape) -> None:
    x = pixels(shape)
    images = as_images(x, input_shape(shape, images=True))
    assert images.data_ptr() == x.data_ptr(), "no copy is made"
    assert torch.equal(as_vectors(images), x)
    height, width, channels = (*shape, 1)[:3]
    pixel = x.view(6, height, width, channels)
    for channel in range(channels):
        assert torch.equal(images[:, channel], pixel[..., channel])


# What is put at the sites


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_what_is_added_renames_nothing_and_changes_no_initial_weight(model: Model) -> None:
    plain = network(model).state_dict()
    techniques = {"dropout": Dropout(input_rate=0.2), "batch_norm": BatchNorm()}
    full = network(model, **techniques)
    state = full.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in plain.items())
    added = state.keys() - plain.keys()
    assert all(name.startswith("batch_norm@") for name in added)
    activations = sum(site.kind == "before" for site in model.sites(taken(model, (28, 28))))
    assert len(added) == 5 * activations
    assert full.weights().keys() == network(model).weights().keys(), "no norm among the weights"
    assert all(weight.dim() >= 2 for weight in full.weights().values())


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_state_is_taken_over_whole(model: Model) -> None:
    one = network(model, batch_norm=BatchNorm())
    one.train()
    one(pixels((28, 28)))
    other = network(model, batch_norm=BatchNorm())
    other.load_state_dict({name: tensor.clone() for name, tensor in one.state_dict().items()})
    for net in (one, other):
        net.eval()
    assert torch.equal(one(pixels((28, 28))), other(pixels((28, 28))))


def test_layers_come_first_then_factors_and_evaluation_has_no_noise() -> None:
    model = MLP(hidden=[8], activation="relu")
    net = network(model, dropout=Dropout(rate=0.5, input_rate=0.5), batch_norm=BatchNorm())
    module, x = copy.deepcopy(net.module), pixels((28, 28))
    for part in module.modules():
        part._forward_hooks.clear()
        part._forward_pre_hooks.clear()
    norm = nn.BatchNorm1d(8)
    net.train()
    masks = [Dropout(rate=0.5).factor_at(site) for site in model.sites((784,)) if site.kind != "before"]
    at_input, after = (
        mask((6, n), stream(0, f"dropout/{i}")) for i, (mask, n) in enumerate(zip(masks, (784, 8), strict=True)) if mask
    )
    del at_input  # at rate 0, the default here
    from regtui.techniques.dropout import mask

    dropped = mask((6, 784), 0.5, stream(0, "dropout/0"))
    assert dropped is not None
    assert after is not None
    hidden, output = module.get_submodule("hidden1"), module.get_submodule("output")
    assert torch.equal(net(x), output(norm(hidden(x * dropped)).relu() * after))
    net.eval()
    norm.eval()
    assert torch.equal(net(x), output(norm(hidden(x)).relu()))


def test_dropout_hides_whole_maps_of_a_convolution_and_single_units_and_pixels_elsewhere() -> None:
    net = network(CNN(channels=[8]), dropout=Dropout(rate=0.5, input_rate=0.5))
    net.train()
    first, *_ = net.factors(6)
    assert first is not None
    assert first.shape == (6, 1, 28, 28)
    by_site = {place.site.name: place.factor(6) for place in net.places if place.site.kind == "after"}
    conv, hidden = by_site["conv1"], by_site["hidden1"]
    assert conv is not None
    assert hidden is not None
    assert conv.shape == (6, 8, 1, 1)
    assert set(conv.flatten().tolist()) == {0.0, 2.0}
    assert hidden.shape == (6, 128)
    net.eval()
    assert [place.factor(6) for place in net.places] == [None] * len(net.places)


def test_batch_norm_is_of_the_site_s_own_dimensions() -> None:
    net = network(CNN(), batch_norm=BatchNorm())
    kinds = {place.site.name: type(layer) for place in net.places for layer in place.layers.values()}
    assert kinds == {"conv1": nn.BatchNorm2d, "conv2": nn.BatchNorm2d, "hidden1": nn.BatchNorm1d}


# A stranger's module


class Wide(nn.Module):
    """Not a chain: two branches with activations of their own, and attributes that bear a technique's name."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batch_norm = nn.Conv2d(channels, 4, 3, padding=1)
        self.act = nn.SiLU()
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(4 * 28 * 28, 12), nn.ReLU(), nn.Linear(12, 10))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.act(self.batch_norm(x)))
        return result


class Stranger(Model):
    """A model as somebody else would bring it along."""

    kind: Literal["stranger"] = "stranger"
    takes_images: ClassVar[bool] = True

    def words(self, shape: Shape, outputs: int) -> str:  # noqa: ARG002
        return "somebody's own"

    def sites(self, shape: Shape) -> list[Site]:
        return around([("stem", (4, 28, 28), "act"), ("head", (12,), "head.2")], shape)

    def parameters(self, shape: Shape, outputs: int) -> int:  # noqa: ARG002
        return 1

    def build(self, shape: Shape, outputs: int, generator: Generator) -> nn.Module:  # noqa: ARG002
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(generator.initial_seed())
            return Wide(shape[0])


def arm(preset: Preset, name: str = "regularized") -> Arm:
    generator = torch.Generator().manual_seed(0)
    rows = Rows.all(torch.randint(0, 256, (320, 784), generator=generator, dtype=torch.uint8))
    labels = torch.randint(0, 10, (320,), generator=generator)
    data = Data(Fingerprint("", {}), rows, labels, rows, labels, rows, labels)
    return Arm(name, preset, data, CPU)


def test_any_module_trains_with_any_technique_and_starts_as_the_baseline_does() -> None:
    techniques = {
        "dropout": {"input_rate": 0.1}, "batch_norm": {}, "l1": {}, "l2": {}, "early_stopping": {},
    }  # fmt: skip
    preset = small_preset(regularized=techniques)
    preset.__dict__["model"] = Stranger()  # as if it were registered
    regularized, baseline = arm(preset), arm(preset, "baseline")
    theirs, ours = baseline.built().tensors, regularized.built().tensors
    assert {name: ours[name] for name in theirs} == theirs
    assert len(ours) == len(theirs) + 10
    regularized.start_epoch()
    before = {name: weight.clone() for name, weight in regularized.model.weights().items()}
    assert list(before) == ["batch_norm", "head.1", "head.3"]
    losses = regularized.train_steps(10).losses
    assert len(losses) == 10
    measured = regularized.measure()
    assert measured.weights.keys() == before.keys()
    assert all(not torch.equal(before[name], weight) for name, weight in regularized.model.weights().items())


# Two ways to a gradient


@pytest.mark.parametrize("model", [MLP(), MLP(hidden=[30]), MLP(hidden=[]), LinearModel()], ids=repr)
@pytest.mark.parametrize(
    "techniques", [{}, {"dropout": {"input_rate": 0.2}}, {"l1": {}, "l2": {}, "early_stopping": {}}], ids=str
)
def test_the_gradient_by_hand_is_autograd_s_to_the_last_bit(model: Model, techniques: dict[str, Any]) -> None:
    preset = small_preset(model=model.model_dump(), regularized=techniques)
    by_hand, autograd = arm(preset), arm(preset)
    assert by_hand._by_hand is not None
    autograd._by_hand = None
    for one in (by_hand, autograd):
        one.start_epoch()
    assert by_hand.train_steps(10) == autograd.train_steps(10)
    other = autograd.model.state_dict()
    assert all(torch.equal(tensor, other[name]) for name, tensor in by_hand.model.state_dict().items())
    assert by_hand.measure()[:4] == autograd.measure()[:4]


@pytest.mark.parametrize(
    ("model", "techniques"),
    [
        ({"activation": "tanh"}, {}),
        ({"kind": "cnn"}, {}),
        ({}, {"batch_norm": {}}),
    ],
    ids=str,
)
def test_what_the_gradient_by_hand_is_not_written_for_takes_autograd(
    model: dict[str, Any], techniques: dict[str, Any]
) -> None:
    assert arm(small_preset(model=model, regularized=techniques))._by_hand is None


@pytest.mark.parametrize("widths", [(40, 10), (40, 30, 10), (784, 256, 128, 10)])
@pytest.mark.parametrize("dropped", [False, True])
def test_learning_without_a_graph_sets_the_gradients_of_a_graph(widths: tuple[int, ...], dropped: bool) -> None:
    modules = [Linear(n, m) for n, m in pairwise(widths)]
    layers = Layers.of(modules)
    parameters = layers.weights + layers.biases
    x, labels = torch.randn(64, widths[0]), torch.randint(0, 10, (64,))
    factors = [2 * torch.rand(64, width).round() if dropped else None for width in widths[1:-1]]
    value = x
    for module, factor in zip(modules, factors, strict=False):
        value = module(value).relu()
        value = value if factor is None else value * factor
    loss = functional.cross_entropy(modules[-1](value), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    expected = [p.grad for p in parameters]
    mine = learn_layers(layers, x, factors, labels)
    assert torch.equal(mine, loss)
    assert not mine.requires_grad
    for p, gradient in zip(parameters, expected, strict=True):
        assert p.grad is not None
        assert gradient is not None
        assert torch.equal(p.grad, gradient)
        assert p.grad.shape == p.shape


@pytest.mark.parametrize(("batch", "n", "m"), [(4, 5, 3), (64, 784, 256), (64, 256, 64)])
def test_a_linear_layer_and_its_gradients_are_torch_s(batch: int, n: int, m: int) -> None:
    ours = Linear(n, m)
    x, theirs = torch.randn(batch, n), copy.deepcopy(ours)
    assert (batch * n * m >= SMALL) == (n > 5), "products of both sizes"
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    mine, reference = ours(inputs[0]), functional.linear(inputs[1], theirs.weight, theirs.bias)
    torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-4)
    for y in (mine, reference):
        (y - 1).square().sum().backward()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-3, atol=1e-3)
    with torch.no_grad():
        assert torch.equal(linear(x, ours.weight, ours.bias), mine), "evaluation computes the same"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_weights_that_are_not_finite_give_what_torch_makes_of_them(value: float, layer: int) -> None:
    ours = [Linear(n, m) for n, m in pairwise((784, 256, 256, 10))]
    with torch.no_grad():
        ours[layer].weight[0, 0] = value
    x, labels = torch.rand(64, 784), torch.zeros(64, dtype=torch.int64)
    theirs = [functional.linear(x, ours[0].weight, ours[0].bias).relu()]
    for one in ours[1:]:
        theirs.append(functional.linear(theirs[-1], one.weight, one.bias))
        theirs[-1] = theirs[-1].relu() if one is not ours[-1] else theirs[-1]
    reference = functional.cross_entropy(theirs[-1], labels)
    mine = learn_layers(Layers.of(ours), x, [None, None], labels)
    assert torch.equal(mine.isfinite(), reference.isfinite())
    assert torch.equal(mine.isnan(), reference.isnan())


@pytest.mark.parametrize("widths", [(40, 10), (40, 30, 10), (784, 256, 128, 10)])
@pytest.mark.parametrize("batch", [1, 64, 256])
def test_layers_are_applied_to_the_last_bit_as_the_modules_are(widths: tuple[int, ...], batch: int) -> None:
    modules = [Linear(n, m) for n, m in pairwise(widths)]
    x = torch.randn(batch, widths[0])
    before = x.clone()
    with torch.no_grad():
        expected = x
        for module in modules[:-1]:
            expected = module(expected).relu()
        expected = modules[-1](expected)
    assert torch.equal(apply_layers(Layers.of(modules), x), expected)
    assert torch.equal(x, before)


def test_only_linear_layers_with_relu_between_are_learned_by_hand() -> None:
    def made(*layers: nn.Module) -> nn.Module:
        return chain([(f"part{i}", layer) for i, layer in enumerate(layers)], torch.Generator())

    assert linear_layers(made(Linear(3, 2))) is not None
    assert linear_layers(made(Linear(3, 2), nn.ReLU(), Linear(2, 2))) is not None
    for other in (
        made(),
        made(nn.ReLU()),
        made(Linear(3, 2), nn.ReLU()),
        made(Linear(3, 2), Linear(2, 2)),
        made(Linear(3, 2), nn.Tanh(), Linear(2, 2)),
        made(nn.ReLU(), Linear(3, 2), nn.ReLU()),
        made(Linear(3, 2), nn.ReLU(), nn.Linear(2, 2, bias=False)),
        made(nn.Flatten(), Linear(3, 2)),
        Wide(1),
    ):
        assert linear_layers(other) is None


def test_a_rate_that_drops_from_nothing_is_refused_while_training() -> None:
    one = arm(small_preset(regularized={"dropout": {"after": [], "input_rate": 0.2}}))
    with pytest.raises(InputError, match="rate changes nothing here: after is empty"):
        one.retune("dropout.rate", 0.4)
    one.retune("dropout.input_rate", 0.4)
    flat = arm(small_preset(model={"kind": "mlp", "hidden": []}, regularized={"dropout": {"input_rate": 0.2}}))
    with pytest.raises(InputError, match="rate changes nothing here: the network has no activation"):
        flat.retune("dropout.rate", 0.4)


# Bad input


@pytest.mark.parametrize(
    ("tables", "fault"),
    [
        ({"model": 3}, "model: must be a table, not 3"),
        ({"model": {"kind": "mpl"}}, "model.kind: must be 'mlp', 'linear' or 'cnn', not 'mpl'; did you mean 'mlp'?"),
        ({"model": {"kind": 3}}, "model.kind: must be 'mlp', 'linear' or 'cnn', not 3"),
        ({"model": {"kind": ["cnn"]}}, "model.kind: must be 'mlp', 'linear' or 'cnn', not ['cnn']"),
        (
            {"model": {"kind": "linear", "hidden": [8]}},
            "model.hidden: is not known here; linear has kind; hidden is of mlp and cnn",
        ),
        (
            {"model": {"channels": [8]}},
            "model.channels: is not known here; mlp has kind, hidden, activation; channels is of cnn",
        ),
        (
            {"model": {"kind": "mlp", "kernal": 5}},
            "model.kernal: is not known here; mlp has kind, hidden, activation; kernel is of cnn",
        ),
        ({"model": {"kind": "cnn", "chanels": [8]}}, "model.chanels: is not known here; did you mean 'channels'?"),
        ({"model": {"kind": "cnn", "hidden": [8, 0]}}, "model.hidden.1: must be at least 1, not 0"),
        ({"model": {"kind": "cnn", "channels": []}}, "model.channels: must have 1 or more entries, not []"),
        ({"model": {"kind": "cnn", "channels": [1025]}}, "model.channels.0: must be at most 1,024, not 1025"),
        ({"model": {"kind": "cnn", "channels": [2] * 5}}, "model.channels: 5 convolutions halve 28×28 pixels to none"),
        ({"model": {"kind": "cnn", "kernel": 4}}, "model.kernel: must be an odd number"),
        (
            {"model": {"activation": "rellu"}},
            "model.activation: must be 'relu', 'leaky_relu', 'gelu', 'silu' or 'tanh'",
        ),
        (
            {"model": {"kind": "cnn"}, "regularized": {"dropout": {"after": [7]}}},
            "regularized.dropout.after: there is no activation 7; this network has 3",
        ),
        (
            {"model": {"kind": "linear"}, "regularized": {"dropout": {"after": [1]}}},
            "regularized.dropout.after: there is no activation 1; this network has none",
        ),
        (
            {"model": {"kind": "linear"}, "regularized": {"batch_norm": {}}},
            "regularized.batch_norm: the network has no activation, so there is no layer to normalize",
        ),
    ],
)
def test_a_model_that_won_t_do_is_one_sentence_with_its_key(tables: dict[str, Any], fault: str) -> None:
    with pytest.raises(PresetError) as caught:
        validate(tables, "here")
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"here: {fault}")
    assert PresetError.exit_code == 2


def test_a_fault_of_a_model_names_where_its_value_comes_from() -> None:
    for override in ("model.kind=mpl", "model.kind=[]", "model.channels=[4]", "model.hidden=[0]", "model.activation=x"):
        with pytest.raises(PresetError, match=f"^--set {re.escape(override)}: model"):
            load("dropout", [override])
