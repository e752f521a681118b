"""Makes the verdict of a run from its history."""

from __future__ import annotations

from regtui.evidence.steered import changes_in_words
from regtui.evidence.verdict import ArmResult, Conditions, Verdict, judge
from regtui.preset.arms import BASELINE
from regtui.preset.model import Preset
from regtui.protocol.applied import label_with_changes, same_experiment
from regtui.protocol.history import ArmHistory, History
from regtui.tasks.comparison import holm


def judge_run(history: History, preset: Preset | None) -> dict[str, Verdict]:
    """What a run that has ended supports: for each arm beside the baseline, in order.

    Where several arms are compared, their p-values are adjusted for each other after Holm.

    Args:
        history: Its events.
        preset: What was trained; None if that can't be read.

    Raises:
        ValueError: The run has not ended, or ended before its arms were built.
    """
    started, finished, scored = history.started, history.finished, history.scored
    if started is None or finished is None:
        raise ValueError("only a run that began and ended can be judged")
    comparisons = scored.comparisons if scored is not None else {}
    changes = tuple(changes_in_words(history, preset))
    held = Conditions(
        epochs=started.epochs,
        learning_rate=preset.train.learning_rate if preset is not None else None,
        batch_size=started.batch_size,
        train_examples=started.sizes.get("train"),
        bootstrap=preset is not None and preset.data.bootstrap,
    )
    same = {name: preset is not None and same_experiment(preset, history, name) for name in history.others}
    drawn = [name for name in history.others if name in comparisons and not same[name]]
    adjusted = dict(zip(drawn, holm([comparisons[name].p_value() for name in drawn]), strict=True))
    return {
        name: judge(
            *_results(history, preset, name),
            comparisons.get(name),
            same=same[name],
            unpaired_because=history.unpaired_because,
            interventions=history.interventions,
            status=finished.status,
            seed=started.seed,
            dataset=started.dataset,
            examples=started.examples,
            task=history.task,
            adjusted=adjusted.get(name),
            comparisons=max(1, len(drawn)),
            conditions=held,
            changes=changes,
        )
        for name in history.others
    }


def _results(history: History, preset: Preset | None, name: str) -> tuple[ArmResult, ArmResult]:
    baseline, arm = history.arms[BASELINE], history.arms[name]
    # An arm that goes on alone has the whole machine, so only epochs trained side by side are compared.
    together = min(one.last.epoch if one.last else 0 for one in (baseline, arm))
    labels = {
        one: (label_with_changes(preset, history, one) if preset is not None else "")
        or history.arms[one].info.techniques
        for one in (BASELINE, name)
    }
    return _result(BASELINE, baseline, together, labels[BASELINE]), _result(name, arm, together, labels[name])


def _result(name: str, arm: ArmHistory, together: int, label: str) -> ArmResult:
    test, best, kept = arm.test, arm.best, arm.kept
    whole = [epoch.seconds for epoch in arm.epochs if epoch.epoch <= together and not epoch.partial]
    return ArmResult(
        name=name,
        label=BASELINE if arm.info.is_plain and name == BASELINE else label,
        is_plain=arm.info.is_plain,
        epochs=arm.stopped.epoch if arm.stopped and arm.stopped.diverged else arm.last.epoch if arm.last else 0,
        best_epoch=best.epoch if best else None,
        best_val_loss=best.val_loss if best else None,
        test_metric=test.metric if test else None,
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
