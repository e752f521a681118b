"""A run that was interrupted, stopped, handed over or has finished goes on in its folder as if nothing had been."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from regtui.arm.reports import Built, Saved
from regtui.cli.show import print_run
from regtui.engine import run as running
from regtui.engine import saving
from regtui.engine.crew import Crew, LocalCrew
from regtui.engine.resume import Changes, resume
from regtui.engine.run import HandedOver, RunResult, run
from regtui.epochs import table_lines
from regtui.errors import InputError
from regtui.evidence.diagnosis import describe
from regtui.evidence.steered import changes_in_words
from regtui.export.html import write as export_html
from regtui.export.saved_run import read_saved_run
from regtui.preset.file import load, to_toml
from regtui.preset.model import Preset
from regtui.protocol.control import Command, Control, HandOver, Pause, Resume, SetPatience, Stop
from regtui.protocol.events import (
    ArmStopped,
    ControlApplied,
    EpochDone,
    Event,
    Interrupted,
    RunStarted,
    Saving,
    StepsDone,
)
from regtui.protocol.history import History
from regtui.runs import log as run_log
from regtui.runs.alive import standing
from regtui.runs.checkpoint import MANIFEST, Manifest, commit, read_manifest
from regtui.runs.events import read_events
from regtui.runs.log import RunLog
from regtui.runs.resumable import resumable
from regtui.runs.summary import read_summary
from regtui.runs.trash import TRASH
from regtui.text import NBSP
from tests.conftest import small_preset
from tests.same_run import assert_same, course, lines, seams
from tests.scripted import ScriptedCrew

FALLING = [1.0 - 0.1 * epoch for epoch in range(9)]
LOSSES = {"baseline": FALLING, "regularized": [0.9, 0.8, 0.85, 0.86, 0.87, 0.88, 0.89, 0.9, 0.91]}
EVERYTHING: dict[str, Any] = {
    "l1": {"mode": "loss"},
    "l2": {},
    "dropout": {"rate": 0.3, "input_rate": 0.1},
    "batch_norm": {},
    "early_stopping": {"patience": 4},
}


class Killed(BaseException):
    """Ends a run as SIGKILL does: nothing is told or written after it."""


Act = Callable[[Event], list[Command]]


def nothing(_event: Event) -> list[Command]:
    return []


def killed_if(when: Callable[[Event], bool]) -> Act:
    def act(event: Event) -> list[Command]:
        if when(event):
            raise Killed
        return []

    return act


def in_epoch(number: int) -> Act:
    """Kills when the first steps of an epoch are told."""
    return killed_if(lambda event: isinstance(event, StepsDone) and event.epoch == number)


def at_event(number: int) -> Act:
    """Kills at the event of this number."""
    counted = count()
    return killed_if(lambda _event: next(counted) == number)


def once(when: Callable[[Event], bool], *commands: Command) -> Act:
    """Sends commands after the first such event."""
    left = list(commands)

    def act(event: Event) -> list[Command]:
        if not when(event):
            return []
        sent, left[:] = left[:], []
        return sent

    return act


def steps_of(epoch: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, StepsDone) and event.epoch == epoch


def scripted() -> Crew:
    return ScriptedCrew(LOSSES)


class Runs:
    """Makes runs in a folder of a test; one that is killed leaves what a killed process leaves.

    Attributes:
        events: What the last run told.
        handed_over: Whether it was handed over.
        killed: Whether it was killed.
    """

    def __init__(self, logs: Path, patch: pytest.MonkeyPatch) -> None:
        self.logs = logs
        self.events: list[Event] = []
        self.handed_over = False
        self.killed = False
        end = running._end
        patch.setattr(running, "_end", lambda *args: None if self.killed else end(*args))

    def whole(self, preset: Preset, act: Act = nothing, crew: Callable[[], Crew] = scripted, **how: Any) -> Path:
        return self._made(lambda *told: run(preset, self.logs, told[0], told[1], crew(), told[2], **how), act)

    def resumed(self, folder: Path, act: Act = nothing, crew: Callable[[], Crew] = scripted, **changes: Any) -> Path:
        asked = Changes(**changes)
        return self._made(lambda *told: resume(folder, asked, told[0], told[1], crew(), told[2]), act)

    def _made(self, make: Callable[..., RunResult], act: Act) -> Path:
        control, folders = Control(), list[Path]()
        self.events, self.handed_over, self.killed = [], False, False

        def emit(event: Event) -> None:
            try:
                commands = act(event)
            except Killed:
                self.killed = True
                raise
            self.events.append(event)
            for command in commands:
                control.send(command)

        try:
            make(control, emit, folders.append)
        except HandedOver:
            self.handed_over = True
        except Killed:
            if not folders:
                raise
            if (folders[0] / "summary.json").exists():
                return folders[0]
            with (folders[0] / "events.jsonl").open("a") as file:
                file.write('{"t":9.9,"kind":"epo')  # a torn line
        return folders[0]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)  # what a loss of power leaves is tested elsewhere
    return Runs(tmp_path, monkeypatch)


def preset_of(epochs: int = 5, **tables: Any) -> Preset:
    return small_preset(train={"epochs": epochs}, **tables)


# With real arms


@pytest.mark.parametrize(
    "tables",
    [pytest.param({}, marks=pytest.mark.slow, id="plain"), pytest.param({"regularized": EVERYTHING}, id="everything")],
)
def test_killed_in_its_third_epoch_a_run_ends_as_if_nothing_had_been(runs: Runs, tables: dict[str, Any]) -> None:
    preset = preset_of(4, **tables)
    whole = runs.whole(preset, crew=LocalCrew)
    cut = runs.whole(preset, in_epoch(3), LocalCrew)
    assert resumable(cut).words == "goes on after epoch 2 of 4"
    assert runs.resumed(cut, crew=LocalCrew) == cut
    seam = runs.events[0]
    assert isinstance(seam, Interrupted)
    assert (seam.epoch, seam.step, seam.arms, seam.differs) == (2, 20, ["baseline", "regularized"], "")
    assert_same(cut, whole)


@pytest.mark.slow
def test_stopped_and_handed_over_it_ends_as_if_nothing_had_been(runs: Runs) -> None:
    preset = preset_of(4, regularized=EVERYTHING)
    whole = runs.whole(preset, crew=LocalCrew)
    cut = runs.whole(preset, once(steps_of(2), HandOver()), LocalCrew)
    assert runs.handed_over
    runs.resumed(cut, once(steps_of(3), Stop()), LocalCrew)
    assert summary_of(cut).status == "stopped"
    runs.resumed(cut, crew=LocalCrew)
    assert seams(cut) == 2
    for name in ("summary.epoch-3.json", "predictions.epoch-3.safetensors"):
        (cut / name).unlink()
    assert_same(cut, whole)


def test_a_finished_run_that_is_trained_on_equals_one_that_was_planned_so(runs: Runs) -> None:
    whole, short = (runs.whole(preset_of(epochs, regularized=EVERYTHING), crew=LocalCrew) for epochs in (4, 2))
    before = (short / "summary.json").read_bytes()
    runs.resumed(short, crew=LocalCrew, epochs=4)
    assert (short / "summary.epoch-2.json").read_bytes() == before, "nothing of the earlier outcome is lost"
    seam, told = runs.events[:2]
    assert isinstance(seam, Interrupted)
    assert isinstance(told, ControlApplied)
    assert (seam.extended, seam.epoch, seam.epochs) == (True, 2, 4)
    assert (told.command, told.key, told.value, told.epoch) == ("set_epochs", "epochs", 4, 2)
    assert summary_of(short).interventions == 1
    ours = [line for line in course(short)[1:] if line.get("command") != "set_epochs"]
    assert ours == course(whole)[1:], "but for the number of epochs that its start tells"
    ours_on_disk, theirs = (
        load_file(folder / "checkpoint" / "regularized-40.safetensors") for folder in (short, whole)
    )
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours_on_disk.items())
    assert ours_on_disk.keys() == theirs.keys()


def summary_of(folder: Path) -> Any:
    summary = read_summary(folder)
    assert summary is not None
    return summary


# Wherever it is cut, with arms that compute nothing


@pytest.mark.parametrize("patience", [pytest.param(None, marks=pytest.mark.slow), 1])
def test_killed_at_any_event_it_ends_as_if_nothing_had_been(runs: Runs, patience: int | None) -> None:
    stopping = {} if patience is None else {"early_stopping": {"patience": patience}}
    preset = preset_of(3 if patience is None else 4, regularized={"dropout": {}, **stopping})
    whole = runs.whole(preset)
    moments = len(runs.events)
    assert moments > 15
    for number in range(1, moments - 1):  # when the last is told, the run has ended
        cut = runs.whole(preset, at_event(number))
        runs.resumed(cut)
        assert course(cut) == course(whole), f"killed at event {number}"
        assert seams(cut) == 1
        assert outcome(cut) == outcome(whole)
        assert (cut / "preset.toml").read_bytes() == (whole / "preset.toml").read_bytes()


def outcome(folder: Path) -> Any:
    told = summary_of(folder).model_dump(exclude={"wall_seconds", "train_seconds"})
    for arm in told["arms"].values():
        del arm["seconds"]
    return told


def test_killed_again_and_again_it_comes_to_the_same(runs: Runs) -> None:
    preset = preset_of(5)
    whole = runs.whole(preset)
    cut = runs.whole(preset, in_epoch(1))
    assert resumable(cut).words == "begins anew: it has no checkpoint"
    for number in (0, 1, 9, 2, 17, 3, 0, 1, 14):
        runs.resumed(cut, at_event(number))
    runs.resumed(cut)
    assert course(cut) == course(whole)
    assert outcome(cut) == outcome(whole)
    assert seams(cut) > 1
    assert len(json.loads((cut / "run.json").read_text())["resumed"]) == 10


def test_a_run_that_failed_while_it_was_tested_is_tested(runs: Runs) -> None:
    whole = runs.whole(preset_of(3))
    cut = runs.whole(preset_of(3), killed_if(lambda event: event.kind == "scored"))
    failed = summary_of(whole).model_copy(update={"status": "failed"})
    (cut / "summary.json").write_text(failed.model_dump_json(by_alias=True))
    assert resumable(cut).words == "is tested: it has trained all of its 3 epochs"
    runs.resumed(cut)
    assert course(cut) == course(whole)
    assert outcome(cut) == outcome(whole)


@pytest.mark.parametrize("kind", ["steps_done", "epoch_done", "arm_stopped"])
def test_one_that_is_stopped_at_once_at_its_very_end_has_not_finished(runs: Runs, kind: str) -> None:
    whole = runs.whole(preset_of(3))
    cut = runs.whole(preset_of(3), once(lambda event: event.kind == kind and is_at_the_end(event), Stop(at_once=True)))
    assert summary_of(cut).status == "stopped"
    runs.resumed(cut)
    assert course(cut) == course(whole)
    assert outcome(cut) == outcome(whole)


def is_at_the_end(event: Event) -> bool:
    """Of three epochs with ten steps each."""
    if isinstance(event, StepsDone):
        return event.first_step + len(event.losses) > 30
    return isinstance(event, ArmStopped) or (isinstance(event, EpochDone) and event.epoch == 3)


def test_nothing_is_left_of_what_a_killed_process_was_writing(runs: Runs) -> None:
    whole = runs.whole(preset_of(3), crew=LocalCrew)
    cut = runs.whole(preset_of(3), killed_if(lambda event: event.kind == "scored"), LocalCrew)
    for name in ("events.tmp", ".summary.json.0a1b2c3d.tmp", "predictions.safetensors", ".run.json.00000000.tmp"):
        (cut / name).write_bytes(b"half")
    runs.resumed(cut, crew=LocalCrew)
    assert_same(cut, whole)


def test_a_run_without_checkpoints_begins_anew(runs: Runs) -> None:
    preset = preset_of(3)
    whole = runs.whole(preset, checkpoints=False)
    cut = runs.whole(preset, in_epoch(3), checkpoints=False)
    of_study = runs.logs / "study" / "runs" / cut.name
    shutil.copytree(cut, of_study)
    (runs.logs / "study" / "study.toml").touch()
    for folder in (cut, of_study):
        runs.resumed(folder)
        assert [event.kind for event in runs.events[:2]] == ["run_started", "interrupted"]
        assert course(folder) == course(whole)
    assert read_manifest(cut / "checkpoint") is not None, "a checkpoint that was removed comes back"
    assert not (of_study / "checkpoint").exists()


def test_what_was_steered_before_the_checkpoint_holds_and_what_came_after_is_undone(runs: Runs) -> None:
    steering = once(steps_of(2), SetPatience(arm="regularized", patience=3))
    again, later = (
        once(steps_of(2), SetPatience(arm="regularized", patience=3)),
        once(steps_of(4), SetPatience(arm="regularized", patience=1), Pause()),
    )
    preset = preset_of(9)
    whole = runs.whole(preset, steering)
    killed = killed_if(lambda event: event.kind == "paused")
    cut = runs.whole(preset, lambda event: [*again(event), *later(event), *killed(event)])
    runs.resumed(cut)
    assert isinstance(runs.events[0], Interrupted)
    assert re.fullmatch(
        r"resumed after epoch \d; \d lines of the log after it were dropped; 1 change made after it undone",
        runs.events[0].words(),
    )
    assert course(cut) == course(whole)
    assert summary_of(cut).arms["regularized"].stop_reason == "early_stopping"


# What is changed


def test_epochs_and_patience_given_on_resuming_win_and_are_interventions(runs: Runs) -> None:
    cut = runs.whole(preset_of(5, regularized={"early_stopping": {"patience": 9}}), in_epoch(4))
    runs.resumed(cut, at_event(9), epochs=8, patience=4)
    told = [(event.key, event.arm, event.value) for event in runs.events if isinstance(event, ControlApplied)]
    assert told == [("epochs", None, 8), ("patience", "regularized", 4)]
    assert all(
        event.by is not None and event.by.pid == os.getpid() for event in runs.events[:3] if hasattr(event, "by")
    )
    assert load(str(cut / "preset.toml")).train.epochs == 8
    runs.resumed(cut)  # killed once more, it still knows
    assert not any(isinstance(event, ControlApplied) for event in runs.events)
    history = History.of(read_events(cut))
    assert history.planned == [5, 8, 8]
    assert history.interventions == 2
    summary = summary_of(cut)
    assert (summary.arms["baseline"].epochs, summary.arms["baseline"].stop_reason) == (8, "max_epochs")
    assert (summary.arms["regularized"].epochs, summary.arms["regularized"].stop_reason) == (6, "early_stopping")
    assert changes_in_words(history, load(str(cut / "preset.toml")))[0].replace(NBSP, " ") == "epochs 5 → 8 at epoch 3"


def test_a_run_that_begins_anew_is_simply_of_the_new_preset(runs: Runs) -> None:
    cut = runs.whole(preset_of(5), in_epoch(1))
    runs.resumed(cut, epochs=3, patience=1)
    assert summary_of(cut).interventions == 0
    preset = load(str(cut / "preset.toml"))
    assert preset.train.epochs == 3
    assert [arm.early_stopping and arm.early_stopping.patience for arm in preset.arms().values()] == [1, 1]
    whole = runs.whole(preset)
    assert course(cut) == course(whole)


def test_fewer_epochs_end_it_where_it_is(runs: Runs) -> None:
    cut = runs.whole(preset_of(5), in_epoch(4))
    with pytest.raises(InputError, match="has trained 3 epochs, and --epochs 2 are fewer"):
        runs.resumed(cut, epochs=2)
    runs.resumed(cut, killed_if(lambda event: event.kind == "scored"), epochs=3)
    runs.resumed(cut)
    assert course(cut)[-1]["status"] == "finished"
    assert [line["reason"] for line in course(cut) if line["kind"] == "arm_stopped"] == ["max_epochs"] * 2
    assert summary_of(cut).arms["baseline"].epochs == 3
    with pytest.raises(InputError, match="has finished its 3 epochs"):
        resumable(cut)


def test_a_patience_that_it_has_already_is_no_intervention(runs: Runs) -> None:
    cut = runs.whole(preset_of(5, regularized={"early_stopping": {"patience": 9}}), in_epoch(4))
    runs.resumed(cut, epochs=5, patience=9)
    assert summary_of(cut).interventions == 0


def test_an_extension_that_is_killed_at_any_event_loses_nothing(runs: Runs) -> None:
    preset = preset_of(2)
    finished = runs.whole(preset)
    before = outcome(finished)
    whole = shutil.copytree(finished, runs.logs / "whole")
    runs.resumed(whole, epochs=3)
    for number in range(len(runs.events) - 1):
        cut = shutil.copytree(finished, runs.logs / str(number))
        runs.resumed(cut, at_event(number), epochs=3)
        assert json.loads((cut / "summary.epoch-2.json").read_text())["status"] == "finished"
        back = shutil.copytree(cut, runs.logs / f"{number} back")
        runs.resumed(cut)
        assert course(cut) == course(whole), f"killed at event {number}"
        assert outcome(cut) == outcome(whole)
        if resumable(back).epoch == 2:
            runs.resumed(back, epochs=2)
            assert outcome(back) | {"interventions": 0} == before, "and it can be taken back"


def test_cut_off_between_any_two_files_it_can_be_resumed_and_nothing_is_lost(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = runs.whole(preset_of(2))
    before = (finished / "summary.json").read_bytes(), (finished / "predictions.safetensors").read_bytes()
    (finished / "summary.epoch-2.json").write_bytes(b"of an end before")
    whole = shutil.copytree(finished, runs.logs / "whole")
    runs.resumed(whole, epochs=3)
    for number in count():
        cut = shutil.copytree(finished, runs.logs / str(number))
        if not resumed_until_call(runs, cut, number, monkeypatch, epochs=3):
            break
        runs.resumed(cut, epochs=3)
        assert course(cut) == course(whole), f"killed at call {number}"
        assert outcome(cut) == outcome(whole)
        kept = (cut / "summary.epoch-2_2.json").read_bytes(), (cut / "predictions.epoch-2_2.safetensors").read_bytes()
        assert kept == before
        assert (cut / "summary.epoch-2.json").read_bytes() == b"of an end before"
        assert len([*cut.glob("*.epoch-*")]) == 3
    assert number > 4


def dying(call: Callable[..., Any], now: Callable[[], bool]) -> Callable[..., Any]:
    """Kills instead of a call."""

    def called(*args: Any, **kwargs: Any) -> Any:
        if now():
            raise Killed
        return call(*args, **kwargs)

    return called


def test_what_a_resumption_has_changed_outlasts_one_that_is_cut_off_between_any_two_files(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = runs.whole(preset_of(3, regularized={"early_stopping": {"patience": 9}}), in_epoch(2))
    runs.resumed(twice, in_epoch(2), patience=3)
    whole = shutil.copytree(twice, runs.logs / "whole")
    runs.resumed(whole)
    assert summary_of(whole).interventions == 1
    for number in count():
        cut = shutil.copytree(twice, runs.logs / str(number))
        done = not resumed_until_call(runs, cut, number, monkeypatch)
        if not done:
            runs.resumed(cut)
        assert course(cut) == course(whole), f"killed at call {number}"
        assert outcome(cut) == outcome(whole)
        assert seams(cut) >= 2, "the one with the change is still there"
        if done:
            break
    assert number > 4


def resumed_until_call(runs: Runs, folder: Path, number: int, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> bool:
    """Resumes a run and kills it before a call that changes its folder; returns whether that came before its end."""
    calls = count()

    def now() -> bool:
        runs.killed |= next(calls) == number
        return runs.killed

    with monkeypatch.context() as patch:
        for name in ("sync_folder", "write_whole", "renumber", "EventFile"):
            patch.setattr(run_log, name, dying(getattr(run_log, name), now))
        with suppress(Killed):
            runs.resumed(folder, **changes)
    return runs.killed


def test_an_arm_that_ended_by_itself_stays_ended(runs: Runs) -> None:
    preset = preset_of(4, regularized={"early_stopping": {"patience": 1}})
    folder = runs.whole(preset)
    with pytest.raises(InputError, match="has finished its 4 epochs; to train on, ask for more: --epochs 8"):
        runs.resumed(folder)
    runs.resumed(folder, epochs=6)
    ends = {name: (arm.epochs, arm.stop_reason) for name, arm in summary_of(folder).arms.items()}
    assert ends == {"baseline": (6, "max_epochs"), "regularized": (3, "early_stopping")}
    with pytest.raises(InputError, match="--patience 3: no arm with early stopping trains on"):
        runs.resumed(folder, epochs=8, patience=3)
    both = runs.whole(preset_of(4, **{arm: {"early_stopping": {"patience": 1, "min_delta": 0.5}} for arm in LOSSES}))
    with pytest.raises(InputError, match=r"nothing left to train: .* baseline \(early stopping\) and regularized"):
        runs.resumed(both, epochs=8)


def test_a_cosine_schedule_is_planned_anew_and_that_is_said(runs: Runs) -> None:
    preset = small_preset(train={"epochs": 3, "schedule": "cosine"})
    cut = runs.whole(preset, in_epoch(3))
    runs.resumed(cut, epochs=5)
    seam = runs.events[0]
    assert isinstance(seam, Interrupted)
    assert seam.differs == "the cosine learning rate is planned anew, for 5 epochs"
    assert seam.words().startswith("resumed after epoch 2")


def test_what_may_make_other_numbers_is_said(runs: Runs) -> None:
    cut = runs.whole(preset_of(3), in_epoch(2))
    told = json.loads((cut / "run.json").read_text())
    told["versions"]["torch"], told["host"], told["threads"] = "1.0", "elsewhere", 4
    (cut / "run.json").write_text(json.dumps(told))
    change(cut, threads=4)
    for name in ("run.json", "events.jsonl"):
        os.utime(cut / name, (1e9, 1e9))  # of another machine's process only its silence is known
    runs.resumed(cut, at_event(3))
    seam = runs.events[0]
    assert isinstance(seam, Interrupted)
    assert seam.differs.startswith("torch 1.0 → ")
    assert seam.differs.endswith("; 4 threads → 1; another machine")
    runs.resumed(cut)
    assert isinstance(runs.events[0], Interrupted)
    assert runs.events[0].differs == "", "not different from what it was resumed with"


def change(folder: Path, **fields: Any) -> None:
    """Changes fields of the start in a run's log."""
    path = folder / "events.jsonl"
    first, *rest = path.read_text().splitlines(keepends=True)
    path.write_text(json.dumps(json.loads(first) | fields) + "\n" + "".join(rest))


