"""What a run's curves say that its verdict does not, one function a rule; the table of rules is `evidence/rules.py`.

Each returns nothing unless the numbers carry its sentence. Only clean runs are looked at: where somebody steered or
stopped a run, its curves speak of that.
"""

from __future__ import annotations

from collections.abc import Mapping

from regtui.evidence.advice import Advice, run_command, study_command, varied
from regtui.evidence.headline import BETTER, CALLED, WORSE
from regtui.evidence.run_case import FEWEST, WINDOW, Fall, RunCase, end_of_curve, fall
from regtui.evidence.trend import FLAT, excess, slope, trend
from regtui.evidence.what_if import PatienceOutcome, what_if
from regtui.preset.arms import BASELINE
from regtui.protocol.history import ArmHistory
from regtui.tasks import words
from regtui.text import NBSP, counted, number, share, short

PLATEAU = 10
"""A plateau lasts at least so many epochs."""
CLOSE = 0.05
"""Training and validation loss are close if the gap is no more than this share of the validation loss."""
SIMILAR = 0.8
"""A gap is like the baseline's if it is at least this share of it."""
DEAR = 1.25
"""An arm is dear if its epochs take at least so many times as long as the baseline's."""
WASTE = 0.2
"""Waiting is too long if at least this share of the epochs would be saved."""
SAFE = 2
"""A patience is suggested so many times as long as the shortest that would have done."""


def diverged(case: RunCase) -> Advice | None:
    """An arm's loss left all bounds: of the learning rate, or of the arm's strength."""
    arms = [name for name, arm in case.history.arms.items() if arm.diverged]
    if not arms or case.preset is None or case.history.interventions:
        return None
    rate = case.preset.train.learning_rate
    own = case.strength(arms[0]) if BASELINE not in arms else None
    if own is not None:
        sentence = f"The baseline did not diverge at learning rate {rate:g}, so {case.name(arms[0])}'s "
        sentence += f"{own.key.rpartition('.')[2]}, {own.value:g}, is likely too much: a tenth is worth a try."
        return Advice("diverged", sentence, run_command(case.wording, "--set", f"{own.key}={own.value / 10:.3g}"))
    sentence = f"The learning rate was {rate:g}: a tenth is worth a try."
    return Advice("diverged", sentence, run_command(case.wording, "--set", f"train.learning_rate={rate / 10:.3g}"))


def not_converged_equally(case: RunCase) -> Advice | None:
    """Some arms still improve at the end, the baseline does not; or the other way round."""
    falls, settled = _falls(case), [name for name, arm in case.history.arms.items() if _has_settled(arm)]
    if BASELINE in falls:
        falls = {BASELINE: falls[BASELINE]}
    else:
        settled = [name for name in settled if name == BASELINE]
    if not case.clean or not falls or not settled:
        return None
    best = case.history.arms[settled[0]].best
    sentence = (
        f"{_improves(case, falls)}, while {case.name(settled[0])}'s was lowest at epoch {best.epoch if best else 0}: "
        f"after {case.planned:,} epochs the arms are compared before both have settled."
    )
    return Advice("not converged equally", sentence, _twice_as_long(case))


def still_improving(case: RunCase) -> Advice | None:
    """All arms still improve at the end."""
    falls = _falls(case)
    if not case.clean or len(falls) < len(case.history.arms):
        return None
    return Advice("still improving", f"{_improves(case, falls)}: train longer before judging.", _twice_as_long(case))


def _falls(case: RunCase) -> dict[str, Fall]:
    """The arms that trained all epochs and still fall."""
    ran_out = {name: fall(arm.epochs) for name, arm in case.ran_out.items()}
    return {name: found for name, found in ran_out.items() if found is not None}


def _has_settled(arm: ArmHistory) -> bool:
    """Whether the lowest validation loss lies before the end of the curve, which has no slope below 0."""
    window = end_of_curve(arm.epochs)
    before = arm.best is not None and bool(window) and arm.best.epoch < window[0][0]
    return before and slope(window)[1] >= 0


def _improves(case: RunCase, falls: Mapping[str, Fall]) -> str:
    """'Baseline still improves, its validation loss fell by 12 % over the last 5 epochs'; the largest fall of all."""
    name = max(falls, key=lambda arm: falls[arm].share)
    several = "Both arms" if len(falls) == 2 else f"All {len(falls)} arms"
    every = f"{several} still improve" if len(falls) > 1 else f"{case.names([name])} still improves"
    whose = "its" if len(falls) == 1 else f"{case.name(name)}'s"
    epochs = counted(falls[name].epochs, "epoch")
    return f"{every}: {whose} validation loss fell by {number(100 * falls[name].share, '.0f')} % over the last {epochs}"


def _twice_as_long(case: RunCase) -> str:
    return run_command(case.wording, "--epochs", str(2 * case.planned))


