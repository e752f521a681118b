"""The sentence is short, true to its numbers, and claims nothing beyond them."""

from __future__ import annotations

import random
import re

import pytest

from regtui.evidence.diagnosis import describe
from regtui.preset.model import Preset
from tests.conftest import small_preset
from tests.telling import Telling

PRESET: Preset = small_preset(train={"epochs": 10})
OVERFITTING = (0.5, 0.4, 0.45, 0.5, 0.49, 0.58)


def told(baseline: list[float], regularized: list[float]) -> Telling:
    return Telling(PRESET).start().epochs(baseline, regularized)


def said(telling: Telling) -> str:
    return describe(telling.history, 10)


def test_overfitting_is_called_that_with_its_epoch_and_size() -> None:
    telling = Telling(PRESET).start()
    for loss, train in zip(OVERFITTING, (0.5, 0.4, 0.3, 0.2, 0.1, 0.05), strict=True):
        telling.epoch("baseline", loss, train=train)
    assert said(telling) == ("Baseline overfitting since epoch 2: validation loss +45 % (0.4000 → 0.5800).")
    assert said(telling.finish()) == (
        "Finished after epoch 6 (baseline) and epoch 0 (regularized): lowest validation loss 0.4000 at epoch 2 "
        "(baseline). Overfitted: baseline from epoch 2 on, validation loss +45 % at its end."
    )


@pytest.mark.parametrize("train", [0.4, 0.45, None])
def test_without_a_training_loss_that_falls_it_is_not_overfitting(train: float | None) -> None:
    telling = Telling(PRESET).start()
    for loss in OVERFITTING:
        telling.epoch("baseline", loss, train=train)
    assert "validation loss is 45 % above its lowest, 0.4000 at epoch 2" in said(telling)


def test_both_fall() -> None:
    telling = told([0.3, 0.2, 0.12], [0.3, 0.2, 0.109])
    assert (
        said(telling)
        == "Regularized is 0.0110 below the baseline in validation loss at epoch 3. Both validation losses still fall."
    )
    assert "0.0110 above" in said(told([0.3, 0.2, 0.109], [0.3, 0.2, 0.12]))
    assert "The arms are level in validation loss at epoch 3, within 0.5 %. Both" in said(
        told([0.3, 0.2, 0.12], [0.3, 0.2, 0.1201])
    )


def test_the_arms_are_compared_at_an_epoch_that_both_have() -> None:
    assert "Regularized is 0.1000 below the baseline in validation loss at epoch 2." in said(
        told([0.4, 0.3, 0.2], [0.4, 0.2])
    )


def test_where_the_log_has_lost_an_epoch_the_same_epochs_are_compared() -> None:
    telling = told([0.4, 0.3, 0.2], [0.4, 0.25, 0.1])
    del telling.history.arms["baseline"].epochs[1]
    assert "Regularized is 0.1000 below the baseline in validation loss at epoch 3." in said(telling)


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([0.3], "is 0.3000 at epoch 1"),
        ([0.3, 0.2], "still falls, 0.2000 at epoch 2"),
        ([0.3, 0.2995], "is at its lowest, 0.2995 at epoch 2"),
        ([0.3, 0.25, 0.26, 0.24], "is at its lowest, 0.2400 at epoch 4"),  # by a leap after a rise
        ([0.3, 0.25, 0.2, 0.21, 0.19, 0.17, 0.15], "still falls, 0.1500 at epoch 7"),  # with a wobble
        ([0.2, 0.2], "is as low as its lowest, 0.2000 at epoch 1"),
        ([1_400.0, 1_499.0], "is 7.1 % above its lowest, 1e+03 at epoch 1"),  # both are shown as 1e+03
        (
            [0.3, 0.2, 0.2, 0.2],
            "is flat, within 2 % over 3 epochs, as low as its lowest, 0.2000 at epoch 2",
        ),
        ([0.3, 0.2, 0.2016], "is 0.8 % above its lowest, 0.2000 at epoch 2"),
        ([0.3, 0.2, 0.20001, 0.2, 0.20001, 0.20002], "is flat, within 2 % over 5 epochs, as low as its"),
        ([0.2, 0.199, 0.198, 0.1975, 0.197], "hardly falls any more, within 2 % over 5 epochs: 0.1970 at"),
        ([0.3, 0.2, 0.25], "is 25 % above its lowest, 0.2000 at epoch 2"),
        ([0.3, 0.2, 0.204, 0.208], "has risen for 2 epochs, 4.0 % above its lowest, 0.2000 at epoch 2"),
        ([0.2, 0.208, 0.201, 0.207, 0.204], "wavers within 5 % of its lowest, 0.2000 at epoch 1"),
        ([0.2, 0.25, 0.21, 0.26, 0.21], "is 5.0 % above its lowest, 0.2000 at epoch 1"),
        ([0.2, 0.4, 0.37, 0.33, 0.3, 0.28], "falls, but is 40 % above its lowest, 0.2000 at epoch 1"),
        ([0.0, 0.5, 0.6], "has risen for 2 epochs, far above its lowest, 0.0000 at epoch 1"),
        ([0.00012, 0.000034], "still falls, 3.40e−5 at epoch 2"),
    ],
)
def test_words(losses: list[float], words: str) -> None:
    text = said(told(losses, []))
    assert words in text, text


