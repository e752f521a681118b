from __future__ import annotations

import csv
import itertools
import math
import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from regtui.cli.export import export_runs
from regtui.errors import InputError
from regtui.export.saved_run import read_saved_run
from regtui.export.svg_chart import SvgCurve, chart
from regtui.export.write import FORMATS
from regtui.protocol.events import (
    ArmInfo,
    ArmScore,
    ArmStopped,
    ControlApplied,
    EpochDone,
    Event,
    LayerWeights,
    RunFinished,
    RunStarted,
    Scored,
    StepsDone,
)
from regtui.runs.log import RunLog
from regtui.runs.summary import Summary, TaskSummary
from regtui.tasks.comparison import RightWrong
from tests.conftest import small_preset
from tests.telling import CLASSIFICATION

ARMS = ("baseline", "regularized")
EVIL = '<script>alert("1")</script> $x \x1b[31m & ü'


def told(*, epochs: int = 3, title: str = "A title", broken: bool = False, ended: bool = True) -> Iterator[Event]:
    """A run of 10 steps an epoch, the last epoch of each arm cut short after 4."""
    info = ArmInfo(techniques=title, is_plain=False, parameters=9, initial_weights="abc", tensors=6)
    yield RunStarted(
        t=0, preset="small", title=title, dataset="MNIST", sizes={}, layers=[784, 10], batch_size=32, seed=7,
        device="cpu", task=CLASSIFICATION, epochs=9, steps_per_epoch=10, arms=dict.fromkeys(ARMS, info),
        shared_tensors=6,
    )  # fmt: skip
    for epoch, arm in itertools.product(range(1, epochs + 1), ARMS):
        loss = None if broken and epoch == 2 else 1 / (3 * epoch) + (arm == "baseline") / 7
        last = epoch == epochs
        losses = [None if broken and step == 1 else 1 / (step + epoch) for step in range(4 if last else 10)]
        yield StepsDone(
            t=epoch, arm=arm, epoch=epoch, first_step=10 * epoch - 9, losses=losses, finite=None not in losses
        )
        yield EpochDone(
            t=epoch, arm=arm, epoch=epoch, train_loss=0.1 / epoch, val_loss=loss, train_metrics={"accuracy": 0.9},
            val_metrics={"accuracy": 0.8},
            penalties={"l2": 0.1 + 0.2}, weights={"1": LayerWeights(norm=3.0, zeros=1, size=4)}, order=f"o{epoch}",
            seconds=0.5, best=loss is not None, wait=0, partial=last, finite=loss is not None,
        )  # fmt: skip
    yield ControlApplied(
        t=2, command="set_patience", arm="baseline", key="patience", value=4, accepted=True, epoch=1, step=3
    )
    if ended:
        for arm in ARMS:
            yield ArmStopped(t=4, arm=arm, reason="stopped", epoch=epochs, step=24, best_epoch=1, best_val_loss=0.3)
        score = ArmScore(kept="last", epoch=epochs, loss=0.25, metrics={"accuracy": 0.5})
        yield Scored(
            t=5,
            arms=dict.fromkeys(ARMS, score),
            comparisons={"regularized": RightWrong(4711, 1234, 1233, 9)},
        )
        yield RunFinished(t=6, status="stopped")