def too_strong(case: RunCase) -> Advice | None:
    """An arm fits its training examples less well than the baseline, and does worse for it."""
    arms = [name for name, verdict in case.verdicts.items() if verdict.underfits and _fits_less(case, name)]
    if not case.clean or not arms or not_converged_equally(case) or still_improving(case):
        return None
    name = max(arms, key=lambda arm: abs(case.verdicts[arm].difference or 0.0))
    ours, theirs = case.history.arms[name].kept, case.history.arms[BASELINE].kept
    assert ours is not None
    assert theirs is not None
    sentence = (
        f"{case.names([name])} underfits: the training loss of the kept weights, {short(ours.train_loss)}, is above "
        f"the baseline's, {short(theirs.train_loss)}, and so is the validation loss: {case.verdicts[name].arm.label} "
        f"is too strong here, or {counted(case.planned, 'epoch')} too few."
    )
    strength = case.strength(name)
    if strength is None or fall(case.history.arms[name].epochs):
        return Advice("too strong", sentence, _twice_as_long(case))
    return Advice("too strong", sentence, study_command(case.wording, *varied(strength.key, strength.weaker())))


def _fits_less(case: RunCase, name: str) -> bool:
    """Whether an arm's training loss is above the baseline's with the weights that each keeps."""
    ours, theirs = case.history.arms[name].kept, case.history.arms[BASELINE].kept
    if ours is None or theirs is None or ours.train_loss is None or theirs.train_loss is None:
        return False
    return ours.train_loss > theirs.train_loss


def overfits(case: RunCase) -> Advice | None:
    """An arm that keeps its last weights ends far above its lowest validation loss, with a falling training loss."""
    found = {
        name: trended
        for name, arm in case.ran_out.items()
        if (trended := trend(arm)) is not None and trended.kind == "overfits" and _keeps_last(arm)
    }
    if not case.clean or not found:
        return None
    name = max(found, key=lambda arm: found[arm].above)
    of, others = found[name], [arm for arm in found if arm != name]
    assert of.lowest.val_loss is not None
    assert of.last.val_loss is not None
    also = f" {case.names(others)} {'does' if len(others) == 1 else 'do'} so too." if others else ""
    sentence = (
        f"{case.names([name])} overfits from epoch {of.lowest.epoch} on, and its last weights are tested: validation "
        f"loss {short(of.lowest.val_loss)} → {short(of.last.val_loss)} (+{number(100 * of.above, '.0f')} %).{also}"
    )
    return Advice("overfits", sentence, _with_patience(case, name))


def _keeps_last(arm: ArmHistory) -> bool:
    return arm.test is None or arm.test.kept == "last"


def _with_patience(case: RunCase, name: str) -> str:
    """Early stopping for an arm, with a patience that would have kept its lowest validation loss."""
    suggested = _suggested(case, name)
    if case.preset is None or suggested is None:
        return ""
    table = case.preset.table_of(name)
    return run_command(case.wording, "--set", f"{table}.early_stopping.patience={suggested.patience}")


def _suggested(case: RunCase, name: str) -> PatienceOutcome | None:
    """The outcome of twice the shortest patience that would have kept the best epoch; None if it would not stop."""
    stopping = case.preset.arms()[name].early_stopping if case.preset is not None else None
    table = what_if(case.history.arms[name], stopping, case.planned)
    chosen = table.chosen
    if chosen is None or chosen.cost or SAFE * chosen.patience > len(table.outcomes):
        return None
    suggested = table.outcomes[SAFE * chosen.patience - 1]
    return suggested if suggested.stops_at is not None else None


def too_weak(case: RunCase) -> Advice | None:
    """The baseline overfits, and an arm does so nearly as much."""
    theirs, course = case.history.arms[BASELINE].kept, trend(case.history.arms[BASELINE])
    if not case.clean or theirs is None or not theirs.gap or course is None or course.kind != "overfits":
        return None
    for name, verdict in case.verdicts.items():
        arm, strength = case.history.arms[name], case.strength(name)
        ours = arm.kept
        if strength is None or ours is None or ours.gap is None or not _keeps_last(arm) or verdict.outcome in CALLED:
            continue
        values, own = strength.stronger(), trend(arm)
        if own is None or own.kind != "overfits" or ours.gap < SIMILAR * theirs.gap or len(values) < 2:
            continue
        sentence = (
            f"{verdict.arm.label} holds little back: {case.name(name)} overfits as the baseline does, with a gap of "
            f"{short(ours.gap)} between training and validation loss against {short(theirs.gap)}."
        )
        return Advice("too weak", sentence, study_command(case.wording, *varied(strength.key, values)))
    return None


def underfits(case: RunCase) -> Advice | None:
    """The baseline fits its training examples hardly better than others: there is nothing to regularize."""
    baseline = case.history.arms[BASELINE]
    kept, course = baseline.kept, trend(baseline)
    if not case.clean or kept is None or course is None or kept.train_loss is None or kept.val_loss is None:
        return None
    settled = len(baseline.epochs) >= WINDOW and fall(baseline.epochs) is None
    gap = kept.val_loss - kept.train_loss
    if not baseline.info.is_plain or not settled or course.kind == "overfits" or gap > CLOSE * kept.val_loss:
        return None
    sentence = (
        f"The baseline does not overfit: its training loss, {short(kept.train_loss)}, is close to its validation loss, "
        f"{short(kept.val_loss)}, and that falls no more. A technique against overfitting has little to do here; with "
        "fewer training examples or a larger network it has more."
    )
    examples = case.history.started.sizes.get("train", 0) if case.history.started is not None else 0
    few = examples // 10
    command = run_command(case.wording, "--set", f"data.train_samples={few}") if few >= 100 else ""
    return Advice("underfits", sentence, command)


