"""From a run's history to its verdict."""

from __future__ import annotations

from regtui.evidence.paired import PairedTable
from regtui.evidence.verdict import ArmResult, Verdict, judge
from regtui.preset.model import Preset
from regtui.protocol.applied import same_experiment
from regtui.protocol.history import ArmHistory, History


def judge_run(history: History, preset: Preset | None) -> Verdict:
    """What a run that has ended supports.

    Args:
        history: Its events.
        preset: What was trained; None if that can't be read.

    Raises:
        ValueError: The run has not ended, or ended before its arms were built.
    """
    started, finished, scored = history.started, history.finished, history.scored
    if started is None or finished is None:
        raise ValueError("only a run that began and ended can be judged")
    table = None
    if scored is not None:
        table = PairedTable(scored.both_right, scored.only_baseline, scored.only_regularized, scored.both_wrong)
    baseline, regularized = history.arms["baseline"], history.arms["regularized"]
    # An arm that trains on alone has the machine for itself: only the epochs trained side by side compare.
    together = min(arm.last.epoch if arm.last else 0 for arm in (baseline, regularized))
    return judge(
        _result("baseline" if baseline.info.is_plain else baseline.info.techniques, baseline, together),
        _result(regularized.info.techniques, regularized, together),
        table,
        same=preset is not None and same_experiment(preset, history),
        unpaired_because=history.unpaired_because,
        interventions=history.interventions,
        status=finished.status,
        seed=started.seed,
        dataset=started.dataset,
    )


def _result(label: str, arm: ArmHistory, together: int) -> ArmResult:
    test, best, kept = arm.test, arm.best, arm.kept
    whole = [epoch.seconds for epoch in arm.epochs if epoch.epoch <= together and not epoch.partial]
    return ArmResult(
        label=label,
        is_plain=arm.info.is_plain,
        epochs=arm.stopped.epoch if arm.stopped and arm.stopped.diverged else arm.last.epoch if arm.last else 0,
        best_epoch=best.epoch if best else None,
        best_val_loss=best.val_loss if best else None,
        test_accuracy=test.accuracy if test else None,
        test_loss=test.loss if test else None,
        kept_epoch=test.epoch if test else None,
        seconds_per_epoch=sum(whole) / len(whole) if whole else None,
        seconds=arm.seconds,
        parameters=arm.info.parameters,
        zero_weights=arm.zero_weights,
        weight_norm=arm.weight_norm,
        gap_at_kept=kept.gap if kept and test else None,
        val_loss_at_kept=kept.val_loss if kept and test else None,
        stop_reason=arm.stopped.reason if arm.stopped else "",
        cut_short=arm.last is not None and arm.last.partial,
    )
