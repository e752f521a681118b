"""One self-contained HTML report of a run: no scripts, no network; readable in light, in dark and on paper.

This file says what the report tells, `report.html.j2` how it is laid out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from regtui import __version__
from regtui.evidence.from_history import judge_run
from regtui.evidence.lines import advice_lines, verdict_lines
from regtui.evidence.rules import advice_on_run
from regtui.export.saved_run import SavedRun
from regtui.export.svg_chart import SvgCurve, chart
from regtui.preset.arms import BASELINE, MARKS, REGULARIZED, marks_of
from regtui.protocol.events import ControlApplied, EpochDone, Interrupted
from regtui.protocol.history import ArmHistory
from regtui.tasks import Metric, words
from regtui.text import NBSP, UNKNOWN, counted, one_line, seconds, share, signed

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

_REASONS = {
    "max_epochs": "all epochs trained",
    "early_stopping": "stopped early",
    "stopped": "stopped by the user",
    "non_finite": "diverged: its numbers not finite",
    "exploded": "diverged: training loss far above that of guessing",
}
_COLOURS = (
    ("#0072b2", "#56b4e9"), ("#c04d00", "#f09a4a"), ("#007a5a", "#2fc79a"), ("#a8327d", "#e38fc4"),
    ("#6b5d00", "#d8c64a"), ("#5a3fa0", "#b39ff0"), ("#444444", "#bbbbbb"), ("#0a7d8c", "#5fd0de"),
)  # fmt: skip
"""For each arm, in order, on light and on dark paper; with more arms, all but the baseline's come again."""


class ReportTable(NamedTuple):
    """A table of a report."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]


class _Arm(NamedTuple):
    name: str
    history: ArmHistory
    look: str
    """Its class in the style sheet."""
    colours: tuple[str, str]
    mark: str
    """In the text."""
    marker: str
    """In the charts."""
    shift: float
    """Of the markers."""
    epochs: ReportTable


def write(run: SavedRun, path: Path) -> None:
    """Write a run's report into `path`."""
    metric = run.history.task.metric
    arms = _arms(run, metric)
    page = template("report.html.j2").render(
        version=__version__,
        name=run.name,
        run=run,
        arms=arms,
        title=run.started.title or run.started.preset,
        facts=_facts(run),
        verdict=_verdict(run),
        charts=_charts(run, arms),
        metric=metric,
        examples=run.started.examples,
        results=_results(arms, metric),
        comparisons=list(_comparisons(run)),
        was_scored=run.history.scored is not None,
        pairing=_pairing(run),
        hashes=_hashes(run),
        seams=_seams(run),
        controls=_controls(run),
        settings=_settings(run),
    )
    path.write_text(page, encoding="utf-8")


def _arms(run: SavedRun, metric: Metric) -> list[_Arm]:
    arms, marks = run.history.arms, marks_of(run.history.arms)
    shapes = {MARKS[BASELINE]: "circle", MARKS[REGULARIZED]: "diamond"}
    return [
        _Arm(
            name,
            arm,
            f"arm{place}",
            colours_of(place),
            marks[name],
            shapes.get(marks[name], marks[name]),
            place / len(arms),
            _epochs(arm, metric),
        )
        for place, (name, arm) in enumerate(arms.items())
    ]


def colours_of(place: int) -> tuple[str, str]:
    """The colour of the arm at a place, on light and on dark paper; the baseline's place is 0."""
    return _COLOURS[(place - 1) % (len(_COLOURS) - 1) + 1 if place else 0]