# What is handed over


def test_a_run_that_is_handed_over_has_no_end_and_trains_nowhere(runs: Runs) -> None:
    folder = runs.whole(preset_of(3), once(steps_of(2), HandOver()))
    assert runs.handed_over
    assert [line["kind"] for line in lines(folder)][-1] == "control_applied"
    assert not (folder / "summary.json").exists()
    assert standing(folder, json.loads((folder / "run.json").read_text())).status == "interrupted"
    assert resumable(folder).epoch == 2
    whole = runs.whole(preset_of(3))
    runs.resumed(folder)
    assert course(folder) == course(whole)


def test_a_paused_run_goes_on_to_the_end_of_its_epoch_and_is_handed_over(runs: Runs) -> None:
    def act(event: Event) -> list[Command]:
        pausing = steps_of(2)(event) and not paused
        paused.extend([True] * pausing)
        return [Pause()] if pausing else [HandOver()] if event.kind == "paused" else []

    paused: list[bool] = []
    folder = runs.whole(preset_of(4), act)
    assert runs.handed_over
    assert resumable(folder).epoch == 2
    assert {"paused", "resumed"} <= {event.kind for event in runs.events}


def test_what_was_changed_after_a_checkpoint_is_saved_before_the_run_is_handed_over(runs: Runs) -> None:
    def act(event: Event) -> list[Command]:
        if event.kind == "paused":
            return [SetPatience(arm="regularized", patience=7), HandOver()]
        if isinstance(event, RunStarted):
            return [Pause(), Resume(one_epoch=True)] if not told else []
        return []

    told: list[bool] = []

    def first(event: Event) -> list[Command]:
        if event.kind == "paused" and not told:
            told.append(True)
            return []
        return act(event)

    folder = runs.whole(preset_of(4), first)
    assert runs.handed_over
    assert resumable(folder).epoch == 2, "an epoch later than it was paused"
    runs.resumed(folder)
    assert History.of(read_events(folder)).interventions == 1


