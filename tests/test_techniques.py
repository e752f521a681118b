"""Each technique against its own formula, and the registry against what the house promises of every technique."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from regtui.arm.streams import stream
from regtui.errors import InputError
from regtui.models.mlp import MLP
from regtui.techniques import REGISTRY, Techniques
from regtui.techniques.base import Technique
from regtui.techniques.batch_norm import BatchNorm
from regtui.techniques.dropout import LEVELS, Dropout, mask
from regtui.techniques.l1 import L1, soft_threshold
from regtui.techniques.l2 import L2

ROOT = Path(__file__).parent.parent
SITES = MLP(hidden=[8, 6]).sites((12,))


def weights() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in ((5, 7), (3, 5))]


def test_the_gradient_of_l2_is_strength_times_the_weight() -> None:
    ws = weights()
    L2(strength=0.03).penalty(ws).backward()  # type: ignore[no-untyped-call]
    for w in ws:
        assert w.grad is not None
        torch.testing.assert_close(w.grad, 0.03 * w.detach())


def test_the_value_of_l2_is_half_its_strength_times_the_squared_norm() -> None:
    ws = weights()
    expected = 0.03 / 2 * sum(float(w.detach().double().square().sum()) for w in ws)
    assert float(L2(strength=0.03).penalty(ws).detach()) == pytest.approx(expected, rel=1e-6)


def test_the_gradient_of_l1_is_strength_times_the_sign() -> None:
    ws = weights()
    with torch.no_grad():
        ws[0][0, 0] = 0.0
    L1(strength=0.03, mode="loss").penalty(ws).backward()  # type: ignore[no-untyped-call]
    for w in ws:
        assert w.grad is not None
        torch.testing.assert_close(w.grad, 0.03 * w.detach().sign())


def test_the_soft_threshold_is_the_proximal_operator() -> None:
    w = torch.tensor([-2.0, -0.1, -0.05, 0.0, 0.1, 0.3])
    soft_threshold(w, 0.1)
    torch.testing.assert_close(w, torch.tensor([-1.9, 0.0, 0.0, 0.0, 0.0, 0.2]))
    assert int((w == 0).sum()) == 4


def test_proximal_l1_acts_after_the_step_and_loss_l1_in_the_loss() -> None:
    proximal, loss = L1(strength=0.5), L1(strength=0.5, mode="loss")
    assert not proximal.penalty_in_loss
    assert loss.penalty_in_loss
    for technique, changes in ((proximal, True), (loss, False)):
        ws = [w.detach().clone() for w in weights()]
        technique.after_step(ws, learning_rate=0.1)
        expected = [w.sign() * (w.abs() - 0.05).clamp(min=0) if changes else w for w in (w.detach() for w in weights())]
        for w, e in zip(ws, expected, strict=True):
            torch.testing.assert_close(w, e)


def test_dropout_keeps_the_mean_and_drops_its_share() -> None:
    factors = mask((400, 500), 0.3, stream(0, "masks"))
    assert factors is not None
    dropped = float((factors == 0).float().mean())
    # 200,000 draws: five standard errors are 0.005.
    assert dropped == pytest.approx(0.3, abs=5 * math.sqrt(0.3 * 0.7 / factors.numel()))
    assert sorted(set(factors.flatten().tolist())) == [0.0, pytest.approx(1 / 0.7, rel=1 / LEVELS)]


def test_dropout_of_nothing_is_nothing() -> None:
    assert mask((4, 5), 0.0, stream(0, "masks")) is None


def test_dropout_masks_come_from_their_stream_alone() -> None:
    def drawn(seed: int) -> Tensor:
        factors = mask((8, 64), 0.5, stream(seed, "masks"))
        assert factors is not None
        return factors

    first = drawn(1)
    torch.rand(1000)
    assert torch.equal(first, drawn(1))
    assert not torch.equal(first, drawn(2))


@pytest.mark.parametrize(
    ("technique", "layers"),
    [
        # The input too, even at rate 0: it may be raised while training.
        (Dropout(rate=0.5), [True, True, True]),
        (Dropout(rate=0.5, after=[2]), [True, False, True]),
        (Dropout(rate=0.5, after=[], input_rate=0.2), [True, False, False]),
        (L2(), [False, False, False]),
    ],
)
def test_noise_comes_after_the_chosen_layers(technique: Technique, layers: list[bool]) -> None:
    assert [technique.factor_at(site) is not None for site in SITES if site.kind != "before"] == layers


def test_batch_norm_standardizes_a_batch_and_starts_as_that_alone() -> None:
    norm = BatchNorm(eps=1e-5).layer_at(SITES[3])
    assert norm is not None
    x = torch.randn(64, 6, generator=torch.Generator().manual_seed(0)) * 3 + 5
    expected = (x - x.mean(0)) / torch.sqrt(x.var(0, unbiased=False) + 1e-5)
    torch.testing.assert_close(norm(x), expected, rtol=1e-4, atol=1e-5)
    assert isinstance(norm, nn.BatchNorm1d)


def test_a_live_knob_changes_what_was_contributed() -> None:
    dropout = Dropout(rate=0.9)
    noise = dropout.factor_at(SITES[2])
    assert noise is not None
    dropout.retune("rate", 0.0)
    assert noise((3, 4), stream(0, "masks")) is None


@pytest.mark.parametrize(
    ("technique", "knob", "value", "words"),
    [
        (Dropout(), "rate", 1.0, "rate = 1.0"),
        (Dropout(), "after", 1, "can't change while training"),
        (Dropout(), "speed", 1, "no knob 'speed'"),
        (BatchNorm(), "momentum", 0.5, "can't change while training"),
        (L2(), "strength", -1.0, "strength = -1.0"),
    ],
)
def test_a_knob_that_wont_do_is_refused_in_words(technique: Technique, knob: str, value: float, words: str) -> None:
    before = technique.model_copy()
    with pytest.raises(InputError, match=words):
        technique.retune(knob, value)
    assert technique == before


@pytest.mark.parametrize("name", REGISTRY)
def test_every_technique_has_what_the_house_promises(name: str) -> None:
    kind = REGISTRY[name]
    explanation = kind.explanation
    assert all(len(text) > 5 for text in explanation), "an explanation with a gap"
    assert kind().label(), "no label"
    assert kind.live.keys() <= kind.model_fields.keys(), "a live knob that is no field"
    for field in kind.model_fields.values():
        assert field.description, "a knob without a description"
    presets = [tomllib.loads(path.read_text()) for path in (ROOT / "presets").glob("*.toml")]
    assert any(name in preset.get("regularized", {}) for preset in presets), "no preset uses it"
    assert f"`{name}`" in (ROOT / "README.md").read_text(), "no line in the README"
    assert (ROOT / "regtui" / "techniques" / f"{name}.py").exists(), "not in a file of its own"


def test_the_label_of_an_arm_names_its_techniques() -> None:
    assert Techniques().label() == "no technique"
    assert Techniques(dropout=Dropout(rate=0.25), l1=L1(strength=0.001)).label() == "L1 0.001 + dropout 0.25"