def test_what_is_overfitted_or_rises_comes_first_whichever_arm_it_is() -> None:
    assert (
        said(told([0.3, 0.2, 0.1], [0.3, 0.4, 0.5]))
        .partition(". ")[2]
        .startswith("Regularized: validation loss has risen for 2")
    )
    both = said(told([0.3, 0.2, 0.25, 0.3], [0.2, 0.25, 0.3, 0.4]))
    assert both.partition(". ")[2].startswith("Regularized: validation loss has risen for 3 epochs")


def test_before_the_run_and_in_its_first_epoch() -> None:
    telling = Telling(PRESET)
    assert said(telling) == "Nothing is trained yet: the arms are being built."
    telling.start()
    assert said(telling) == "Training the first epoch."
    telling.steps("baseline", [2.31, *[0.42] * 200])
    assert said(telling) == "Training the first epoch: step loss has come down from 2.3100 to 0.4200 (baseline)."
    telling.steps("regularized", [2.0, *[4.0] * 200])
    assert said(telling).endswith("has gone up from 2.0000 to 4.0000 (regularized).")


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
        "Regularized is 0.1000 above the baseline in lowest validation loss so far. "
        "Regularized stopped early after epoch 3; its lowest validation loss was 0.2000 at epoch 2; baseline goes on "
        "alone."
    )
    telling = told([0.3], [0.3]).stop("baseline", "non_finite")
    assert said(telling).startswith("Baseline diverged in epoch 1: its training loss of step 10 is not finite; regul")
    telling.stop("regularized", "exploded")
    assert said(telling) == "All arms have stopped; the run is coming to its end."


def test_paused() -> None:
    telling = Telling(PRESET).start().pause()
    assert said(telling).startswith("Paused before the first step.")
    telling = told([0.3, 0.2], [0.3, 0.2]).pause()
    assert said(telling).endswith("%. Paused after epoch 2. Both validation losses still fall.")
    telling.steps("baseline", [0.1] * 3)
    assert "%. Paused in epoch 3, after step 23. Both" in said(telling)
    assert "Paused" not in said(telling.pause(paused=False))


def test_steered() -> None:
    telling = told([0.3, 0.2], [0.3, 0.2]).control("regularized", "dropout.rate", 0.2, epoch=3)
    assert "%. Dropout rate of regularized was set to 0.2 in epoch 3. Both" in said(telling)
    telling.epoch("baseline", 0.1).epoch("regularized", 0.1)
    assert said(telling).endswith("still fall. Dropout rate of regularized was set to 0.2 in epoch 3.")
    telling.control("baseline", "patience", None, epoch=4).control("baseline", "patience", 2, why="no", epoch=4)
    assert (
        said(telling)
        .partition(". ")[2]
        .startswith("Early stopping of baseline was switched off in epoch 4, the last of 2")
    )


def test_one_command_for_both_arms_is_told_as_one() -> None:
    telling = told([0.3], [0.3])
    for arm in ("baseline", "regularized"):
        telling.control(arm, "patience", 5, epoch=2)
    assert "%. Patience of both arms was set to 5 in epoch 2. The first of 10 epochs" in said(telling)
    for arm, patience in (("baseline", 6), ("regularized", 9)):
        telling.control(arm, "patience", patience, epoch=2)
    assert (
        said(telling)
        .partition(". ")[2]
        .startswith("Patience was set to 6 (baseline) and 9 (regularized) in epoch 2, the last of 2 changes.")
    )


def test_ended() -> None:
    telling = told([0.3, 0.2, 0.25], [0.3, 0.2, 0.1]).finish()
    assert said(telling) == (
        "Finished after 3 epochs: lowest validation loss 0.2000 at epoch 2 (baseline), 0.1000 at epoch 3 (regularized)."
    )
    assert said(told([0.3], [0.4]).finish("stopped")).startswith("Stopped after 1 epoch: lowest")
    assert said(Telling(PRESET).start().finish("stopped")) == "Stopped after 0 epochs."
    cut = told([0.3], [0.4]).epoch("baseline", 0.2, partial=True).epoch("regularized", 0.3, partial=True)
    assert said(cut.finish("stopped")).startswith("Stopped in epoch 2: lowest")
    assert said(Telling(PRESET).finish("failed", "the disk is full.")) == "The run failed: the disk is full."
    diverged = told([0.3], []).stop("regularized", "non_finite").finish("diverged")
    assert said(diverged) == "Regularized diverged in epoch 1: its training loss of step 0 is not finite."