def test_a_run_that_can_t_save_its_weights_is_not_handed_over(runs: Runs) -> None:
    class Full(ScriptedCrew):
        def _save(self, arm: str, folder: Path, step: int, ended: object) -> Saved:  # noqa: ARG002
            return Saved(None, "No space left on device; make room there")

    folder = runs.whole(preset_of(3), once(steps_of(2), HandOver()), lambda: Full(LOSSES))
    assert not runs.handed_over
    (answer,) = (event for event in runs.events if isinstance(event, ControlApplied))
    assert (answer.command, answer.accepted) == ("hand_over", False)
    assert answer.why == "the weights can't be saved: No space left on device; make room there"
    assert summary_of(folder).status == "finished"
    runs.whole(preset_of(3), once(steps_of(2), HandOver()), checkpoints=False)
    (answer,) = (event for event in runs.events if isinstance(event, ControlApplied))
    assert answer.why == "this run saves no checkpoint that another process could resume"
    runs.whole(preset_of(3), once(steps_of(3), HandOver()))
    assert not runs.handed_over, "it has ended before"


# What can't be resumed, and what is damaged


def test_a_run_that_trains_is_not_resumed(runs: Runs) -> None:
    def act(event: Event) -> list[Command]:
        if event.kind == "epoch_done":
            folder = next(runs.logs.iterdir())
            with pytest.raises(InputError, match=f"still trains in process {os.getpid()}; 'regtui attach' shows it"):
                resumable(folder)
            with pytest.raises(InputError, match="another process trains this run"):
                RunLog.resumed(folder, checkpoints=True)
        return []

    folder = runs.whole(preset_of(1), act)
    assert summary_of(folder).status == "finished"


