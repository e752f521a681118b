"""Studies as they run: each run once, whatever happened before; looks; what is found again, refused or named."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from regtui.engine.run import run
from regtui.errors import InputError
from regtui.preset.file import load
from regtui.protocol.control import Control, Stop
from regtui.protocol.events import EpochDone, Event, RunStarted
from regtui.runs.lock import open_locked
from regtui.study.conduct import Opened, Pace, conduct
from regtui.study.design import Wishes, make_plan
from regtui.study.engine import Began, Ended, News
from regtui.study.folder import StudyFolder, find_studies, find_study
from regtui.study.outcome import State, StudyOutcome
from regtui.study.plan import Job
from tests.fake_engine import FakeEngine
from tests.scripted import ScriptedCrew

SETTINGS = ("train.epochs=1",)


def begun(logs: Path, seeds: str | None = "3", **wishes: object) -> StudyFolder:
    return StudyFolder.create(make_plan(load("smoke", SETTINGS), Wishes(seeds, **wishes)), logs)  # type: ignore[arg-type]


class Heard:
    """What a study has told, and a wish to stop after so many runs."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.stop = threading.Event()
        self.ended: list[Ended] = []
        self.outcomes: list[StudyOutcome] = []
        self.opened: list[Opened] = []
        self._stop_after = stop_after

    def tell(self, news: News | Opened) -> None:
        if isinstance(news, Opened):
            self.opened.append(news)
        elif isinstance(news, Ended):
            self.ended.append(news)
            if len(self.ended) >= self._stop_after:
                self.stop.set()

    def conduct(self, study: StudyFolder, engine: FakeEngine) -> State:
        return conduct(study, engine, self.stop, self.tell, self.outcomes.append)


def test_every_run_is_made_once_and_judged(tmp_path: Path) -> None:
    study, engine, heard = begun(tmp_path, vary=["train.epochs=1,2"]), FakeEngine(), Heard()
    assert heard.conduct(study, engine) == "finished"
    assert engine.begun == [job.key for job in study.jobs]
    assert sorted(study.find_runs().done) == sorted(engine.begun)
    assert heard.outcomes[0].runs == (0, 6)
    assert (heard.outcomes[-1].runs, heard.outcomes[-1].state) == ((6, 6), "finished")
    again = FakeEngine()
    assert heard.conduct(StudyFolder.open(study.path), again) == "finished"
    assert again.begun == []


def test_a_study_goes_on_where_it_was_and_comes_to_the_same(tmp_path: Path) -> None:
    study, heard = begun(tmp_path, "6"), Heard(stop_after=2)
    assert heard.conduct(study, FakeEngine()) == "stopped"
    first = dict(study.find_runs().done)
    assert 2 <= len(first) < 6

    engine, later = FakeEngine(), Heard()
    assert later.conduct(StudyFolder.open(study.path), engine) == "finished"
    assert not {*engine.begun} & first.keys()
    assert later.opened[0].done == first
    found = study.find_runs()
    assert len(found.done) == 6
    assert not found.unfinished

    whole = Heard()
    whole.conduct(begun(tmp_path / "other", "6"), FakeEngine())
    assert values(later.outcomes[-1]) == values(whole.outcomes[-1])


def values(outcome: StudyOutcome) -> object:
    return [
        (name, cell.baseline, arm.values, arm.score)
        for name, cell in outcome.cells.items()
        for arm in cell.arms.values()
    ]


def test_a_run_that_fails_stops_no_other_and_is_made_again_when_the_study_is_resumed(tmp_path: Path) -> None:
    study, heard = begun(tmp_path), Heard()
    assert heard.conduct(study, FakeEngine(fails=lambda job: job.seed == 1)) == "finished"
    assert [ended.status for ended in heard.ended if ended.job.seed == 1] == ["failed"]
    assert len(study.find_runs().done) == 2
    engine = FakeEngine()
    assert heard.conduct(study, engine) == "finished"
    assert engine.begun == [("", 1, 0)]


def cut_off(job: Job, runs: Path, epoch: int) -> Path:
    """A run that was stopped after so many of its epochs."""
    control = Control()
    losses = {arm: [0.5] * job.preset.train.epochs for arm in job.preset.arms()}

    def stop(event: Event) -> None:
        if isinstance(event, RunStarted if epoch == 0 else EpochDone) and getattr(event, "epoch", 0) == epoch:
            control.send(Stop())

    return run(job.preset, runs, control, stop, ScriptedCrew(losses)).folder


