"""`regtui show STUDY`: as a table with the verdict, as JSON, and as Markdown to paste."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from regtui.cli.export import export_runs
from regtui.cli.find import find_saved
from regtui.cli.runs import print_runs
from regtui.cli.show import print_study
from regtui.errors import InputError
from regtui.runs.find import find_runs
from regtui.study.folder import StudyFolder, find_studies
from regtui.study.markdown import escaped, markdown
from regtui.study.outcome import outcome_of
from regtui.study.record import state_of, to_json
from regtui.text import is_shown
from tests.hostile import HOSTILE
from tests.made_scores import made, noisy, plan_of, write_study


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    return write_study(plan_of(seeds=5), noisy(3.0, 0.2), tmp_path)


def test_runs_of_a_folder_are_joined_to_the_plan(study: StudyFolder) -> None:
    outcome = outcome_of(study, "finished")
    score = outcome.cells[""].arms["regularized"].score
    told = made(study.plan, noisy(3.0, 0.2))
    for arm, of in outcome.cells[""].arms.items():
        wanted = told.cells[""].arms[arm]
        assert of.score.differences.keys() == wanted.score.differences.keys()
        assert of.score.mean == pytest.approx(wanted.score.mean)
        assert of.validation == pytest.approx(wanted.validation)
        assert of.losses.keys() == of.values.keys()
    renamed = study.runs / "renamed-by-hand"
    next(study.runs.iterdir()).rename(renamed)
    assert outcome_of(study, "finished").cells[""].arms["regularized"].score == score


def test_a_run_of_other_settings_is_named(study: StudyFolder) -> None:
    run = next(study.runs.iterdir())
    stranger = study.runs / "20260101-999999-small-ffff"
    shutil.copytree(run, stranger)
    preset = (stranger / "preset.toml").read_text()
    (stranger / "preset.toml").write_text(preset.replace("epochs = 3", "epochs = 4"))
    outcome = outcome_of(study, "finished")
    assert outcome.strangers == (stranger.name,)
    assert outcome.runs == (5, 5)


def test_a_study_is_shown_with_its_verdict(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert print_study(study.path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "study  small, finished: 5 of 5 runs"
    assert any(line.startswith("◆ dropout 0.5 HELPS: ") for line in lines)
    assert all(len(line) <= 100 for line in lines[:-1])


def test_json_is_what_study_json_has(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    print_study(study.path, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads(study.outcome.read_text())
    assert told == json.loads(json.dumps(to_json(outcome_of(study, "finished"), study.name)))


def test_markdown_has_the_verdict_the_numbers_and_the_plan(study: StudyFolder) -> None:
    text = markdown(outcome_of(study, "finished"), study.name)
    assert text.startswith("**Does dropout 0.5 help small?**\n\n**◆ dropout 0.5 HELPS: +")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    assert "plan    5 seeds (0–4), alpha 0.05, smallest effect 0.5 points, no looks" in text
    assert f"study   {study.name}" in text


def test_hostile_names_are_safe_in_markdown() -> None:
    name = f"{HOSTILE}```"
    text = markdown(made(plan_of(seeds=3), noisy(1.0)), name)
    assert text.count("```") == 2
    shown = escaped(f"{name} <script> | [a](b) `c` **d**")
    assert "<script>" not in shown
    assert all(character not in shown.replace("\\" + character, "") for character in "<|[`*")


def test_how_a_study_stands(study: StudyFolder) -> None:
    assert state_of(study) == "finished"
    table = json.loads(study.outcome.read_text())
    for told, is_then in (("running", "interrupted"), ("decided", "decided"), ("nonsense", "interrupted")):
        study.outcome.write_text(json.dumps(table | {"state": told}))
        assert state_of(study) == is_then
    study.outcome.unlink()
    assert state_of(study) == "interrupted"
    with study.held():
        assert state_of(study) == "running"


def test_a_study_and_a_run_are_found_by_the_beginning_of_their_names(study: StudyFolder, tmp_path: Path) -> None:
    run = tmp_path / "20260101-000000-small-eeee"
    shutil.copytree(next(study.runs.iterdir()), run)
    assert find_saved(study.name[:22], tmp_path) == study.path
    assert find_saved(str(study.path), tmp_path) == study.path
    assert find_saved("20260101-000000-small-e", tmp_path) == run
    with pytest.raises(InputError, match="begins the names of a study"):
        find_saved("202", tmp_path)
    with pytest.raises(InputError, match="no run in"):
        find_saved("nothing-like-it", tmp_path)


def test_a_study_stands_for_its_runs_unless_it_is_asked_for(study: StudyFolder, tmp_path: Path) -> None:
    run = tmp_path / "20260101-000000-small-eeee"
    shutil.copytree(next(study.runs.iterdir()), run)
    assert list(find_runs(tmp_path)) == [run]
    assert len(list(find_runs(study.path))) == len(list(find_runs(study.runs))) == 5
    assert len(list(find_runs(tmp_path, in_studies=True))) == 6
    assert find_studies(tmp_path) == find_studies(study.path) == [study.path]
    moved = study.path.rename(tmp_path / "renamed")
    assert list(find_runs(tmp_path)) == [run]
    assert find_studies(tmp_path) == [moved]


def test_studies_are_listed_among_runs_a_line_each(
    study: StudyFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shutil.copytree(next(study.runs.iterdir()), tmp_path / "20260101-000000-small-eeee")
    print_runs(tmp_path, json=False)
    first, second = capsys.readouterr().out.splitlines()[2:]
    assert first.split()[:4] == [study.name[:15], "small", "finished", "helps"]
    assert "(5 seeds)" in first
    assert "(one seed)" in second
    print_runs(study.path, json=False)
    assert len(capsys.readouterr().out.splitlines()) == 7
    print_runs(tmp_path, json=True, filter="verdict=helps test.difference>1")
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["kind"], told["name"], told["verdict"]) == ("study", study.name, "helps")


def test_a_run_whose_test_error_is_not_finite_is_left_out_for_that(study: StudyFolder) -> None:
    run = next(path for path in study.runs.iterdir() if path.name.endswith("-0003"))
    summary = json.loads((run / "summary.json").read_text())
    for told, why in (
        (dict.fromkeys(("loss", "accuracy")), "its test score is not finite"),
        (None, "it has no test score"),
    ):
        summary["arms"]["regularized"]["test"] = told
        (run / "summary.json").write_text(json.dumps(summary))
        assert outcome_of(study, "finished").cells[""].left_out == (f"seed 3, regularized: {why}",)


def test_a_run_that_failed_is_named_and_not_counted_as_done(study: StudyFolder) -> None:
    run = next(path for path in study.runs.iterdir() if path.name.endswith("-0003"))
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"status": "failed", "error": "no \x1b[31mroom"}))
    outcome = outcome_of(study, "finished")
    assert outcome.runs == (4, 5)
    assert outcome.cells[""].left_out == ("seed 3: it failed (no \\x1b[31mroom)",)
    assert list(outcome.cells[""].arms["regularized"].score.differences) == [0, 1, 2, 4]


def test_no_text_of_a_study_steers_a_terminal_or_a_browser(
    study: StudyFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = HOSTILE.replace("/", "").replace("\x00", "")
    runs = sorted(study.runs.iterdir())
    stranger = study.runs / f"stranger {name}"[:80]
    shutil.copytree(runs[0], stranger)
    preset = (stranger / "preset.toml").read_text()
    (stranger / "preset.toml").write_text(preset.replace("epochs = 3", "epochs = 4"))
    failed, unpaired = runs[1], runs[2]
    summary = json.loads((failed / "summary.json").read_text())
    (failed / "summary.json").write_text(json.dumps(summary | {"status": "failed", "error": HOSTILE}))
    summary = json.loads((unpaired / "summary.json").read_text())
    summary["pairing"]["unpaired_because"] = HOSTILE
    (unpaired / "summary.json").write_text(json.dumps(summary))
    runs[3].rename(study.runs / f"run {name}"[:80])
    print_study(study.path)
    print_study(study.path, json=True)
    print_study(study.path, markdown=True)
    print_runs(tmp_path, json=False)
    out, err = capsys.readouterr()
    assert out.count("Left out") == 2
    for character in out + err:
        assert character == "\n" or is_shown(character), repr(character)
    for form in ("html", "csv"):
        export_runs([study.path], form, tmp_path / "out")
    page = (tmp_path / "out" / f"{study.name}.html").read_text()
    assert "<script" not in page
    values = (tmp_path / "out" / study.name / "values.csv").read_text()
    assert all(character == "\n" or is_shown(character) for character in page + values)