def test_a_run_that_was_paused_when_the_machine_was_started_anew_can_be_resumed(runs: Runs) -> None:
    cut = runs.whole(preset_of(4), lambda event: [Pause()] if steps_of(2)(event) else killed_if(is_paused)(event))
    told = json.loads((cut / "run.json").read_text())
    assert told["locked"], "its process held the lock"
    for name, changes in (
        ("on this host, before a restart", {"boot_id": "another"}),
        ("in another container", {"pid_namespace": "pid:[1]", "host": "0a1b2c3d"}),
        ("on another host, long ago", {"boot_id": "another", "host": "node17"}),
    ):
        (cut / "run.json").write_text(json.dumps(told | changes))
        if name.endswith("long ago"):
            for file in ("run.json", "events.jsonl"):
                os.utime(cut / file, (1e9, 1e9))
        with RunLog.resumed(cut, checkpoints=True), pytest.raises(InputError, match="still trains in"):
            resumable(cut)
        assert resumable(cut).epoch > 0, name
    (cut / "run.json").write_text(json.dumps(told | {"boot_id": "another", "host": "node17"}))
    with pytest.raises(InputError, match=r"may still train in process .* on 'node17': its files changed .* try again"):
        resumable(cut)


def is_paused(event: Event) -> bool:
    return event.kind == "paused"