def test_runs_that_were_cut_off_go_on_from_the_furthest_checkpoint(tmp_path: Path) -> None:
    engine = FakeEngine()
    study = StudyFolder.create(make_plan(load("smoke", ("train.epochs=3",)), Wishes("3")), tmp_path)
    first, second, _ = study.jobs
    near, far, none = (cut_off(job, study.runs, epoch) for job, epoch in ((first, 1), (first, 2), (second, 0)))
    (near / "summary.json").unlink()  # as if that one had been killed
    assert study.find_runs().cut_off == {first.key: far}
    assert Heard().conduct(study, engine) == "finished"
    assert sorted(engine.begun) == [job.key for job in study.jobs]
    assert engine.gone_on == {first.key: far}
    assert {*study.runs.iterdir()} == {*study.find_runs().done.values()}
    assert not {near, far, none} & {*study.runs.iterdir()}


def test_what_jobs_of_a_killed_study_have_left_is_gone_on_with(tmp_path: Path) -> None:
    study = StudyFolder.create(make_plan(load("smoke", ("train.epochs=3",)), Wishes("4")), tmp_path)
    made = study.path / "slurm" / "made" / "1a2b"
    whole, cut, none, stranger = (
        cut_off(job, made / f"{number}", epoch)
        for number, (job, epoch) in enumerate(
            [(study.jobs[0], 99), (study.jobs[1], 2), (study.jobs[2], 0), (begun(tmp_path / "other", "9").jobs[8], 1)]
        )
    )
    (cut / "summary.json").unlink()
    engine = FakeEngine()
    for _ in range(2):  # the jobs may not have ended, and write into their folder again
        assert Heard().conduct(study, engine) == "finished"
        assert engine.gone_on == {("", 1, 0): study.runs / cut.name}
        assert sorted(engine.begun) == [job.key for job in study.jobs[1:]]
        done = study.find_runs().done
        assert done["", 0, 0] == study.runs / whole.name
        assert {*study.runs.iterdir()} == {*done.values()}
    assert cut.exists()
    assert none.exists()
    assert stranger.exists()


def test_a_run_that_another_program_trains_on_is_left_alone(tmp_path: Path) -> None:
    study = StudyFolder.create(make_plan(load("smoke", ("train.epochs=3",)), Wishes("2")), tmp_path)
    folder = cut_off(study.jobs[1], study.runs, 2)
    handle, is_locked = open_locked(folder)
    try:
        if not is_locked:
            pytest.skip("files can't be locked here")
        with pytest.raises(InputError, match=f"{folder.name}.* is being trained by another program"):
            Heard().conduct(study, FakeEngine())
        assert folder.exists()
    finally:
        os.close(handle)
    assert Heard().conduct(study, FakeEngine()) == "finished"


@pytest.mark.parametrize(
    "left", ["", "events.jsonl", "events.jsonl run.json", "preset.toml", "preset.toml run.json events.jsonl"]
)
def test_a_run_that_was_interrupted_is_begun_anew(tmp_path: Path, left: str) -> None:
    study = begun(tmp_path)
    Heard().conduct(study, FakeEngine())
    broken = study.find_runs().done["", 1, 0]
    for path in broken.iterdir():
        if path.name not in [*left.split(), "checkpoint"]:
            path.unlink()
    engine = FakeEngine()
    assert Heard().conduct(study, engine) == "finished"
    assert engine.begun == [("", 1, 0)]
    assert not broken.exists()
    assert len(list(study.runs.iterdir())) == 3


def test_two_runs_of_one_job_are_refused_and_both_are_named(tmp_path: Path) -> None:
    study = begun(tmp_path)
    Heard().conduct(study, FakeEngine())
    run = study.find_runs().done["", 1, 0]
    shutil.copytree(run, study.runs / "twice")
    with pytest.raises(InputError) as error:
        Heard().conduct(study, FakeEngine())
    assert run.name in str(error.value)
    assert "'twice'" in str(error.value)


def test_runs_are_found_by_what_they_ran_and_those_of_no_job_are_named(tmp_path: Path) -> None:
    study, other = begun(tmp_path), begun(tmp_path / "other", vary=["regularized.dropout.rate=0.3,0.4"])
    Heard().conduct(study, FakeEngine())
    Heard().conduct(other, FakeEngine())
    stranger = next(other.runs.iterdir())
    stranger.rename(study.runs / "stranger")
    for i, folder in enumerate(study.find_runs().done.values()):
        folder.rename(study.runs / f"renamed {i}")
    engine, heard = FakeEngine(), Heard()
    heard.conduct(study, engine)
    assert engine.begun == []
    assert [path.name for path in heard.opened[0].strangers] == ["stranger"]
    assert (study.runs / "stranger").exists(), "what is not ours stays"


def test_a_plan_that_was_changed_is_refused(tmp_path: Path) -> None:
    study = begun(tmp_path)
    file = study.path / "study.toml"
    text = file.read_text()
    file.write_text(text.replace("alpha = 0.05", "alpha = 0.1"))
    with pytest.raises(InputError, match="was changed after it was written"):
        StudyFolder.open(study.path)
    file.write_text("# another comment\n" + text)
    assert StudyFolder.open(study.path).plan == study.plan
    for broken in ("", "schema = 1\n", "[[[", text.replace("schema = 1", "schema = 2", 1)):
        file.write_text(broken)
        with pytest.raises(InputError) as error:
            StudyFolder.open(study.path)
        assert len(str(error.value).splitlines()) == 1


