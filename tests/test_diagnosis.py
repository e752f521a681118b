"""The sentence is short, true to its numbers, and claims nothing beyond them."""

from __future__ import annotations

import random
import re

import pytest

from regtui.evidence.diagnosis import TOLERANCE, describe, trend
from regtui.preset.model import Preset
from tests.conftest import small_preset
from tests.telling import Telling

PRESET: Preset = small_preset(train={"epochs": 10})


def told(baseline: list[float], regularized: list[float]) -> Telling:
    return Telling(PRESET).start().epochs(baseline, regularized)


def said(telling: Telling) -> str:
    return describe(telling.history, 10)


def test_the_issue_s_own_example() -> None:
    telling = told([0.5, 0.4, 0.38, 0.35, 0.32, 0.31, 0.33, 0.32, 0.36], [0.5, 0.45, 0.4, 0.38, 0.36, 0.35, 0.34, 0.33])
    telling.epoch("baseline", 0.4, train=0.18)
    assert said(telling).startswith(
        "Baseline: validation loss has risen for 4 epochs since its best, 0.310 at epoch 6; gap 0.22."
    )


def test_both_fall() -> None:
    telling = told([0.3, 0.2, 0.12], [0.3, 0.2, 0.109])
    assert said(telling) == "Both validation losses still fall; regularized is 0.011 below the baseline at epoch 3."
    assert "0.011 above" in said(told([0.3, 0.2, 0.109], [0.3, 0.2, 0.12]))
    assert "the arms are level at epoch 3" in said(told([0.3, 0.2, 0.12], [0.3, 0.2, 0.1201]))


def test_the_arms_are_compared_at_an_epoch_that_both_have() -> None:
    assert "0.10 below the baseline at epoch 2" in said(told([0.4, 0.3, 0.2], [0.4, 0.2]))


def test_where_the_log_has_lost_an_epoch_the_same_epochs_are_compared() -> None:
    telling = told([0.4, 0.3, 0.2], [0.4, 0.25, 0.1])
    del telling.history.arms["baseline"].epochs[1]
    assert "0.10 below the baseline at epoch 3" in said(telling)


@pytest.mark.parametrize(
    ("losses", "kind"),
    [
        ([0.3], "first"),
        ([0.3, 0.2], "falls"),
        ([0.3, 0.2, 0.199], "flat"),  # lower, but by half a percent
        ([0.3, 0.2, 0.2], "flat"),
        ([0.3, 0.2, 0.2015], "flat"),
        ([0.3, 0.2, 0.21], "rises"),
        ([0.3, 0.2, 0.21, 0.22, 0.21, 0.24], "rises"),  # up, with a wobble
        ([0.3, 0.2, 0.25, 0.21, 0.26, 0.21], "wavers"),
        ([0.3, 0.2, 0.4, 0.2], "flat"),  # back where it was
        ([0.0, 0.0], "flat"),
    ],
)
def test_trends(losses: list[float], kind: str) -> None:
    found = trend(told(losses, []).history.arms["baseline"])
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_said_of_a_trend_is_so(seed: int) -> None:
    rng = random.Random(seed)
    losses = [round(rng.uniform(0.1, 0.2), 3) if rng.random() < 0.9 else None for _ in range(rng.randint(1, 9))]
    telling = Telling(PRESET).start()
    for loss in losses:
        telling.epoch("baseline", loss)
    found = trend(telling.history.arms["baseline"])
    finite = [loss for loss in losses if loss is not None]
    if not finite:
        assert found is None
        return
    assert found is not None
    assert found.lowest == min(finite) == losses[found.epoch - 1]
    later = [loss for loss in losses[found.epoch :] if loss is not None]
    assert all(loss >= found.lowest for loss in later), "one of the epochs since was better"
    if found.kind == "rises":
        assert found.last > found.lowest * (1 + TOLERANCE)
    if found.kind == "flat":
        assert found.last <= found.lowest * (1 + TOLERANCE) + 1e-12
    if found.kind == "falls":
        assert not later
    text = said(telling)
    assert "nan" not in text.lower()
    if match := re.search(r"risen for (\d+) epochs since its \w+, ([\d.]+) at epoch (\d+)", text):
        last = max(index for index, loss in enumerate(losses, start=1) if loss is not None)
        assert int(match[1]) == last - int(match[3])
        assert float(match[2]) == pytest.approx(min(finite), rel=0.01)


def test_what_rises_comes_first_whichever_arm_it_is() -> None:
    assert said(told([0.3, 0.2, 0.1], [0.3, 0.4, 0.5])).startswith("Regularized: validation loss has risen for 2")
    both = said(told([0.3, 0.2, 0.25, 0.3], [0.2, 0.25, 0.3, 0.4]))
    assert both.startswith("Regularized: validation loss has risen for 3 epochs")
    assert "Baseline: validation loss has risen for 2 epochs" in both


def test_one_epoch_above_the_best_is_no_trend() -> None:
    text = said(told([0.3, 0.2, 0.25], [0.3, 0.2, 0.1]))
    assert "Baseline: validation loss is 0.050 above its best, 0.200 at epoch 2" in text
    assert "risen" not in text


