"""What the explanation of L1 says of its two modes under each optimizer, on real training steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from regtui.arm.arm import Arm
from regtui.arm.split import load
from regtui.techniques.l1 import L1, soft_threshold
from tests.conftest import small_preset

RATE, STRENGTH = 0.01, 0.15
OPTIMIZERS = ("sgd", "adam", "adamw")


def arm(mnist_file: Path, optimizer: str, l1: dict[str, Any] | None, decay: float = 0.0) -> Arm:
    preset = small_preset(
        train={"optimizer": optimizer, "learning_rate": RATE, "weight_decay": decay},
        regularized={} if l1 is None else {"l1": l1},
    )
    return Arm("regularized", preset, load(mnist_file, preset.data, 0, torch.device("cpu")),
               torch.device("cpu"))  # fmt: skip


def weights_after(trained: Arm, steps: int = 1) -> list[Tensor]:
    trained.start_epoch()
    trained.train_steps(steps)
    return [weight.detach().clone() for weight in trained.model.weights().values()]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_the_proximal_threshold_is_the_learning_rate_times_the_strength(
    mnist_file: Path, optimizer: str, decay: float
) -> None:
    expected = weights_after(arm(mnist_file, optimizer, None, decay))
    for weight in expected:
        soft_threshold(weight, RATE * STRENGTH)
    for weight, other in zip(
        weights_after(arm(mnist_file, optimizer, {"strength": STRENGTH}, decay)), expected, strict=True
    ):
        assert torch.equal(weight, other)
    assert any((weight == 0).any() for weight in expected)


def pull(mnist_file: Path, optimizer: str, mode: str) -> Tensor:
    """How far L1 alone moved each weight towards zero in the first step, of those that stay clear of it."""
    start = [weight.detach().clone() for weight in arm(mnist_file, optimizer, None).model.weights().values()]
    without = weights_after(arm(mnist_file, optimizer, None))
    with_l1 = weights_after(arm(mnist_file, optimizer, {"strength": STRENGTH, "mode": mode}))
    moves = [((a - b) * w.sign())[w.abs() > 3 * RATE] for w, a, b in zip(start, without, with_l1, strict=True)]
    return torch.cat(moves)


def test_with_sgd_both_modes_pull_by_the_threshold(mnist_file: Path) -> None:
    for mode in ("proximal", "loss"):
        moved = pull(mnist_file, "sgd", mode)
        torch.testing.assert_close(moved, torch.full_like(moved, RATE * STRENGTH), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_with_adam_the_term_of_the_loss_pulls_otherwise(mnist_file: Path, optimizer: str) -> None:
    proximal, loss = pull(mnist_file, optimizer, "proximal"), pull(mnist_file, optimizer, "loss")
    torch.testing.assert_close(proximal, torch.full_like(proximal, RATE * STRENGTH), rtol=1e-3, atol=1e-6)
    # In the first step Adam moves each weight by the learning rate, with its gradient's sign: where λ turns the sign
    # that is twice as much as without, where the gradient had the sign already nothing, at no gradient a whole step.
    steps = loss / RATE
    for expected in (0.0, 1.0, 2.0):
        assert ((steps - expected).abs() < 0.05).float().mean() > 0.05
    assert ((steps - STRENGTH).abs() < 0.05).float().mean() < 0.01


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
@pytest.mark.parametrize("strength", [10.0, 1000.0])
def test_where_the_term_is_most_of_the_gradient_it_moves_a_whole_step_of_adam_whatever_its_strength(
    mnist_file: Path, optimizer: str, strength: float
) -> None:
    trained = arm(mnist_file, optimizer, {"strength": strength, "mode": "loss"})
    before = [weight.detach().clone() for weight in trained.model.weights().values()]
    for was, now in zip(before, weights_after(trained), strict=True):
        moved = (was - now) * was.sign()
        torch.testing.assert_close(moved, torch.full_like(moved, RATE), rtol=1e-3, atol=1e-6)


def test_a_zeroed_weight_can_come_back(mnist_file: Path) -> None:
    trained = arm(mnist_file, "adam", {"strength": 0.05})
    trained.start_epoch()
    back = 0
    for _ in range(10):
        before = [weight.detach() == 0 for weight in trained.model.weights().values()]
        trained.train_steps(1)
        after = [weight.detach() == 0 for weight in trained.model.weights().values()]
        back += sum(int((was & ~now).sum()) for was, now in zip(before, after, strict=True))
    assert back > 0


def test_the_words_say_so() -> None:
    about = L1.explanation
    text = " ".join(about).casefold()
    for words in ("learning rate · λ", "whatever the optimizer", "can come back", "adamw", "rescale"):
        assert words in text or words in str(L1.model_fields["mode"].description)
    assert "both modes pull alike, but only" not in text