def test_while_one_process_gets_ready_to_resume_it_no_other_does(runs: Runs) -> None:
    cut = runs.whole(preset_of(3), in_epoch(2))
    told = json.loads((cut / "run.json").read_text())
    (cut / "run.json").write_text(json.dumps(told | {"pid": 2**22 + 1}))  # of the one that was killed
    with RunLog.resumed(cut, checkpoints=True):
        with pytest.raises(InputError, match="still trains in another process; 'regtui attach' shows it"):
            resumable(cut)
        with pytest.raises(InputError, match="another process trains this run"):
            RunLog.resumed(cut, checkpoints=True)
    assert resumable(cut).epoch == 1


def test_what_is_no_run_or_has_saved_too_little_is_said(runs: Runs) -> None:
    with pytest.raises(InputError, match="is no run's folder"):
        resumable(runs.logs)
    done = runs.whole(preset_of(1), checkpoints=False)
    with pytest.raises(InputError, match="has ended and saved no checkpoint to go on from"):
        resumable(done, epochs=5)
    cut = runs.whole(preset_of(3), in_epoch(2))
    with pytest.raises(InputError, match=r"is in the trash; 'regtui review .*\.trash' shows it, and u brings it back"):
        resumable(shutil.copytree(cut, runs.logs / TRASH / cut.name))
    (cut / "events.jsonl").rename(cut / "elsewhere")
    with pytest.raises(InputError, match=r"events\.jsonl' is missing, so that the run can't be resumed"):
        runs.resumed(cut)
    (cut / "elsewhere").rename(cut / "events.jsonl")
    (cut / "checkpoint" / MANIFEST).unlink()
    (cut / "checkpoint" / "baseline-last.safetensors").touch()
    with pytest.raises(InputError, match="is of an earlier version, which saved too little to go on from"):
        resumable(cut)