def template(name: str) -> Template:
    """A report's template, in which everything is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # 0.1 s, for this export alone

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["numeric"] = _is_numeric
    return environment.get_template(name)


def _shown(value: object) -> object:
    """A value as the page shows it, on one line; the template escapes markup in it afterwards."""
    if hasattr(value, "__html__"):  # the page's own markup
        return value
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return UNKNOWN
    if isinstance(value, float):
        return signed(f"{value:.6g}")
    return f"{value:,}" if type(value) is int else one_line(value)


def _is_numeric(value: object) -> bool:
    """Whether a cell holds a number, which is right-aligned."""
    if isinstance(value, float):
        return math.isfinite(value)
    return type(value) is int or (isinstance(value, str) and value.endswith(" %"))


def _facts(run: SavedRun) -> list[str]:
    started, finished = run.started, run.history.finished
    ended = finished or run.summary
    status = ended.status if ended else "the log has no end"
    when = run.circumstances.get("started")
    facts = [run.name, *([f"started {when}"] if when else []), f"status: {status}", started.dataset, started.device]
    if started.threads:
        facts.append(f"{counted(started.threads, 'thread')} a process")
    network = started.network or "-".join(map(str, started.layers))
    took, stood_still = run.history.going_seconds, run.history.stood_still
    pauses = f" and {seconds(stood_still, 1)} s of pauses" if stood_still >= 1 else ""
    seeds = run.preset.seeds if run.preset is not None else f"seed {started.seed}"
    return [*facts, f"network {network}", seeds, f"{seconds(took, 1)} s{pauses}"]


def _verdict(run: SavedRun) -> list[str] | str:
    """The verdict's lines and what to try next, or why there is none."""
    if run.history.finished is None:
        return "the end of the run is not in the log"
    try:
        verdicts = judge_run(run.history, run.preset)
    except ValueError as fault:
        return str(fault)
    advice = advice_lines(advice_on_run(run.history, verdicts, run.preset, run.folder))
    return [*verdict_lines(verdicts), *("" for _ in advice[:1]), *advice]


def _charts(run: SavedRun, arms: Iterable[_Arm]) -> dict[str, Markup]:
    training, validation, metrics, differences = [], [], [], []
    metric, others = run.history.task.metric, run.history.others
    for arm in arms:
        epochs, fits = arm.history.epochs, not arm.history.diverged
        training.append(SvgCurve([(e.epoch, e.train_loss) for e in epochs], f"{arm.look} train", fits=fits))
        validation.append(SvgCurve([(e.epoch, e.val_loss) for e in epochs], arm.look, arm.marker, arm.shift, fits))
        shown = [(e.epoch, None if e.val_metric is None else metric.factor * e.val_metric) for e in epochs]
        metrics.append(SvgCurve(shown, arm.look, arm.marker, arm.shift))
        if arm.name in others:
            points = list(run.history.differences(arm.name).items())
            alone = SvgCurve(points, "plain", "circle")
            several = SvgCurve(points, arm.look, arm.marker, arm.shift, fits)
            differences.append(alone if len(others) == 1 else several)
    return {
        "loss": _chart(training + validation, "Loss by epoch"),
        "difference": _chart(differences, "Difference of validation losses by epoch", zero=True),
        "metric": _chart(metrics, f"Validation {metric.title} by epoch"),
    }


def _chart(curves: Sequence[SvgCurve], label: str, *, zero: bool = False) -> Markup:
    from markupsafe import Markup

    return Markup(chart(curves, label=label, x_label="epoch", zero=zero))


def _results(arms: Iterable[_Arm], metric: Metric) -> ReportTable:
    names = (
        "arm", "techniques", "epochs", "ended", "best epoch", "best validation loss", "weights kept", "test loss",
        f"test {metric.title}", "weights that are 0", "norm of the weights", "seconds", "parameters",
    )  # fmt: skip
    columns: list[list[object]] = []
    for name, arm, *_ in arms:
        test, best = arm.test, arm.best
        reason = _REASONS[arm.stopped.reason] if arm.stopped else "not ended"
        columns.append(
            [
                name, arm.info.techniques, len(arm.epochs), reason, best and best.epoch, best and best.val_loss,
                test and f"those of epoch {test.epoch}", test and test.loss, test and _value(metric, test.metric),
                share(arm.zero_weights, 2),
                arm.weight_norm, arm.seconds, arm.info.parameters,
            ]
        )  # fmt: skip
    if len(columns) > 2:
        return ReportTable(names, columns)
    # One quantity in each row: two arms stand side by side, and the table fits a narrow page.
    _, *rows = zip(names, *columns, strict=True)
    return ReportTable(("", *(str(column[0]) for column in columns)), rows)