def patience_too_short(case: RunCase) -> Advice | None:
    """An arm stopped early; the baseline, the same network up to there, found a lower loss later."""
    baseline = case.history.arms[BASELINE]
    for name, arm in case.history.arms.items() if case.clean and case.preset is not None else ():
        assert case.preset is not None
        stopping = case.preset.arms()[name].early_stopping
        early = arm.stopped is not None and arm.stopped.reason == "early_stopping"
        same = [done.val_loss for done in arm.epochs] == [done.val_loss for done in baseline.epochs[: len(arm.epochs)]]
        if stopping is None or not early or not same or stopping.monitor != "val_loss":
            continue
        table = what_if(baseline, stopping, case.planned)
        chosen = table.chosen
        own = table.outcomes[stopping.patience - 1] if stopping.patience <= len(table.outcomes) else None
        if chosen is None or own is None or own.val_loss is None or chosen.val_loss is None or chosen.cost:
            continue
        if chosen.patience <= stopping.patience or excess(own.val_loss, chosen.val_loss) <= FLAT:
            continue
        sentence = (
            f"Patience {stopping.patience} was too short: it kept epoch {own.keeps} with validation loss "
            f"{short(own.val_loss)}; the baseline, equal up to there, reached {short(chosen.val_loss)} at epoch "
            f"{chosen.keeps}, for which patience {chosen.patience} is needed."
        )
        key = f"{case.preset.table_of(name)}.early_stopping.patience"
        return Advice("patience too short", sentence, run_command(case.wording, "--set", f"{key}={chosen.patience}"))
    return None


def patience_too_long(case: RunCase) -> Advice | None:
    """An arm with early stopping waited long for nothing."""
    for name, arm in case.history.arms.items() if case.clean and case.preset is not None else ():
        assert case.preset is not None
        stopping = case.preset.arms()[name].early_stopping
        suggested = _suggested(case, name)
        if stopping is None or suggested is None or not stopping.restore_best:
            continue
        if suggested.patience >= stopping.patience or suggested.saved < max(FEWEST, WASTE * len(arm.epochs)):
            continue
        sentence = (
            f"Patience {stopping.patience} waited long in {case.name(name)}: {suggested.patience}, twice the shortest "
            f"that does, would have kept the same epoch, {suggested.keeps}, and saved {suggested.saved} of "
            f"{len(arm.epochs)} epochs."
        )
        key = f"{case.preset.table_of(name)}.early_stopping.patience"
        return Advice("patience too long", sentence, run_command(case.wording, "--set", f"{key}={suggested.patience}"))
    return None


def costs_more(case: RunCase) -> Advice | None:
    """An arm takes much longer an epoch, and did not do better."""
    dear = {
        name: verdict.cost_ratio
        for name, verdict in case.verdicts.items()
        if verdict.cost_ratio is not None and verdict.cost_ratio >= DEAR and verdict.p_value is not None
    }
    dear = {name: ratio for name, ratio in dear.items() if case.verdicts[name].outcome not in BETTER}
    if not case.clean or not dear:
        return None
    name = max(dear, key=lambda arm: dear[arm])
    verdict = case.verdicts[name]
    assert verdict.comparison is not None
    found = "did worse" if verdict.outcome in WORSE else "was not shown to do better"
    by = words.amount(verdict.comparison, words.difference(verdict.comparison, verdict.difference or 0.0))
    sentence = f"{case.names([name])} took {dear[name]:.2f} times as long an epoch and {found} ({by})."
    longer = round(case.planned * dear[name])
    command = study_command(case.wording, "--vary", f"train.epochs={case.planned},{longer}")
    return Advice("costs more than it brings", sentence.replace(NBSP, " "), command if longer > case.planned else "")


def plateau(case: RunCase) -> Advice | None:
    """Nothing has moved for a long time in any arm."""
    courses = [trend(arm) for arm in case.history.arms.values()]
    calm = min((course.calm if course is not None else 0 for course in courses), default=0)
    if not case.clean or len(case.ran_out) < len(courses) or calm < max(PLATEAU, case.planned / 3):
        return None
    enough = case.planned - calm + WINDOW
    sentence = (
        f"Plateau: over the last {calm} of {case.planned:,} epochs the validation losses stayed within "
        f"{share(FLAT, 0)}; {enough} epochs would probably have told the same."
    )
    return Advice("plateau", sentence, run_command(case.wording, "--epochs", str(enough)))


def one_seed(case: RunCase) -> Advice | None:
    """A clean comparison of one seed, of which several seeds can say whether it is the technique's doing."""
    compared = any(verdict.p_value is not None for verdict in case.verdicts.values())
    return Advice("one seed", "", study_command(case.wording)) if compared and case.clean else None