def test_checkpoints_of_earlier_versions_find_their_place_in_the_log(runs: Runs) -> None:
    preset = preset_of(4, regularized={"early_stopping": {"patience": 1}})
    whole = runs.whole(preset)
    cut = runs.whole(preset, in_epoch(4))
    assert manifest_of(cut, without="lines")["epoch"] == 3
    runs.resumed(cut)
    assert course(cut) == course(whole)
    stopped = runs.whole(preset, in_epoch(2))
    runs.resumed(stopped, once(steps_of(2), Stop()))
    manifest_of(stopped, without="whole")
    with pytest.raises(
        InputError, match="was stopped inside an epoch by an earlier version, which kept no epoch's end"
    ):
        resumable(stopped)


def manifest_of(folder: Path, *, without: str) -> dict[str, Any]:
    path = folder / "checkpoint" / MANIFEST
    told: dict[str, Any] = json.loads(path.read_text())
    assert told.pop(without) is not None
    path.write_text(json.dumps(told))
    return told


def test_a_log_that_lost_lines_is_gone_on_with_if_it_has_its_epochs(runs: Runs) -> None:
    cut = runs.whole(preset_of(4), in_epoch(3))
    path = cut / "events.jsonl"
    told = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in told if '"steps_done"' not in line or '"epoch":2' in line))
    runs.resumed(cut)
    words = [event.words for event in runs.events if isinstance(event, Saving)]
    assert words == ["the losses of 20 steps of earlier epochs are missing in the log"]
    assert summary_of(cut).unsaved == words[0]
    assert [line["epoch"] for line in course(cut) if line["kind"] == "epoch_done"] == [1, 1, 2, 2, 3, 3, 4, 4]


def test_a_log_that_lost_a_line_keeps_nothing_of_an_epoch_that_was_not_saved(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed_before_the_third(folder: Path, manifest: Manifest) -> None:
        runs.killed = manifest.epoch == 3
        if runs.killed:
            raise Killed
        commit(folder, manifest)

    whole = runs.whole(preset_of(4))
    with monkeypatch.context() as patch:
        patch.setattr(saving, "commit", killed_before_the_third)
        cut = runs.whole(preset_of(4))
    path = cut / "events.jsonl"
    started, lost, *others = path.read_text().splitlines(keepends=True)
    assert '"steps_done"' in lost
    assert any('"epoch":3' in line for line in others)
    path.write_text("".join([started, *others]))
    runs.resumed(cut)
    ours, theirs = ([line for line in course(run) if line["kind"] == "steps_done"] for run in (cut, whole))
    assert ours == theirs[1:], "no step is there twice"


def test_a_log_that_lost_an_epoch_is_a_sentence_and_stays_as_it_is(runs: Runs) -> None:
    cut = runs.whole(preset_of(4), in_epoch(3))
    path = cut / "events.jsonl"
    told = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in told if not ('"epoch_done"' in line and '"epoch":2' in line)))
    before = {file: file.read_bytes() for file in cut.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match="lacks epoch 2 of the baseline arm, so that the run can't be resumed"):
        runs.resumed(cut)
    assert {file: file.read_bytes() for file in cut.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        (
            "model.hidden=[8]",
            r"its preset\.toml was changed after it was trained: it has model\.hidden \[8\] instead of",
        ),
        ("train.batch_size=50", "is of another preset: 20 steps are not 2 of its epochs"),
    ],
)
def test_a_preset_that_no_longer_fits_is_a_sentence(runs: Runs, setting: str, match: str) -> None:
    cut = runs.whole(preset_of(3), in_epoch(3), LocalCrew)
    preset = load(str(cut / "preset.toml"), [setting])
    (cut / "preset.toml").write_text(to_toml(preset))
    before = (cut / "events.jsonl").read_bytes()
    with pytest.raises(InputError, match=match):
        runs.resumed(cut, crew=LocalCrew)
    assert (cut / "events.jsonl").read_bytes() == before