def test_added_seeds_run_after_the_plan_which_they_do_not_change(tmp_path: Path) -> None:
    study = begun(tmp_path)
    Heard().conduct(study, FakeEngine())
    study.add([3, 1, 4, 3])
    study = StudyFolder.open(study.path)
    assert study.added == [3, 4]
    assert study.plan.seeds == [0, 1, 2]
    engine, heard = FakeEngine(), Heard()
    assert heard.conduct(study, engine) == "finished"
    assert engine.begun == [("", 3, 0), ("", 4, 0)]
    cell = heard.outcomes[-1].cells[""]
    assert set(cell.arms["regularized"].score.differences) == {0, 1, 2}
    assert set(cell.exploratory["regularized"].differences) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("gain", "state", "seeds"),
    [
        (lambda seed: 3.0 + 0.1 * (seed % 3), "decided", 7),
        (lambda seed: 3.0 * (-1) ** seed, "futile", 7),
        (lambda seed: (0.9, -0.3, 1.2, 0.1, 0.8, -0.2)[seed % 6], "finished", 12),
    ],
)
def test_a_study_with_looks_ends_at_the_first_that_decides_it(
    tmp_path: Path, gain: Callable[[int], float], state: str, seeds: int
) -> None:
    study, engine, heard = begun(tmp_path, None, looks=True), FakeEngine(gain), Heard()
    assert heard.conduct(study, engine) == state
    assert len(engine.begun) == seeds
    assert heard.outcomes[-1].state == state
    again = FakeEngine(gain)
    assert heard.conduct(StudyFolder.open(study.path), again) == state
    assert again.begun == []


def test_only_one_program_runs_a_study(tmp_path: Path) -> None:
    study = begun(tmp_path)
    assert not study.is_held
    with study.held():
        assert study.is_held
        with pytest.raises(InputError, match="is being run by another program"):
            Heard().conduct(StudyFolder.open(study.path), FakeEngine())
    assert not study.is_held


def test_a_study_is_named_by_a_unique_beginning(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    studies: Sequence[StudyFolder] = [begun(logs), begun(logs)]
    for study in studies:
        assert find_study(study.name, logs) == study.path
        assert find_study(str(study.path), tmp_path) == study.path
    assert find_studies(logs) == sorted(study.path for study in studies)
    for text, words in {
        "2": "begins the names of 2 studies",
        "nothing": "did you mean",
        "": "is no study's folder",
        str(tmp_path): "is no study's folder",
    }.items():
        with pytest.raises(InputError, match=words):
            find_study(text, logs)
    with pytest.raises(InputError, match="there are no studies"):
        find_study("20", tmp_path / "none")


def test_the_time_that_is_left_follows_from_the_runs_of_the_same_cell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    now = 0.0
    monkeypatch.setattr("regtui.study.conduct.time.monotonic", lambda: now)
    jobs = begun(tmp_path, vary=["train.epochs=1,2"]).jobs
    pace = Pace(jobs, set(), 2)
    assert pace.seconds_left is None
    pace(Began(jobs[0], tmp_path, "here"))
    pace(Began(jobs[1], tmp_path, "here"))
    now = 10.0
    pace(Ended(jobs[0], tmp_path, "finished"))
    assert pace.seconds_left == (0 + 4 * 10) / 2, "the second has taken as long as is known of any"
    now = 20.0
    pace(Ended(jobs[1], tmp_path, "finished"))
    assert pace.seconds_left == (2 * 10 + 2 * 20) / 2


def test_a_folder_that_nobody_can_write_holds_no_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = begun(tmp_path)

    def refuse(*_args: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert not study.is_held
    with pytest.raises(InputError, match="no runs can be saved here"):
        Heard().conduct(study, FakeEngine())


def test_what_was_half_removed_goes_and_seeds_added_twice_are_one(tmp_path: Path) -> None:
    study = begun(tmp_path)
    Heard().conduct(study, FakeEngine())
    run = study.find_runs().done["", 1, 0]
    run.rename(run.with_name(f".{run.name}.gone"))
    (study.runs / f".{run.name}.tmp").mkdir()
    (study.path / "added.toml").write_text("seeds = [3, 1, 3]\n")
    study, engine = StudyFolder.open(study.path), FakeEngine()
    Heard().conduct(study, engine)
    assert engine.begun == [("", 1, 0), ("", 3, 0)]
    assert len(list(study.runs.iterdir())) == 4, "nor what was half copied"
    for broken in ("seeds = 3", "seeds = [-1]", "seeds = [true]", f"seeds = [{2**64}]", "seeds = ["):
        (study.path / "added.toml").write_text(broken)
        with pytest.raises(InputError, match="is damaged"):
            StudyFolder.open(study.path)