def test_it_never_speaks_of_significance_and_is_three_sentences_at_most() -> None:
    rng = random.Random(1)
    for _ in range(50):
        length = rng.randint(1, 6)
        telling = told([rng.random() for _ in range(length)], [rng.random() for _ in range(length)])
        text = said(telling)
        assert len(re.findall(r"\.( |$)", text)) in (1, 2, 3)
        assert not re.search(r"signific|better than|helps|works|prove", text)
        assert len(text) <= 2 * 118  # two lines of a wide terminal


def test_a_run_that_breaks_off_is_told_of_in_the_past() -> None:
    telling = told([0.3, 0.2], [0.3, 0.25])
    assert describe(telling.history, 10, over=True).startswith("The log breaks off after 2 epochs: lowest validation")


def test_a_step_loss_that_looks_the_same_has_not_moved() -> None:
    telling = Telling(PRESET).start().steps("baseline", [2.31, *[2.310001] * 200])
    assert said(telling) == "Training the first epoch."


# Several arms


def of_several(**losses: list[float]) -> Telling:
    arms = {arm: {"dropout": {"rate": 0.05 * place}} for place, arm in enumerate(losses, start=1) if arm != "baseline"}
    telling = Telling(small_preset(train={"epochs": 10}, arms=arms)).start()
    for arm, values in losses.items():
        for value in values:
            telling.epoch(arm, value)
    return telling


def test_of_several_arms_the_lowest_is_named_with_its_distance_from_the_baseline() -> None:
    telling = of_several(baseline=[0.5, 0.4], a=[0.5, 0.3], b=[0.5, 0.45, 0.2], c=[0.4, 0.6])
    assert said(telling) == (
        "At epoch 2 A a has the lowest validation loss of 4 arms, 0.3000; that is 0.1000 below the baseline. "
        "Validation losses: baseline, A a and B b at their lowest, C c above their lowest."
    )
    assert "baseline has the lowest validation loss of 3 arms, 0.3000; B b is next, 0.0100 above" in said(
        of_several(baseline=[0.3], a=[0.4], b=[0.31])
    )
    same = said(of_several(baseline=[0.3], a=[0.4], b=[0.3]))
    assert "baseline has the lowest validation loss of 3 arms, 0.3000; B b is level with it within 0.5 %." in same
    assert "level with the baseline within 0.5 %" in said(of_several(baseline=[0.3], a=[0.2999], b=[0.31]))


def test_more_than_three_arms_are_counted() -> None:
    telling = of_several(baseline=[0.5, 0.4], **{f"arm{n}": [0.5, 0.41] for n in range(16)})
    assert "17 arms at their lowest" in said(telling)
    assert len(said(telling)) <= 230


def test_of_several_arms_those_that_stopped_are_told_by_how() -> None:
    telling = of_several(baseline=[0.5, 0.4], a=[0.5, 0.3], b=[0.5, 0.45], c=[0.4, 0.6]).stop("a", "early_stopping")
    assert said(telling).endswith(
        ". A a stopped early after epoch 2; its lowest validation loss was 0.3000 at epoch 2; 3 arms go on."
    )
    assert "has the lowest validation loss of 3 arms" in said(telling)
    telling.stop("b", "exploded")
    assert said(telling).startswith("B b diverged; A a stopped early; 2 arms go on. At epoch 2")
    assert said(telling.stop("c", "max_epochs")).startswith(
        "B b diverged; A a stopped early; C c trained all epochs; baseline goes on alone."
    )


def test_of_several_arms_an_end_tells_the_lowest_and_the_baseline_s() -> None:
    telling = of_several(baseline=[0.5, 0.4], a=[0.5, 0.3], b=[0.5, 0.45, 0.44], c=[0.4, 0.6])
    assert said(telling.finish()) == (
        "Finished after 2 to 3 epochs: lowest validation loss 0.3000 at epoch 2 (A a), 0.4000 at epoch 2 (baseline)."
    )


def test_a_change_in_some_of_several_arms_names_them() -> None:
    telling = of_several(baseline=[0.5], a=[0.5], b=[0.5], c=[0.4])
    telling.control("a", "patience", 3, epoch=2).control("b", "patience", 3, epoch=2)
    assert "baseline. Patience of A a and B b was set to 3 in epoch 2." in said(telling)
    telling.control("c", "patience", 3, epoch=2).control("baseline", "patience", 3, epoch=2)
    assert "Patience of all arms was set to 3 in epoch 2." in said(telling)


def test_an_arm_called_all_is_not_all_arms() -> None:
    telling = of_several(baseline=[0.5, 0.4], all=[0.5, 0.3], b=[0.5, 0.45])
    assert said(telling).startswith("At epoch 2 A all has the lowest validation loss of 3 arms")
    assert "baseline. Patience of A all was set to 3" in said(telling.control("all", "patience", 3, epoch=3))
    assert said(telling.stop("all", "exploded")).startswith("A all diverged in epoch 2")