def test_the_checkpoint_of_another_run_of_the_same_preset_is_not_gone_on_with(runs: Runs) -> None:
    """As of one that was steered: its weights are none of what this log tells."""
    cut = runs.whole(preset_of(4), in_epoch(3))
    other = runs.whole(preset_of(4), in_epoch(3), lambda: ScriptedCrew(LOSSES | {"regularized": [0.7, 0.6, 0.5]}))
    for folder in (cut, other):
        mixed = shutil.copytree(folder, runs.logs / f"{folder.name}-mixed")
        shutil.rmtree(mixed / "checkpoint")
        shutil.copytree(other / "checkpoint", mixed / "checkpoint")
        shutil.copy(cut / "events.jsonl", mixed / "events.jsonl")
        before = (mixed / "events.jsonl").read_bytes()
        with pytest.raises(InputError, match="is of another run than the checkpoint: the best validation loss of the"):
            runs.resumed(mixed)
        assert (mixed / "events.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("train.learning_rate=0.1", "has train.learning_rate 0.1 instead of 0.001"),
        ("data.train_samples=317", "has data.train_samples 317 instead of 320"),
        ("train.optimizer='sgd'", "has train.optimizer sgd instead of adam"),
        ("data.seed=3", "has data.seed 3, which was not set"),
        ("regularized.dropout.rate=0.1", "has regularized.dropout.rate 0.1 instead of 0.5"),
    ],
)
def test_a_preset_that_was_changed_by_hand_is_not_gone_on_with(runs: Runs, setting: str, words: str) -> None:
    cut = runs.whole(preset_of(3), in_epoch(3))
    path = cut / "preset.toml"
    path.write_text(to_toml(load(str(path), [setting, "title='Another'"])))
    with pytest.raises(InputError, match=rf"its preset\.toml was changed after it was trained: it {words}; put"):
        resumable(cut)


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"data": "others"}, "MNIST has other examples than those that it was trained on"),
        ({"split": {"validation": "others"}}, "the images of MNIST are split in another way than before"),
    ],
)
def test_other_data_than_it_was_trained_on_are_a_sentence(runs: Runs, others: dict[str, Any], words: str) -> None:
    class Others(ScriptedCrew):
        def _built(self, arm: str) -> Built:
            return super()._built(arm)._replace(**others)

    cut = runs.whole(preset_of(3), in_epoch(3))
    before = {file: file.read_bytes() for file in cut.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match=words):
        runs.resumed(cut, crew=lambda: Others(LOSSES))
    assert {file: file.read_bytes() for file in cut.rglob("*") if file.is_file()} == before


def test_the_log_of_a_run_whose_checkpoint_was_removed_is_kept_beside(runs: Runs) -> None:
    whole = runs.whole(preset_of(4))
    cut = runs.whole(preset_of(4), in_epoch(4))
    before = (cut / "events.jsonl").read_bytes()
    shutil.rmtree(cut / "checkpoint")
    (cut / "events.epoch-3.jsonl").write_bytes(before)  # by one that was cut off right after that
    runs.resumed(cut, in_epoch(4))
    assert (cut / "events.epoch-3.jsonl").read_bytes() == before
    again = (cut / "events.jsonl").read_bytes()
    shutil.rmtree(cut / "checkpoint")
    runs.resumed(cut)
    assert (cut / "events.epoch-3.jsonl").read_bytes() == before
    assert (cut / "events.epoch-3_2.jsonl").read_bytes() == again
    assert len([*cut.glob("events.epoch-*")]) == 2
    assert course(cut) == course(whole)


def test_of_a_run_that_ended_several_times_in_one_epoch_each_outcome_is_kept(runs: Runs) -> None:
    whole = runs.whole(preset_of(4))
    cut = runs.whole(preset_of(4), once(lambda event: isinstance(event, EpochDone) and event.epoch == 2, Stop()))
    outcomes = []
    for _ in range(3):
        outcomes.append(tuple((cut / name).read_bytes() for name in ("summary.json", "predictions.safetensors")))
        runs.resumed(cut, once(lambda event: isinstance(event, Interrupted), Stop()))
        assert summary_of(cut).status == "stopped"
    for number, found in zip(("", "_2", "_3"), outcomes, strict=True):
        names = f"summary.epoch-2{number}.json", f"predictions.epoch-2{number}.safetensors"
        assert tuple((cut / name).read_bytes() for name in names) == found
    runs.resumed(cut)
    assert course(cut) == course(whole)
    assert outcome(cut) == outcome(whole)


def test_what_to_do_about_a_damaged_checkpoint_is_said_and_nothing_is_changed(runs: Runs) -> None:
    class Damaged(ScriptedCrew):
        def _load(self, *_: Any) -> None:
            raise InputError("baseline-20.safetensors is damaged")

    cut = runs.whole(preset_of(4), in_epoch(3))
    finished = runs.whole(preset_of(4))
    before = {file: file.read_bytes() for file in runs.logs.rglob("*") if file.is_file()}
    anew = "put back a good copy of it, or remove the folder 'checkpoint', and the run begins anew"
    as_another = "put back a good copy of it, or train the run's preset.toml anew"
    cases: list[tuple[Path, dict[str, Any], str]] = [(cut, {}, anew), (finished, {"epochs": 6}, as_another)]
    for folder, changes, words in cases:
        with pytest.raises(InputError, match=f"^baseline-20.safetensors is damaged; {words}$"):
            runs.resumed(folder, crew=lambda: Damaged(LOSSES), **changes)
        assert {file: file.read_bytes() for file in runs.logs.rglob("*") if file.is_file()} == before
        (folder / "checkpoint" / MANIFEST).write_text("{")
        with pytest.raises(InputError, match=f"can't be used: manifest.json is damaged; {words}$"):
            runs.resumed(folder, **changes)
        before[folder / "checkpoint" / MANIFEST] = b"{"
    shutil.rmtree(cut / "checkpoint")
    assert resumable(cut).words == "begins anew: it has no checkpoint"
    shutil.rmtree(finished / "checkpoint")
    with pytest.raises(InputError, match=r"train its preset.toml anew"):
        resumable(finished, epochs=6)


