"""A linear model trained to convergence lands on the optimum that an independent solver finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from regtui.arm.arm import Arm
from regtui.arm.split import Data, Fingerprint, Rows
from tests.conftest import small_preset

IMAGES, FEATURES, CLASSES = 60, 784, 10


@pytest.fixture(scope="module")
def data() -> Data:
    """Random images in which only the first 20 pixels differ from grey, so that the problem is well conditioned."""
    generator = torch.Generator().manual_seed(0)
    images = torch.full((IMAGES, FEATURES), 128, dtype=torch.uint8)
    images[:, :20] = torch.randint(0, 256, (IMAGES, 20), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (IMAGES,), generator=generator)
    rows = Rows.all(images)
    return Data(Fingerprint("", {}), rows, labels, rows, labels, rows, labels)


def trained(data: Data, technique: dict[str, Any], steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights [classes, features] and biases [classes] after full-batch gradient descent."""
    preset = small_preset(
        data={"train_samples": IMAGES},
        model={"kind": "linear"},
        train={"batch_size": IMAGES, "optimizer": "sgd", "learning_rate": 0.5, "weight_decay": 0.0},
        regularized=technique,
    )
    arm = Arm("regularized", preset, data, torch.device("cpu"))
    for _ in range(steps):
        arm.start_epoch()
        arm.train_steps(1)
    state = {name: tensor.double().numpy() for name, tensor in arm.model.state_dict().items()}
    return state["output.weight"], state["output.bias"]


def solved(data: Data, l1: float = 0.0, l2: float = 0.0) -> tuple[float, NDArray[np.float64]]:
    """Optimal objective and weights by L-BFGS-B in double precision; L1 by splitting w into two parts ≥ 0."""
    x = (data.train_examples.read().double().numpy() / 255 - 0.5) / 0.5
    onehot = np.eye(CLASSES)[data.train_targets.numpy()]
    n = CLASSES * FEATURES

    def objective(z: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        positive, negative, bias = z[:n], z[n : 2 * n], z[2 * n :]
        w = (positive - negative).reshape(CLASSES, FEATURES)
        logits = x @ w.T + bias
        log_total = logsumexp(logits, axis=1, keepdims=True)
        residual = (np.exp(logits - log_total) - onehot) / IMAGES
        slope = residual.T @ x + l2 * w
        value = -np.sum(onehot * (logits - log_total)) / IMAGES + l1 * z[: 2 * n].sum() + l2 / 2 * np.sum(w * w)
        return float(value), np.concatenate([slope.ravel() + l1, l1 - slope.ravel(), residual.sum(0)])

    bounds = [(0, None)] * (2 * n) + [(None, None)] * CLASSES
    options = {"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-15, "gtol": 1e-10}
    best = minimize(objective, np.zeros(2 * n + CLASSES), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return float(best.fun), (best.x[:n] - best.x[n : 2 * n]).reshape(CLASSES, FEATURES)


def objective_of(data: Data, w: NDArray[np.float64], b: NDArray[np.float64], l1: float = 0.0, l2: float = 0.0) -> float:
    x = (data.train_examples.read().double().numpy() / 255 - 0.5) / 0.5
    logits = x @ w.T + b
    chosen = logits[np.arange(IMAGES), data.train_targets.numpy()]
    loss = float(np.mean(logsumexp(logits, axis=1) - chosen))
    return loss + l1 * float(np.abs(w).sum()) + l2 / 2 * float(np.sum(w * w))


def test_l2_lands_on_the_optimum(data: Data) -> None:
    w, b = trained(data, {"l2": {"strength": 0.1}}, steps=600)
    best, optimum = solved(data, l2=0.1)
    assert objective_of(data, w, b, l2=0.1) == pytest.approx(best, abs=1e-6)
    np.testing.assert_allclose(w, optimum, atol=1e-4)


@pytest.mark.slow
def test_proximal_l1_lands_on_the_optimum_with_its_zeros(data: Data) -> None:
    w, b = trained(data, {"l1": {"strength": 0.02}}, steps=4000)
    best, optimum = solved(data, l1=0.02)
    assert objective_of(data, w, b, l1=0.02) == pytest.approx(best, abs=1e-5)
    np.testing.assert_allclose(w, optimum, atol=2e-3)
    # Wherever the optimum is clearly not zero the weight is not, and the grey pixels' weights are all exactly zero.
    assert np.all(w[np.abs(optimum) > 0.01] != 0)
    assert np.count_nonzero(w[:, 20:]) == 0
    assert np.count_nonzero(w) <= np.count_nonzero(np.abs(optimum) > 1e-6) + 5


def test_l1_as_a_loss_term_comes_near_the_optimum_without_its_zeros(data: Data) -> None:
    w, b = trained(data, {"l1": {"strength": 0.02, "mode": "loss"}}, steps=1000)
    best, _ = solved(data, l1=0.02)
    assert objective_of(data, w, b, l1=0.02) > best, "weights that jump across zero pay for it"
    assert np.count_nonzero(w) == w.size
