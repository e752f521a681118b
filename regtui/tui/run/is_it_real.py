"""Whether what a run shows holds over seeds: what a study of its preset would take, and why there is none."""

from __future__ import annotations

from regtui.preset.train import SEEDS
from regtui.study.design import USUAL_SEEDS
from regtui.text import duration
from regtui.tui.run.session import Session


def why_no_study(session: Session) -> str:
    """Why a study can't ask whether this run's result is real, in a sentence; empty if one can."""
    if session.history.interventions:
        return "It was steered: a study runs a preset as it is, so its answer would be about another experiment."
    if session.history.started is None:
        return "There is no result to ask about."
    return ""


def study_offer(session: Session, jobs: int) -> str:
    """An offer in a few words: 'is it real? 8 seeds, about 2 min'; empty where there is none.

    In a study the arms of a run are trained one after another in one process, so many runs at a time.

    Args:
        session: A run that has ended.
        jobs: Runs that are made at the same time.
    """
    if why_no_study(session) or not session.verdicts:
        return ""
    alone = sum(epoch.seconds for arm in session.history.arms.values() for epoch in arm.epochs)
    seconds = max(1.0, alone * USUAL_SEEDS / min(jobs, USUAL_SEEDS))
    return f"is it real? {USUAL_SEEDS} seeds, about {duration(seconds)}"


def new_seeds(seed: int) -> str:
    """Seeds for a study that a run has led to, as the command line has them.

    The run's own is not among them: whoever asks because of what it showed has already seen it.
    """
    return ",".join(str((seed + 1 + n) % SEEDS) for n in range(USUAL_SEEDS))