def _comparisons(run: SavedRun) -> Iterable[ReportTable]:
    """Each arm and the baseline on the test set, example by example; none if it was not scored."""
    scored = run.history.scored
    for arm, comparison in scored.comparisons.items() if scored is not None else ():
        yield ReportTable(*words.table(comparison, arm))


def _pairing(run: SavedRun) -> str:
    history = run.history
    if history.unpaired_because:
        return f"Not a matched pair: {history.unpaired_because}"
    tensors = max(arm.info.tensors for arm in history.arms.values())
    data = "data and split are the same, " if all(arm.info.data for arm in history.arms.values()) else ""
    epochs = len(history.order_hashes)
    batches = "epoch 1" if epochs == 1 else f"each of the {epochs} epochs"
    same = f", and the batches were the same in {batches}" if epochs else ""
    return f"A matched pair: {data}{run.started.shared_tensors} of {tensors} tensors start equal{same}"


def _hashes(run: SavedRun) -> ReportTable:
    rows, examples = [], run.started.examples
    for name, arm in run.history.arms.items():
        rows += [[f"data, {name}", arm.info.data]] if arm.info.data else []
        rows += [[f"numbers of the {part} {examples}, {name}", digest] for part, digest in arm.info.split.items()]
        rows.append([f"initial weights, {name}", arm.info.initial_weights])
    orders = enumerate(run.history.order_hashes, start=1)
    rows += [[f"order of the {examples}, epoch {epoch}", digest] for epoch, digest in orders]
    return ReportTable(("hash of", ""), rows)


def _seams(run: SavedRun) -> ReportTable:
    header = ("after step", "epoch", "what happened", "by")
    return ReportTable(header, [_seam(seam) for seam in run.history.seams])


def _seam(seam: Interrupted) -> list[object]:
    return [seam.step, seam.epoch, seam.words(), f"{seam.by.user}, pid {seam.by.pid}" if seam.by is not None else ""]


def _controls(run: SavedRun) -> ReportTable:
    header = ("step", "epoch", "command", "arm", "knob", "value", "applied")
    return ReportTable(header, [_control(control) for control in run.history.controls])


def _control(control: ControlApplied) -> list[object]:
    applied = "yes" if control.accepted else f"no: {control.why}"
    knob, value = control.key or "", "" if control.value is None else control.value
    return [control.step, control.epoch, control.command, control.arm or "", knob, value, applied]


def _settings(run: SavedRun) -> ReportTable:
    settings = [[key, value] for key, value in run.settings().items()]
    versions = run.circumstances.get("versions")
    if isinstance(versions, dict):
        settings += [[f"version of {name}", version] for name, version in versions.items()]
    return ReportTable(("setting", "value"), settings)


def _epochs(arm: ArmHistory, metric: Metric) -> ReportTable:
    header = (
        "epoch", "training loss", "validation loss", "gap", f"training {metric.title}", f"validation {metric.title}",
        "zeros", "s",
    )  # fmt: skip
    kept = arm.kept if arm.test is not None else None
    rows = [_epoch(epoch, metric, best=epoch is arm.best, kept=epoch is kept) for epoch in arm.epochs]
    return ReportTable(header, rows)


def _epoch(epoch: EpochDone, metric: Metric, *, best: bool, kept: bool) -> list[object]:
    words = {"best": best, "kept": kept, "cut short": epoch.partial}
    number = " ".join([str(epoch.epoch), *(word for word, true in words.items() if true)])
    metrics = (_value(metric, part) for part in (epoch.train_metric, epoch.val_metric))
    zeros = share(epoch.zero_weights, 2)
    return [number, epoch.train_loss, epoch.val_loss, epoch.gap, *metrics, zeros, epoch.seconds]


def _value(metric: Metric, value: float | None) -> object:
    """A metric's value as the page has it: a percentage with its sign, else a number."""
    return value if not metric.unit else metric.show(value).replace(NBSP, " ")