def saved(logs: Path, events: Iterator[Event] | None = None) -> Path:
    with RunLog(logs, small_preset(regularized={"dropout": {"rate": 0.25}})) as log:
        for event in told() if events is None else events:
            log(event)
    return log.folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return saved(tmp_path / "logs")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def float32(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


# CSV


def test_csv_holds_every_number_as_it_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(folder)
    assert export_runs([folder], "csv", None) == 0
    assert capsys.readouterr() == ("", f"written  export/csv/{folder.name}\n")
    assert contents(folder) == before, "reading never changes a run"
    run = read_saved_run(folder)
    for name, arm in run.history.arms.items():
        metrics = rows(Path("export/csv") / folder.name / name / "metrics.csv")
        assert [float(row["val_loss"]) for row in metrics] == [epoch.val_loss for epoch in arm.epochs]
        assert [int(row["epoch"]) for row in metrics] == [1, 2, 3]
        assert [int(row["step"]) for row in metrics] == [10, 20, 24], "the last epoch was cut short"
        assert [row["partial"] for row in metrics] == ["0", "0", "1"]
        assert float(metrics[0]["gap"]) == float(metrics[0]["val_loss"]) - float(metrics[0]["train_loss"])
        assert {row["zero_weights"] for row in metrics} == {"0.25"}
        assert {row["penalty_l2"] for row in metrics} == {repr(0.1 + 0.2)}
        steps = rows(Path("export/csv") / folder.name / name / "steps.csv")
        assert [int(row["step"]) for row in steps] == list(range(1, 25))
        assert [float(row["loss"]) for row in steps] == [x for part in run.steps[name] for x in part.losses]


def test_csv_cells_are_empty_where_a_number_is_not_finite(tmp_path: Path) -> None:
    run = saved(tmp_path / "logs", told(broken=True))
    export_runs([run], "csv", tmp_path / "out")
    metrics = rows(tmp_path / "out" / run.name / "baseline" / "metrics.csv")
    assert [row["val_loss"] == "" for row in metrics] == [False, True, False]
    assert [row["gap"] == "" for row in metrics] == [False, True, False]
    steps = rows(tmp_path / "out" / run.name / "baseline" / "steps.csv")
    assert [row["step"] for row in steps if row["loss"] == ""] == ["2", "12", "22"]


def test_csv_is_read_by_pandas(folder: Path) -> None:
    pandas = pytest.importorskip("pandas")
    export_runs([folder], "csv", None)
    frame = pandas.read_csv(Path("export/csv") / folder.name / "baseline" / "metrics.csv")
    losses = [epoch.val_loss for epoch in read_saved_run(folder).history.arms["baseline"].epochs]
    assert frame.val_loss.tolist() == pytest.approx(losses, rel=1e-15)


# TensorBoard


def test_tensorboard_reads_its_files_back(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    metadata = pytest.importorskip("tensorboard.plugins.hparams.metadata")
    folder = saved(tmp_path / "logs", told(broken=True))
    export_runs([folder], "tensorboard", tmp_path / "out")
    run = read_saved_run(folder)
    for name, arm in run.history.arms.items():
        events = accumulator.EventAccumulator(str(tmp_path / "out" / folder.name / name), {"scalars": 0}).Reload()
        losses = events.Scalars("epoch/val_loss")
        assert [event.step for event in losses] == [1, 2, 3]
        expected = [math.nan if epoch.val_loss is None else float32(epoch.val_loss) for epoch in arm.epochs]
        assert [event.value for event in losses] == pytest.approx(expected, rel=0, abs=0, nan_ok=True)
        steps = events.Scalars("step/loss")
        assert [event.step for event in steps] == list(range(1, 25))
        assert math.isnan(steps[1].value)
        assert steps[2].value == float32(1 / 3)
        assert [event.wall_time for event in steps] == sorted(event.wall_time for event in steps)
        start = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        hparams = metadata.parse_session_start_info_plugin_data(start).hparams
        assert hparams["train.batch_size"].number_value == 32
        assert hparams["arm"].string_value == name
        assert ("dropout.rate" in hparams) == (name == "regularized")


# The report


class Page(HTMLParser):
    """What a page says and where it leads; fails where tags do not match."""

    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_report_stands_alone_and_says_it_all(folder: Path) -> None:
    export_runs([folder], "html", None)
    text = Path(f"{folder.name}.html").read_text(encoding="utf-8")
    page = Page(text)
    said = "\n".join(page.text)
    assert not {"script", "link", "img", "iframe", "object"} & page.tags
    assert not {"src", "href", "style", "onload"} & {name for name, _ in page.attributes}
    assert "http" not in text
    assert "url(" not in text
    assert "@import" not in text
    for word in (
        "4,711",
        "1,234",
        "1,233",
        "regularized.dropout.rate",
        "0.25",
        "set_patience",
        "abc",
        "6 of 6 tensors",
    ):
        assert word in said
    assert "one seed (" in said
    assert said.count("0.47619") == 1, "the validation loss of one epoch"
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert "svg" in page.tags


@pytest.mark.parametrize("to", ["html", "svg", "png"])
def test_names_with_markup_are_text(tmp_path: Path, to: str) -> None:
    if to != "html":
        pytest.importorskip("matplotlib")
    run = saved(tmp_path / "logs", told(title=EVIL))
    (run / "run.json").write_text('{"started": "<b>now</b>", "versions": {"<i>": "<u>"}}')
    evil = run.rename(run.with_name("<b>&$run"))
    export_runs([evil], to, tmp_path / "out")
    path = tmp_path / "out" / f"<b>&$run.{to}"
    if to == "html":
        text = path.read_text(encoding="utf-8")
        page = Page(text)
        assert not {"script", "b", "i", "u"} & page.tags
        assert '<script>alert("1")</script> $x \\x1b[31m & ü' in page.text
        assert "\x1b" not in text
    elif to == "svg":
        ET.parse(path)  # well-formed


@pytest.mark.parametrize("events", [told(ended=False), told(broken=True), told(epochs=1), told(epochs=60)])
def test_reports_of_runs_in_any_state(tmp_path: Path, events: Iterator[Event]) -> None:
    run = saved(tmp_path / "logs", events)
    export_runs([run], "html", tmp_path / "report.html")
    Page((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_a_report_of_half_a_log_claims_no_more_than_it_knows(tmp_path: Path) -> None:
    events = [event for event in told(ended=False) if not isinstance(event, ControlApplied)]
    run = saved(tmp_path / "logs", iter(events))
    export_runs([run], "html", tmp_path / "report.html")
    said = " ".join(Page((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    assert "status: the log has no end" in said
    assert "None in what the log has." in said
    summary = Summary(
        schema=2, status="stopped", preset="small", seed=7, device="cpu", wall_seconds=6, train_seconds=5, arms={},
        task=TaskSummary(name="classification", metric="accuracy", better="higher"), pairing=None, interventions=0,
    )  # fmt: skip
    (run / "summary.json").write_text(summary.model_dump_json(by_alias=True), encoding="utf-8")
    export_runs([run], "html", tmp_path / "told.html")
    assert "status: stopped" in (tmp_path / "told.html").read_text(encoding="utf-8")
    assert "nobody touched" not in said
    assert "the end of the run is not in the log" in said


def test_only_the_best_epoch_of_each_arm_is_marked(tmp_path: Path) -> None:
    export_runs([saved(tmp_path / "logs", told(broken=True))], "html", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.findall(r"<td>(\d) best", text) == ["3", "3"]


def test_a_report_shows_what_a_folder_s_name_would_have_a_terminal_do(folder: Path, tmp_path: Path) -> None:
    odd = folder.rename(folder.with_name("a\n\x1b[31m\u202eb"))
    export_runs([odd], "html", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert r"a\n\x1b[31m\u202eb" in text
    assert not {"\x1b", "\u202e"} & set(text)


def test_the_template_engine_is_imported_for_a_report_alone() -> None:
    code = "import regtui.cli.export, sys; print(*{'jinja2', 'markupsafe'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""


def test_report_without_its_preset(folder: Path, tmp_path: Path) -> None:
    (folder / "preset.toml").unlink()
    (folder / "run.json").write_text("[1")
    export_runs([folder], "html", tmp_path / "report.html")
    assert "preset.toml is missing" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "values",
    [[0.5], [0.5, 0.5], [0.0, 5e-324], [1e300, 1e-300], [-1.7e308, 1.7e308], [1.0, 1.0 + 2e-16], [None, 0.3, None]],
)
def test_charts_of_any_numbers_are_well_formed(values: list[float | None]) -> None:
    drawing = chart(
        [SvgCurve(list(enumerate(values, start=1)), "base", "circle")], label='"<', x_label="<x>", zero=True
    )
    root = ET.fromstring(drawing)
    assert root.attrib["aria-label"] == '"<'
    assert "nan" not in drawing
    assert "inf" not in drawing


def test_chart_of_nothing_finite_says_so() -> None:
    assert "finite" in chart([SvgCurve([(1, None)], "base")], label="", x_label="")


def test_long_curves_are_thinned_out() -> None:
    drawing = chart([SvgCurve([(float(x), x % 7) for x in range(100_000)], "base")], label="", x_label="")
    assert len(drawing) < 50_000


# Figures


def test_figures_are_what_their_ending_says(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    export_runs([folder], "svg", None)
    export_runs([folder], "svg", tmp_path / "again.svg")
    assert ET.parse(f"{folder.name}.svg").getroot().tag.endswith("svg")
    assert Path(f"{folder.name}.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()
    export_runs([folder], "png", None)
    assert Path(f"{folder.name}.png").read_bytes().startswith(b"\x89PNG")
    assert "matplotlib.pyplot" not in sys.modules


@pytest.mark.parametrize(
    ("to", "missing", "extra"),
    [("tensorboard", "tensorboard.compat.proto.event_pb2", "tensorboard"), ("svg", "matplotlib", "figures")],
)
def test_a_missing_package_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, missing: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=rf"pip install 'regtui\[{extra}\]'$"):
        export_runs([folder], to, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["logs"], "nothing half-written stays"


# Places and faults


def test_several_runs_at_once(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = saved(tmp_path / "logs")
    export_runs([folder, other, folder], "csv", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {folder.name, other.name}
    assert len(capsys.readouterr().err.splitlines()) == 2
    export_runs([folder, other], "html", tmp_path / "out")
    assert (tmp_path / "out" / f"{other.name}.html").is_file()
    with pytest.raises(InputError, match="one file for several runs"):
        export_runs([folder, other], "html", tmp_path / "a.html")


@pytest.mark.parametrize("to", ["csv", "html"])
def test_nothing_is_overwritten_and_all_are_written_or_none(folder: Path, tmp_path: Path, to: str) -> None:
    export_runs([folder], to, tmp_path / "out")
    before = contents(tmp_path)
    other = saved(tmp_path / "more")
    before |= contents(tmp_path)
    with pytest.raises(InputError, match="not overwritten"):
        export_runs([other, folder], to, tmp_path / "out")
    assert contents(tmp_path) == before


def test_a_run_is_not_exported_into_itself(folder: Path) -> None:
    before = contents(folder)
    with pytest.raises(InputError, match="not overwritten"):
        export_runs([folder], "csv", folder.parent)
    assert contents(folder) == before


def test_two_runs_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin" / folder.name
    twin.parent.mkdir()
    twin.symlink_to(folder)
    export_runs([folder, twin], "csv", tmp_path / "same")  # a link to it is the same run
    twin.unlink()
    saved(tmp_path / "twin").rename(twin)
    with pytest.raises(InputError, match="several runs are named"):
        export_runs([folder, twin], "csv", tmp_path / "out")


@pytest.mark.parametrize("to", ["csv", "html"])
def test_a_place_that_cannot_be_written(folder: Path, tmp_path: Path, to: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be written"):
        export_runs([folder], to, tmp_path / "file" / "below")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "logs"}


def test_an_unknown_format_and_no_runs(folder: Path) -> None:
    with pytest.raises(InputError, match="known are csv, tensorboard, html, svg, png"):
        export_runs([folder], "xls", None)
    with pytest.raises(InputError, match="name the runs"):
        export_runs([], "csv", None)


@pytest.mark.parametrize("to", FORMATS)
def test_a_run_without_an_epoch(tmp_path: Path, to: str) -> None:
    run = saved(tmp_path / "logs", itertools.islice(told(), 1))
    with pytest.raises(InputError, match="no epoch"):
        export_runs([run], to, tmp_path / "out")


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is no run"):
        export_runs([tmp_path], "csv", tmp_path / "out")
    (tmp_path / "events.jsonl").mkdir()
    with pytest.raises(InputError, match="can't be read"):
        export_runs([tmp_path], "csv", tmp_path / "out")


def test_damaged_lines_are_passed_over(folder: Path, tmp_path: Path) -> None:
    events = folder / "events.jsonl"
    lines = events.read_bytes().splitlines()
    stranger = lines[4].replace(b'"baseline"', b'"../../evil"')
    kept = [stranger, *lines[:4], b"\xff\x00{", stranger, *lines[7:], lines[-1][:20]]
    events.write_bytes(b"\n".join(kept))
    for to in ("csv", "html"):
        export_runs([folder], to, tmp_path / "out")
    arms = tmp_path / "out" / folder.name
    assert sorted(path.name for path in arms.iterdir()) == ["baseline", "regularized"]
    epochs = {arm: [row["epoch"] for row in rows(arms / arm / "metrics.csv")] for arm in ARMS}
    assert epochs == {"baseline": ["1", "3"], "regularized": ["1", "2", "3"]}


# Every format, every shape that a history can have


def without(*kinds: type[Event], arms: tuple[str, ...] = ARMS, after: int = 0) -> list[Event]:
    """The run without these events of these arms, from the epoch after `after` on."""
    return [
        event
        for event in told()
        if not (
            isinstance(event, kinds) and getattr(event, "arm", ARMS[0]) in arms and getattr(event, "epoch", 99) > after
        )
    ]


def not_finite() -> Iterator[Event]:
    """The run as it would be if nothing in it were finite."""
    for event in told():
        match event:
            case StepsDone():
                yield event.model_copy(update={"losses": [None] * len(event.losses), "finite": False})
            case EpochDone():
                nothing = {"train_loss": None, "val_loss": None, "penalties": {"l2": None}, "finite": False}
                layer = LayerWeights(norm=None, zeros=0, size=4)
                yield event.model_copy(update={**nothing, "weights": {"1": layer}, "best": False})
            case ArmStopped():
                yield event.model_copy(update={"reason": "non_finite", "best_epoch": None, "best_val_loss": None})
            case Scored():
                score = ArmScore(kept="last", epoch=1, loss=None, metrics={"accuracy": 0.1})
                yield event.model_copy(update={"arms": dict.fromkeys(ARMS, score)})
            case _:
                yield event


whole = list(told())
SHAPES: dict[str, tuple[list[Event], bool]] = {
    "whole": (whole, True),
    "no event at all": ([], False),
    "no start": (without(RunStarted), False),
    "only a start": (whole[:1], False),
    "only a start and an end": ([whole[0], whole[-1]], False),
    "only an end": ([RunFinished(t=1, status="failed", error="no")], False),
    "only steps": (without(EpochDone, ArmStopped, Scored), False),
    "no epoch of the baseline": (without(EpochDone, arms=ARMS[:1]), True),
    "no epoch of the regularized arm": (without(EpochDone, arms=ARMS[1:]), True),
    "nothing of the baseline": (without(StepsDone, EpochDone, ArmStopped, arms=ARMS[:1]), True),
    "no steps": (without(StepsDone), True),
    "one epoch": (list(told(epochs=1)), True),  # which was cut short
    "one epoch of one arm": (without(StepsDone, EpochDone, arms=ARMS[1:], after=1)[:5], True),
    "nothing finite": (list(not_finite()), True),
    "not scored": (without(Scored), True),
    "arms not stopped": (without(ArmStopped), True),
    "no end": (list(told(ended=False)), True),
    "the first half": (whole[: len(whole) // 2], True),
    "the second half": ([whole[0], *whole[len(whole) // 2 :]], True),
    "lost epochs": (without(EpochDone, arms=ARMS[:1], after=1), True),
    "no weights, no penalties": (
        [
            event.model_copy(update={"weights": {}, "penalties": {}}) if isinstance(event, EpochDone) else event
            for event in whole
        ],
        True,
    ),
    "everything three times": (whole * 3, True),
}  # fmt: skip


# A picture as PNG is drawn as one as SVG is.
@pytest.mark.parametrize("to", [to for to in FORMATS if to != "png"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_format_takes_every_shape_of_a_run_or_says_why_not(tmp_path: Path, to: str, shape: str) -> None:
    events, possible = SHAPES[shape]
    run = saved(tmp_path / "logs", iter(events))
    if possible:
        assert export_runs([run], to, tmp_path / "out") == 0
        written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
        assert written
        assert all(path.stat().st_size for path in written)
        return
    with pytest.raises(InputError) as fault:
        export_runs([run], to, tmp_path / "out")
    assert "there is nothing to export" in str(fault.value)
    assert str(fault.value).count("\n") == 0
    assert not (tmp_path / "out").exists()
