"""Exports of runs with any number of arms."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from regtui.cli.export import export_runs
from regtui.export import figure
from regtui.export.write import FORMATS
from regtui.preset.arms import MOST_ARMS
from regtui.tasks.comparison import RightWrong
from tests.conftest import small_preset
from tests.telling import Telling

LONG = "a-name-with-24-letters-x"
TABLES: dict[str, Any] = {"l1": {"l1": {"strength": 0.3}}, LONG: {"dropout": {"rate": 0.4}}, "train": {"l2": {}}}


def saved(logs: Path, arms: dict[str, Any], *, diverging: str = "") -> Path:
    """A run of two epochs; an arm may have diverged in its first."""
    told = Telling(small_preset(arms=arms, train={"epochs": 2})).start()
    sound = [name for name in arms if name != diverging]
    for name in ("baseline", *sound):
        told.epoch(name, 0.5).epoch(name, 0.4 if name == "baseline" else 0.3).stop(name, "max_epochs")
    if diverging:
        told.stop(diverging, "non_finite")
    told.score(dict.fromkeys(sound, RightWrong(800, 10, 60, 130)))
    return told.finish("diverged" if diverging else "finished").save(logs)


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("count", [1, 2, 6, MOST_ARMS])
def test_every_format_takes_any_number_of_arms(tmp_path: Path, to: str, count: int) -> None:
    arms = {f"arm-{n}": {"dropout": {"rate": 0.1 + n / 20}} for n in range(count)}
    run = saved(tmp_path / "logs", arms, diverging="arm-1" if count > 2 else "")
    assert export_runs([run], to, tmp_path / "out") == 0
    if to in ("csv", "tensorboard"):
        folders = {path.name for path in (tmp_path / "out" / run.name).iterdir()}
        assert folders == {"baseline", *arms}
    elif to == "svg":
        drawn = (tmp_path / "out" / f"{run.name}.svg").read_text()
        ET.fromstring(drawn)
        for name in arms if count > 1 else ():
            assert f"<!-- {name} -->" in drawn, "its entry in the legend"
        if count == 1:
            assert "<!-- no technique, validation -->" in drawn


def test_each_arm_of_a_figure_has_a_colour_and_marker_of_its_own() -> None:
    styles = [tuple(figure._style(place).values()) for place in range(MOST_ARMS + 1)]
    assert len(set(styles)) == MOST_ARMS + 1
    assert all(colour != styles[0][0] and marker != styles[0][1] for colour, marker in styles[1:])


def test_hyperparameters_of_a_named_arm_belong_to_it_alone(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    run = saved(tmp_path / "logs", TABLES)
    export_runs([run], "tensorboard", tmp_path / "out")
    found = {}
    for name in ("baseline", *TABLES):
        events = EventAccumulator(str(tmp_path / "out" / run.name / name))
        events.Reload()
        content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        found[name] = set(metadata.parse_session_start_info_plugin_data(content).hparams)
    everyone = found["baseline"]
    assert {"arm", "preset", "train.epochs", "data.dataset", "model.kind"} <= everyone
    assert not any(key.startswith(("arms.", "l1.", "l2.", "dropout.")) for key in everyone)
    assert found["l1"] - everyone == {"l1.strength", "l1.mode"}
    assert found[LONG] - everyone == {"dropout.rate", "dropout.input_rate"}
    assert found["train"] - everyone == {"l2.strength"}


def test_a_report_of_several_arms_tells_each_by_letter_and_row(tmp_path: Path) -> None:
    run = saved(tmp_path / "logs", TABLES, diverging="l1")
    export_runs([run], "html", tmp_path / "out")
    page = (tmp_path / "out" / f"{run.name}.html").read_text()
    for mark, name in zip("●ABC", ("baseline", *TABLES), strict=True):
        assert f"{mark} {name}" in page, "in the key"
        assert f"<td>{name}</td>" in page, "in the table of results"
    letters = set(re.findall(r'<text class="arm\d+"[^>]*>(\w)</text>', page))
    assert letters == {"B", "C"}, "an arm that diverged at once has no curve"
    assert "1 is not compared (A l1)" in " ".join(page.split())


def test_a_report_of_two_arms_has_the_marks_that_it_had(tmp_path: Path) -> None:
    run = saved(tmp_path / "logs", {"regularized": {"dropout": {}}})
    export_runs([run], "html", tmp_path / "out")
    page = (tmp_path / "out" / f"{run.name}.html").read_text()
    assert "● baseline" in page
    assert "◆ regularized" in page
    assert not re.findall(r'<text class="arm', page)
    assert "<th>baseline</th><th>regularized</th>" in page


def test_an_arm_that_diverged_does_not_flatten_the_others(tmp_path: Path) -> None:
    told = Telling(small_preset(arms={"mild": {"l2": {"strength": 0.1}}, "wild": {"l2": {"strength": 9.0}}})).start()
    told.epochs([0.9, 0.5], [0.8, 0.4], [1e30, 3e30]).stop("wild", "exploded")
    run = told.finish("diverged").save(tmp_path / "logs")
    assert export_runs([run], "html", tmp_path / "out") == 0
    page = (tmp_path / "out" / f"{run.name}.html").read_text()
    assert not re.search(r'class="y"[^>]*>[^<]*e\+\d', page), "no tick at a multiple of 1e30"
    heights = [float(y) for y in re.findall(r'<path class="arm\d[^"]*" d="M[\d.]+ ([\d.-]+)', page)]
    assert heights
    assert all(0 <= y <= 300 for y in heights)
    pytest.importorskip("matplotlib")
    assert export_runs([run], "svg", tmp_path / "out") == 0
    ticks = re.findall(r"<!-- ([−\d.]+) -->", (tmp_path / "out" / f"{run.name}.svg").read_text())
    assert "0.6" in ticks, "among the losses of the others"
