"""A study as CSV, as an HTML report and as a figure."""

from __future__ import annotations

import csv
import itertools
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from regtui.cli.export import export_runs
from regtui.errors import InputError
from regtui.export.study_csv import _safe
from regtui.export.study_svg import ForestRow, forest, response
from regtui.study.dose import dose_responses
from regtui.study.folder import StudyFolder
from regtui.study.outcome import outcome_of
from regtui.study.plan import PlannedCell
from tests.made_scores import made, noisy, plan_of, write_study

CELLS = [PlannedCell(name=f"data.train_samples={n}", settings={"data.train_samples": n}) for n in (100, 320)]
MEANS = {"rate-0_1": 2.0, "rate-0_2": -2.0}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return write_study(plan_of(2, seeds=6, cells=CELLS), noisy(MEANS, 0.3), tmp_path_factory.mktemp("logs"))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_has_a_row_for_each_cell_seed_trial_and_arm(study: StudyFolder, tmp_path: Path) -> None:
    assert export_runs([study.path], "csv", tmp_path) == 0
    values = rows(tmp_path / study.name / "values.csv")
    assert len(values) == 2 * 6 * 3
    assert {(row["cell"], row["seed"], row["trial"], row["arm"]) for row in values} == {
        (cell.name, str(seed), "1", arm) for cell in CELLS for seed in range(6) for arm in ("baseline", *MEANS)
    }
    outcome = outcome_of(study, "finished")
    for row in values:
        cell = outcome.cells[row["cell"]]
        of = cell.baseline if row["arm"] == "baseline" else cell.arms[row["arm"]].values
        assert 100 * float(row["test_accuracy"]) == pytest.approx(of[int(row["seed"])])
        assert (row["counts"], row["planned"], row["why_not"]) == ("1", "1", "")
        assert int(row["data.train_samples"]) == cell.cell.settings["data.train_samples"]


def test_csv_has_the_verdict_of_each_comparison(study: StudyFolder, tmp_path: Path) -> None:
    export_runs([study.path], "csv", tmp_path)
    verdicts = rows(tmp_path / study.name / "verdicts.csv")
    outcome = outcome_of(study, "finished")
    assert len(verdicts) == 4
    for row in verdicts:
        score = outcome.cells[row["cell"]].arms[row["arm"]].score
        assert score.joint is not None
        assert (row["call"], row["seeds"]) == (score.call, "6")
        assert [float(row[key]) for key in ("mean", "joint_low", "joint_high", "p")] == [
            score.mean, *score.joint, score.p,
        ]  # fmt: skip


def test_csv_has_what_varies(study: StudyFolder, tmp_path: Path) -> None:
    export_runs([study.path], "csv", tmp_path)
    found = sorted(path.name for path in (tmp_path / study.name).iterdir())
    assert found == ["gains.csv", "strengths.csv", "values.csv", "verdicts.csv"]
    strengths = rows(tmp_path / study.name / "strengths.csv")
    assert [(row["cell"], row["value"]) for row in strengths] == [
        (cell.name, value) for cell in CELLS for value in ("", "0.05", "0.1")
    ]
    outcome = outcome_of(study, "finished")
    for row in strengths:
        cell = outcome.cells[row["cell"]]
        of = cell.baseline if row["arm"] == "baseline" else cell.arms[row["arm"]].values
        assert float(row["mean"]) == pytest.approx(sum(of.values()) / len(of))
    gains = rows(tmp_path / study.name / "gains.csv")
    assert [(row["arm"], float(row["value"])) for row in gains] == [(arm, n) for arm in MEANS for n in (100, 320)]


def test_a_trial_that_was_not_chosen_and_a_run_that_is_left_out_do_not_count(tmp_path: Path) -> None:
    study = write_study(plan_of(seeds=3, tune={"train.batch_size": [16, 32]}), noisy(1.0), tmp_path / "logs")
    run = next(path for path in study.runs.iterdir() if path.name.endswith("-0000"))
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"interventions": 1}))
    export_runs([study.path], "csv", tmp_path)
    values = rows(tmp_path / study.name / "values.csv")
    assert len(values) == 3 * 2 * 2
    assert {(row["trial"], row["train.batch_size"]) for row in values} == {("1", "16"), ("2", "32")}
    for seed in (1, 2):
        for arm in ("baseline", "regularized"):
            of_arm = [row for row in values if row["seed"] == str(seed) and row["arm"] == arm]
            assert sorted(row["counts"] for row in of_arm) == ["0", "1"]
            chosen = next(row for row in of_arm if row["counts"] == "1")
            assert float(chosen["val_loss"]) == min(float(row["val_loss"]) for row in of_arm)
    assert {row["counts"] for row in values if row["seed"] == "0"} == {"0"}
    assert {row["why_not"] for row in values if row["run"] == run.name} == {"it was steered"}


