from __future__ import annotations

import math

import pytest
import torch

from regtui.tasks import TASKS, arithmetic
from regtui.tasks.facts import TaskName
from tests.test_datasets import run_python


@pytest.mark.parametrize("name", TASKS)
def test_the_mean_loss_is_the_total_over_the_examples(name: TaskName) -> None:
    outputs, targets = _batch(name, 64)
    task = arithmetic(name)
    assert task.loss(outputs, targets).item() == pytest.approx(task.total(outputs, targets).item() / 64, rel=1e-6)


@pytest.mark.parametrize("name", TASKS)
def test_a_metric_lies_within_its_bounds_and_is_best_for_the_truth(name: TaskName) -> None:
    outputs, targets = _batch(name, 500)
    task, metric = arithmetic(name), TASKS[name].metric
    truth = torch.nn.functional.one_hot(targets, 10) * 9.0 if name == "classification" else targets[:, None]
    value, best = (task.metric(task.scores(x, targets), targets) for x in (outputs, truth))
    assert metric.low <= value < best == metric.high == 1.0


def test_r_squared_of_the_mean_is_0_and_of_equal_targets_unknown() -> None:
    task, targets = arithmetic("regression"), torch.tensor([1.0, 2.0, 6.0])
    mean = torch.full((3, 1), 3.0)
    assert task.metric(task.scores(mean, targets), targets) == pytest.approx(0)
    assert math.isnan(task.metric(torch.zeros(3), torch.ones(3)))
    assert task.metric(task.scores(targets[:, None] + 1, targets), targets) == pytest.approx(1 - 3 / 14)


def test_what_is_kept_of_the_outputs_tells_the_scores_again() -> None:
    for task in TASKS.values():
        name = task.name
        outputs, targets = _batch(name, 300)
        arithmetics = arithmetic(name)
        kept = arithmetics.predictions(outputs)
        if name == "classification":
            assert torch.equal(kept["classes"] == targets, arithmetics.scores(outputs, targets))
            assert kept["probabilities"].dtype == torch.float16
            assert torch.allclose(kept["probabilities"].float().sum(1), torch.ones(300), atol=5e-3)
        else:
            assert torch.equal((kept["values"] - targets) ** 2, arithmetics.scores(outputs, targets))


def test_a_metric_is_shown_with_its_unit() -> None:
    accuracy, r2 = TASKS["classification"].metric, TASKS["regression"].metric
    assert accuracy.show(0.97534).replace("\N{NO-BREAK SPACE}", " ") == "97.53 %"
    assert accuracy.difference(-0.015).replace("\N{NO-BREAK SPACE}", " ") == "−1.50 points"
    assert (r2.show(-0.25), r2.difference(0.1), r2.show(None), r2.show(math.nan)) == ("−0.2500", "+0.1000", "–", "–")


def test_the_facts_of_tasks_need_no_torch() -> None:
    assert "torch" not in run_python("import sys, regtui.tasks; print(*sys.modules)")[0].split()


def _batch(name: TaskName, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    if name == "classification":
        return torch.randn(size, 10, generator=generator), torch.randint(10, (size,), generator=generator)
    return torch.randn(size, 1, generator=generator), torch.randn(size, generator=generator)