def test_the_best_is_called_lowest_where_the_stopping_rule_has_another() -> None:
    telling = Telling(PRESET).start()
    telling.rules["baseline"].min_delta = 1.0
    for value in (0.5, 0.4, 0.45, 0.5):
        telling.epoch("baseline", value)
    assert "since its lowest, 0.400 at epoch 2" in said(telling)


def test_before_the_run_and_in_its_first_epoch() -> None:
    telling = Telling(PRESET)
    assert said(telling) == "Nothing is trained yet: the arms are being built."
    telling.start()
    assert said(telling) == "Training the first epoch."
    telling.steps("baseline", [2.31, *[0.42] * 200])
    assert said(telling) == "Training the first epoch: step loss has come down from 2.31 to 0.420 (baseline)."
    telling.steps("regularized", [2.0, *[4.0] * 200])
    assert said(telling).endswith("has gone up from 2.00 to 4.00 (regularized).")


def test_losses_that_are_not_finite() -> None:
    telling = Telling(PRESET).start()
    telling.steps("baseline", [2.31, None])
    assert said(telling) == "Training the first epoch."
    telling = told([0.3, 0.2], [0.3])
    telling.epoch("regularized", None)
    assert said(telling).startswith("Regularized: the validation loss of epoch 2 is not finite.")
    telling = Telling(PRESET).start().epoch("baseline", None).epoch("regularized", None)
    assert "Baseline: the validation loss of epoch 1 is not finite." in said(telling)
    telling = told([0.3, 0.1], []).epoch("baseline", 0.2, train=None)
    assert "gap" not in said(telling)


def test_an_arm_that_ended_is_told_first_and_the_other_goes_on_alone() -> None:
    telling = told([0.3, 0.2, 0.1], [0.3, 0.2, 0.3]).stop("regularized", "early_stopping")
    assert said(telling) == (
        "Regularized stopped early after epoch 3; its best was epoch 2 with validation loss 0.200; baseline goes on "
        "alone. Baseline: validation loss still falls, 0.100 at epoch 3."
    )
    telling = told([0.3], [0.3]).stop("baseline", "non_finite")
    assert said(telling).startswith("Baseline diverged in epoch 1: its loss at step 10 is not finite; regularized goes")
    telling.stop("regularized", "exploded")
    assert said(telling) == "All arms have stopped; the run is coming to its end."


def test_paused() -> None:
    telling = Telling(PRESET).start().pause()
    assert said(telling).startswith("Paused before the first step.")
    telling = told([0.3, 0.2], [0.3, 0.2]).pause()
    assert said(telling).startswith("Paused after epoch 2. Both validation losses still fall")
    telling.steps("baseline", [0.1] * 3)
    assert said(telling).startswith("Paused in epoch 3, after step 23.")
    assert "Paused" not in said(telling.pause(paused=False))


def test_steered() -> None:
    telling = told([0.3, 0.2], [0.3, 0.2]).control("regularized", "dropout.rate", 0.2, epoch=3)
    assert said(telling).startswith("Dropout rate of regularized was set to 0.2 in epoch 3. Both")
    telling.epoch("baseline", 0.1).epoch("regularized", 0.1)
    assert said(telling).endswith("at epoch 3. Dropout rate of regularized was set to 0.2 in epoch 3.")
    telling.control("baseline", "patience", None, epoch=4).control("baseline", "patience", 2, why="no", epoch=4)
    assert said(telling).startswith("Early stopping of baseline was turned off in epoch 4, the last of 2 changes.")


def test_one_command_for_both_arms_is_told_as_one() -> None:
    telling = told([0.3], [0.3])
    for arm in ("baseline", "regularized"):
        telling.control(arm, "patience", 5, epoch=2)
    assert said(telling).startswith("Patience of both arms was set to 5 in epoch 2. The first of 10 epochs")
    for arm, patience in (("baseline", 6), ("regularized", 9)):
        telling.control(arm, "patience", patience, epoch=2)
    assert said(telling).startswith(
        "Patience was set to 6 (baseline) and 9 (regularized) in epoch 2, the last of 2 changes."
    )


def test_ended() -> None:
    telling = told([0.3, 0.2, 0.25], [0.3, 0.2, 0.1]).finish()
    assert said(telling) == (
        "Finished after 3 epochs: lowest validation loss 0.200 at epoch 2 (baseline), 0.100 at epoch 3 (regularized)."
    )
    assert said(told([0.3], [0.4]).finish("stopped")).startswith("Stopped after 1 epoch: lowest")
    assert said(Telling(PRESET).start().finish("stopped")) == "Stopped after 0 epochs."
    assert said(Telling(PRESET).finish("failed", "the disk is full.")) == "The run failed: the disk is full."
    diverged = told([0.3], []).stop("regularized", "non_finite").finish("diverged")
    assert said(diverged) == "Regularized diverged in epoch 1: its loss at step 0 is not finite."


def test_it_never_speaks_of_significance_and_is_two_sentences_at_most() -> None:
    rng = random.Random(1)
    for _ in range(50):
        length = rng.randint(1, 6)
        telling = told([rng.random() for _ in range(length)], [rng.random() for _ in range(length)])
        text = said(telling)
        assert len(re.findall(r"\.( |$)", text)) in (1, 2)
        assert not re.search(r"signific|better than|helps|works|prove", text)
        assert len(text) <= 2 * 118  # two lines of a wide terminal