def test_no_cell_is_a_formula_or_steers_a_terminal() -> None:
    assert _safe("=cmd()") == "'=cmd()"
    assert _safe("a\x1b[31m\nb") == "a\\x1b[31m\\nb"
    assert (_safe(-1.5), _safe(True), _safe(None)) == (-1.5, 1, None)


class Page(HTMLParser):
    """The tags that are open, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.tags.add(tag)
        if tag not in ("meta", "path", "circle", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "circle", "rect"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_report_is_self_contained_and_says_what_is_shown(study: StudyFolder, tmp_path: Path) -> None:
    export_runs([study.path], "html", tmp_path)
    text = (tmp_path / f"{study.name}.html").read_text()
    page = Page(text)
    assert page.open == []
    assert not page.tags & {"script", "link", "img", "iframe"}
    assert "http" not in re.sub(r"<[^>]*xmlns[^>]*>", "", text)
    words = " ".join(" ".join(page.text).split())
    assert "A dropout 0.05 HELPS: +" in words
    assert "Which of 2 arms help small?" in words
    for title in ("Dose and response", "Plan", "Seeds", "What it rests on"):
        assert title in words
    assert text.count("<svg") == 2
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ET.fromstring(drawing)
    drawn = re.findall(r"<svg.*?</svg>", text, re.DOTALL)[0]
    assert drawn.count("<circle") == 2 * 2 * 6


def test_hostile_names_are_text_in_a_report(study: StudyFolder, tmp_path: Path) -> None:
    evil = study.path.with_name('evil <script>alert("1") $x')
    study.path.rename(evil)
    try:
        for form in ("html", "svg"):
            export_runs([evil], form, tmp_path / f"out.{form}")
    finally:
        evil.rename(study.path)
    text = (tmp_path / "out.html").read_text()
    assert "script" not in Page(text).tags
    assert "alert(" in text


@pytest.mark.parametrize("form", ["svg", "png"])
def test_a_figure_is_drawn_and_the_same_each_time(study: StudyFolder, tmp_path: Path, form: str) -> None:
    first, second = (tmp_path / f"{place}.{form}" for place in "12")
    for path in (first, second):
        export_runs([study.path], form, path)
    assert first.read_bytes() == second.read_bytes()
    if form == "svg":
        ET.parse(first)


def test_between_looks_no_interval_is_drawn() -> None:
    plan = plan_of(seeds=12, looks=[7, 9, 12])
    score = made(plan, noisy(2.0), "running", 8).cells[""].arms["regularized"].score
    at_look = made(plan, noisy(2.0), "running", 9).cells[""].arms["regularized"].score
    assert score.joint is not None
    assert 'class="a"' not in forest([ForestRow("x", "a", score)], 0.5, "label")
    assert 'class="a"' in forest([ForestRow("x", "a", at_look)], 0.5, "label")


def test_a_response_is_drawn_over_its_values() -> None:
    (of,) = dose_responses(made(plan_of(4), noisy(1.0)))
    drawing = ET.fromstring(response(of, "arm1", "a <label>"))
    circles = [one for one in drawing.iter() if one.tag.endswith("circle")]
    assert len(circles) == 4 * 8
    places = sorted({float(one.get("cx", "")) for one in circles})
    assert len(places) == 4
    gaps = [b - a for a, b in itertools.pairwise(places)]
    assert max(gaps) - min(gaps) < 0.5  # equal steps of the rate


def test_what_can_not_be_exported_is_one_sentence(study: StudyFolder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a study is written as csv, html, svg, png"):
        export_runs([study.path], "tensorboard", tmp_path)
    empty = StudyFolder.create(plan_of(seeds=2), tmp_path)
    with pytest.raises(InputError, match="no run of this study has ended"):
        export_runs([empty.path], "csv", tmp_path)