ODD: list[Any] = [None, -1, 0, 1e308, "x", [], {}, True, 10**30, "../../x", 0.5, "\x1b[31m", 2**63]


def spoil(value: Any, chance: random.Random) -> None:
    """Removes something somewhere in a table of JSON, or puts something odd in its place."""
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = chance.choice(keys)
    if isinstance(value[key], dict | list) and value[key] and chance.random() < 0.6:
        spoil(value[key], chance)
    elif chance.random() < 0.2:
        del value[key]
    else:
        value[key] = chance.choice(ODD)


@pytest.mark.slow
def test_spoiled_files_end_in_a_sentence_before_anything_changes_or_in_a_run_with_an_end(runs: Runs) -> None:
    chance = random.Random(0)
    cut = runs.whole(preset_of(3, regularized={"dropout": {}, "early_stopping": {"patience": 1}}), in_epoch(3))
    refused = 0
    for number in range(50):
        folder = shutil.copytree(cut, runs.logs / str(number))
        path = folder / chance.choice(["events.jsonl", "run.json", "checkpoint/manifest.json"])
        lines = path.read_text().splitlines()[:-1] if path.suffix == ".jsonl" else [path.read_text()]
        place = chance.randrange(len(lines))
        table = json.loads(lines[place])
        spoil(table, chance)
        path.write_text("".join(f"{line}\n" for line in [*lines[:place], json.dumps(table), *lines[place + 1 :]]))
        for name in ("run.json", "events.jsonl"):
            os.utime(folder / name, (1e9, 1e9))
        before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        try:
            runs.resumed(folder)
        except InputError:
            refused += 1
            assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
        else:
            assert summary_of(folder).error == ""
    assert 0 < refused < 50


def test_a_run_of_a_study_keeps_its_plan(runs: Runs) -> None:
    cut = runs.whole(preset_of(3), in_epoch(3))
    inside = runs.logs / "study" / "runs" / cut.name
    shutil.copytree(cut, inside)
    (runs.logs / "study" / "study.toml").touch()
    with pytest.raises(InputError, match="is a run of a study, and goes on as its plan says"):
        resumable(inside, epochs=9)
    with pytest.raises(InputError, match="is a run of a study, and goes on as its plan says"):
        runs.resumed(inside, patience=3)
    assert resumable(inside).epoch == 2


def test_what_was_saved_again_right_after_a_checkpoint_counts_as_saved(runs: Runs) -> None:
    class OnceFull(ScriptedCrew):
        def _save(self, arm: str, folder: Path, step: int, ended: Sequence[str]) -> Saved:
            return Saved(None, "No space left on device") if step == 20 else super()._save(arm, folder, step, ended)

    cut = runs.whole(preset_of(5), in_epoch(4), lambda: OnceFull(LOSSES))
    assert History.of(read_events(cut)).unsaved, "the log ends with the checkpoint"
    runs.resumed(cut)
    assert summary_of(cut).unsaved == ""


# What is said of it


def test_show_says_how_an_interrupted_run_goes_on(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    cut = runs.whole(preset_of(4), in_epoch(3))
    circumstances = json.loads((cut / "run.json").read_text())
    (cut / "run.json").write_text(json.dumps(circumstances | {"pid": None}))  # this process lives
    print_run(str(cut), runs.logs, json=False)
    assert f"next regtui --resume {cut}  # goes on after epoch 2 of 4" in capsys.readouterr().out
    damaged = shutil.copytree(cut, runs.logs / "damaged")
    (damaged / "checkpoint" / MANIFEST).write_text("{")
    print_run(str(damaged), runs.logs, json=False)
    assert "can't be used: manifest.json is damaged" in " ".join(capsys.readouterr().out.split())
    runs.resumed(cut)
    print_run(str(cut), runs.logs, json=False)
    assert "--resume" not in capsys.readouterr().out


def test_the_seam_says_that_a_run_which_was_stopped_was_tested_then(runs: Runs) -> None:
    cut = runs.whole(preset_of(4), once(steps_of(3), Stop()))
    assert summary_of(cut).arms["baseline"].test is not None
    runs.resumed(cut, in_epoch(4))
    assert isinstance(runs.events[0], Interrupted)
    assert re.match(r"resumed after epoch \d, having been tested before; ", runs.events[0].words())
    runs.resumed(cut)
    assert isinstance(runs.events[0], Interrupted)
    assert not runs.events[0].tested, "that is told by the seam before"


def test_the_seam_is_told_wherever_a_run_is_shown(runs: Runs, tmp_path: Path) -> None:
    cut = runs.whole(preset_of(4), in_epoch(3))
    runs.resumed(cut)
    history, printed = History(), list[str]()
    for event in read_events(cut):
        history.add(event)
        printed += table_lines(event, history, None, 80)
    said = "resumed after epoch 2"
    assert sum(said in line for line in printed) == 1
    assert said.capitalize() in describe(history, 4, over=True)
    export_html(read_saved_run(cut), tmp_path / "report.html")
    assert said in (tmp_path / "report.html").read_text()
