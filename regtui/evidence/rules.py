"""The rules of diagnosis in one table, the most important first: what each looks at, says, suggests, and when it errs.

docs/diagnosis.md is made of this table by `python -m tests.diagnosis_page`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from regtui.evidence import rules_of_run as of_run
from regtui.evidence import rules_of_study as of_study
from regtui.evidence.advice import Advice
from regtui.evidence.run_case import RunCase
from regtui.evidence.study_case import StudyCase
from regtui.evidence.verdict import Verdict
from regtui.preset.model import Preset
from regtui.preset.wording import Wording, wording
from regtui.protocol.history import History

MOST_SENTENCES = 3
"""So many findings are told at most of a run."""
MOST_OF_STUDY = 2
"""So many are told of a study."""


class Rule(NamedTuple):
    """One rule.

    Attributes:
        name: What it is called.
        looks_at: The numbers that it looks at.
        holds_when: Its test, in words.
        suggests: What its command tries next.
        wrong_when: The case in which it is wrong.
        in_run: The test for a run; None if it has none.
        in_study: The test for a study; None if it has none.
    """

    name: str
    looks_at: str
    holds_when: str
    suggests: str
    wrong_when: str
    in_run: Callable[[RunCase], Advice | None] | None = None
    in_study: Callable[[StudyCase], Advice | None] | None = None


RULES = (
    Rule(
        "diverged",
        "how each arm ended",
        "a loss, a gradient or a weight of an arm was not finite, or its training loss far above that of guessing",
        "a tenth of the learning rate; a tenth of the arm's strength where the baseline did not diverge",
        "data or code are at fault: inputs that are not scaled diverge at any learning rate",
        of_run.diverged,
        of_study.diverged,
    ),
    Rule(
        "not converged equally",
        "the last third of each arm's validation losses, six epochs at least",
        "an arm that trained all epochs still falls: the 90 % interval of the slope (Theil and Sen) is below 0, and "
        "the fall more than 2 %; the baseline has its lowest before and a slope of 0 or above; or the other way round",
        "twice the epochs",
        "the schedule lowers the learning rate at the end, which lets the loss fall for the last time; or the "
        "losses wander slowly, which a slope takes for a trend",
        of_run.not_converged_equally,
        of_study.not_converged_equally,
    ),
    Rule(
        "still improving",
        "the last third of each arm's validation losses",
        "all arms trained all epochs and still fall, as above; of three to five epochs every pair must fall",
        "twice the epochs",
        "few epochs are wanted, since a budget is what is compared; or as above",
        of_run.still_improving,
        of_study.still_improving,
    ),
    Rule(
        "too strong",
        "the verdict, and training and validation loss of the kept weights",
        "the arm does worse than the baseline with a smaller gap, and both its losses are higher and fall no more",
        "a study of a quarter, half and the whole strength (a tenth and a third of a magnitude); else twice the epochs",
        "the training loss is measured without the technique's noise, so a higher one is real; but the cause may "
        "be a learning rate that suits the baseline alone",
        of_run.too_strong,
        of_study.too_strong,
    ),
    Rule(
        "one seed",
        "the verdict of one clean run",
        "arms are compared; nothing is said, since the verdict says that several seeds can tell",
        "a study of eight seeds",
        "never: one seed can't tell what a technique does",
        of_run.one_seed,
    ),
    Rule(
        "too few seeds",
        "the verdict over seeds",
        "an arm is inconclusive, and at most 64 seeds would probably settle it; nothing is said, since the verdict "
        "does",
        "a study of so many seeds",
        "the difference that was measured is what the number of seeds follows from, and it may be luck",
        in_study=of_study.too_few_seeds,
    ),
    Rule(
        "at the edge",
        "the mean of the metric on the validation set, by strength",
        "of three or more strengths the largest or the smallest is best, by more than two standard errors over seeds; "
        "nothing is said, since the lines on strengths do",
        "a study of this strength and two beyond",
        "the best of several is picked, so that its lead is a little too large",
        in_study=of_study.at_the_edge,
    ),
    Rule(
        "overfits",
        "validation and training loss since the lowest validation loss, of arms whose last weights are tested",
        "the last three validation losses are 5 % and twice their noise above the lowest, neither they nor all since "
        "fall, and the training loss fell",
        "early stopping for that arm, with twice the shortest patience that would have kept its lowest",
        "only the loss rises: a network grows surer of its errors while as many examples are right, or more",
        of_run.overfits,
        of_study.overfits,
    ),
    Rule(
        "too weak",
        "the gap of an arm with one strength, and of the baseline",
        "both overfit, the arm's gap is at least 80 % of the baseline's, and the verdict calls no difference",
        "a study of this strength and two larger ones",
        "the technique does not act on the gap, whatever its strength; then more of it only harms",
        of_run.too_weak,
        of_study.too_weak,
    ),
    Rule(
        "underfits",
        "the plain baseline's training and validation loss",
        "its validation loss falls no more, is at most 5 % above the training loss, and it does not overfit",
        "a tenth of the training examples, where that leaves a hundred",
        "the validation examples are easier than those trained on, which hides a gap",
        of_run.underfits,
        of_study.underfits,
    ),
    Rule(
        "patience too short",
        "the baseline's losses beyond the epoch in which an arm stopped early, where both are equal up to there",
        "the baseline later reaches a validation loss more than 2 % lower, to which a longer patience leads",
        "that patience",
        "it is read off one curve: of another seed the luck of a late epoch comes elsewhere, or not at all",
        of_run.patience_too_short,
        of_study.patience_too_short,
    ),
    Rule(
        "patience too long",
        "the losses of an arm with early stopping, by what other patiences would have done",
        "twice the shortest patience that keeps the best epoch saves a fifth of the epochs or more; of a study the "
        "shortest that keeps it in every seed",
        "that patience",
        "as above; and the best epoch may have been followed by a better one that nobody trained",
        of_run.patience_too_long,
        of_study.patience_too_long,
    ),
    Rule(
        "costs more than it brings",
        "seconds an epoch, trained side by side, and the verdict",
        "an arm takes 1.25 times as long as the baseline or more, and does worse or is not shown to do better",
        "a study of these epochs and of so many more as the arm's time would allow",
        "the machine was busy with something else, or the arm's time is spent on validation",
        of_run.costs_more,
        of_study.costs_more,
    ),
    Rule(
        "plateau",
        "the newest validation losses of all arms",
        "over the last third of all planned epochs, and ten at least, they stay within 2 %",
        "fewer epochs, six beyond the beginning of the plateau",
        "the losses come down once more after a long rest, as with a learning rate that is cut later",
        of_run.plateau,
    ),
    Rule(
        "one condition",
        "the verdict over seeds",
        "something is called at one number of epochs and one learning rate; nothing is said, since the verdict names "
        "both",
        "the same study with half and twice of each",
        "never: what was not tried is not known",
        in_study=of_study.one_condition,
    ),
)


def advice_on_run(
    history: History, verdicts: Mapping[str, Verdict], preset: Preset | None, folder: Path
) -> list[Advice]:
    """What the rules find in a run that has ended, the most important first.

    Args:
        history: Its events.
        verdicts: What it supports, for each arm beside the baseline.
        preset: What was trained; None if that can't be read.
        folder: Where it is saved.
    """
    named = wording(preset, folder / "preset.toml") if preset is not None else Wording()
    case = RunCase(history, verdicts, preset, named)
    return _told(rule.in_run(case) for rule in RULES if rule.in_run is not None)


def advice_on_case(case: StudyCase) -> list[Advice]:
    """What the rules find in a study that has ended, the most important first, and one command."""
    found = [one for rule in RULES if rule.in_study is not None and (one := rule.in_study(case)) is not None]
    said = [one for one in found if one.sentence][:MOST_OF_STUDY]
    command = next((one.command for one in (*said, *found) if one.command), "")
    told = [one._replace(command="") for one in said]
    return told + [one._replace(sentence="") for one in found if one.command == command][:1] if command else told


def _told(advice: Iterable[Advice | None]) -> list[Advice]:
    """So many with a sentence as are told; one without is worth its command where no study is suggested before."""
    told: list[Advice] = []
    for one in advice:
        if one is None or (not one.sentence and any(before.command.startswith("regtui study") for before in told)):
            continue
        if not one.sentence or sum(bool(before.sentence) for before in told) < MOST_SENTENCES:
            told.append(one)
    return told
