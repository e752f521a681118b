"""One self-contained HTML report of a run: no scripts, no network; readable in light, in dark and on paper."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from regtui import __version__
from regtui.evidence.from_history import judge_run
from regtui.export.saved_run import SavedRun
from regtui.export.svg_chart import Curve, chart
from regtui.protocol.events import ControlApplied, EpochDone
from regtui.protocol.history import ArmHistory
from regtui.text import counted, one_line, share

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --soft: #666; --line: #ccc;
        --b: #0072b2; --r: #c04d00 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #16181c; --soft: #a0a0a0; --line: #454a52; --b: #56b4e9; --r: #f09a4a }
}
@media print {
  :root { color-scheme: light; --ink: #000; --paper: #fff; --soft: #444; --line: #bbb; --b: #0072b2; --r: #c04d00 }
  section, figure, tr { break-inside: avoid }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 760px; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; margin-bottom: 0 } h2 { font-size: 1.15rem; margin-top: 2rem }
.soft, figcaption { color: var(--soft) } figure { margin: 1rem 0 } pre { overflow-x: auto; font-size: 13px }
table { border-collapse: collapse; font-size: 14px; display: block; overflow-x: auto }
th, td { border-bottom: 1px solid var(--line); padding: 2px 10px 2px 0; text-align: left; vertical-align: top }
th { font-weight: 600 } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif } svg text { fill: var(--soft) }
svg .x { text-anchor: middle } svg .y { text-anchor: end } svg path { fill: none; stroke-width: 1.8 }
svg .grid { stroke: var(--line); stroke-width: .6 } svg .zero { stroke: var(--soft); stroke-width: 1 }
svg .base { stroke: var(--b) } svg circle.base { fill: var(--b) }
svg .reg { stroke: var(--r) } svg .reg.mark { fill: var(--r) }
svg .train { stroke-dasharray: 6 4 } svg .plain { stroke: var(--ink) } svg circle.plain { fill: var(--ink) }
.base { color: var(--b) } .reg { color: var(--r) }
"""
_REASONS = {
    "max_epochs": "all epochs trained",
    "early_stopping": "stopped early",
    "stopped": "stopped by the user",
    "non_finite": "diverged: loss not finite",
    "exploded": "diverged: training loss far above that of guessing",
}


def write(run: SavedRun, path: Path) -> None:
    """Write a run's report into `path`."""
    title = one_line(run.started.title) or one_line(run.started.preset)
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f"<title>{escape(title)}: {_text(run.name)}</title>",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style>\n</head>\n<body>",
        f'<h1>{escape(title)}</h1>\n<p class="soft">{_text(_facts(run))}</p>',
        _section("Verdict", _verdict(run)),
        _section("Curves", _charts(run)),
        _section("Results", _results(run)),
        _section("Test images, counted together", _two_by_two(run)),
        _section("Matched pair", _pairing(run)),
        _section("Interventions", _interventions(run)),
        _section("Settings", _settings(run)),
        _section("Epochs", *(_epochs(name, arm) for name, arm in run.history.arms.items())),
        f'<footer class="soft"><p>Written by regtui {__version__} from {_text(run.name)}.</p></footer>',
        "</body>\n</html>\n",
    ]
    path.write_text("\n".join(parts), encoding="utf-8")


def _facts(run: SavedRun) -> str:
    started, finished = run.started, run.history.finished
    ended = finished or run.summary
    status = ended.status if ended else "the log has no end"
    when = run.circumstances.get("started")
    facts = [run.name, *([f"started {when}"] if when else []), f"status: {status}", started.dataset, started.device]
    if started.threads:
        facts.append(f"{counted(started.threads, 'thread')} a process")
    network = started.network or "-".join(map(str, started.layers))
    return " · ".join([*facts, f"network {network}", f"seed {started.seed}", f"{run.history.seconds:.1f} s"])


def _verdict(run: SavedRun) -> str:
    if run.history.finished is None:
        return "<p>There is no verdict: the end of the run is not in the log.</p>"
    error = f"<p>{_text(run.history.finished.error)}</p>" if run.history.finished.error else ""
    try:
        lines = judge_run(run.history, run.preset).lines()
    except ValueError as fault:
        return f"{error}<p>There is no verdict: {_text(fault)}.</p>"
    return error + "<pre>" + "\n".join(_text(line) for line in lines) + "</pre>"


def _charts(run: SavedRun) -> str:
    base, reg = run.history.arms["baseline"], run.history.arms["regularized"]
    losses = [
        Curve([(e.epoch, e.train_loss) for e in base.epochs], "base train"),
        Curve([(e.epoch, e.train_loss) for e in reg.epochs], "reg train"),
        Curve([(e.epoch, e.val_loss) for e in base.epochs], "base", "circle"),
        Curve([(e.epoch, e.val_loss) for e in reg.epochs], "reg", "diamond"),
    ]
    accuracies = [
        Curve([(e.epoch, 100 * e.val_accuracy) for e in base.epochs], "base", "circle"),
        Curve([(e.epoch, 100 * e.val_accuracy) for e in reg.epochs], "reg", "diamond"),
    ]
    delta = [Curve(list(run.history.differences.items()), "plain", "circle")]
    key = f'<span class="base">● baseline</span>, <span class="reg">◆ regularized ({_text(reg.info.techniques)})</span>'
    return (
        _figure(losses, "Loss by epoch", f"Loss: {key}; validation solid, training dashed.")
        + _figure(delta, "Difference of validation losses by epoch",
                  "Validation loss, regularized − baseline; below 0 the regularized arm has the lower one.", zero=True)
        + _figure(accuracies, "Validation accuracy by epoch", f"Validation accuracy in %: {key}.")
    )  # fmt: skip


def _figure(curves: Sequence[Curve], label: str, caption: str, *, zero: bool = False) -> str:
    """A chart with its caption, which is HTML already."""
    drawing = chart(curves, label=label, x_label="epoch", zero=zero)
    return f"<figure>{drawing}<figcaption>{caption}</figcaption></figure>\n"


def _results(run: SavedRun) -> str:
    rows: list[list[object]] = []
    for name, arm in run.history.arms.items():
        test, best = arm.test, arm.best
        reason = _REASONS[arm.stopped.reason] if arm.stopped else "not ended"
        rows.append(
            [
                name, arm.info.techniques, len(arm.epochs), reason, best and best.epoch, best and best.val_loss,
                test and f"those of epoch {test.epoch}", test and test.loss, test and share(test.accuracy, 2),
                share(arm.zero_weights, 2),
                arm.weight_norm, arm.seconds, arm.info.parameters,
            ]
        )  # fmt: skip
    names = (
        "arm", "techniques", "epochs", "ended", "best epoch", "best validation loss", "weights kept", "test loss",
        "test accuracy", "weights that are 0", "norm of the weights", "seconds", "parameters",
    )  # fmt: skip
    # One quantity a row, so that the two arms stand side by side and a narrow page holds them.
    return _table(("", *(str(row[0]) for row in rows)), [list(row) for row in zip(names, *rows, strict=True)][1:])


def _two_by_two(run: SavedRun) -> str:
    scored = run.history.scored
    if scored is None:
        return "<p>The test images were not scored.</p>"
    return _table(
        ("", "baseline right", "baseline wrong"),
        [
            ["regularized right", scored.both_right, scored.only_regularized],
            ["regularized wrong", scored.only_baseline, scored.both_wrong],
        ],
    )


def _pairing(run: SavedRun) -> str:
    history, tensors = run.history, max(arm.info.tensors for arm in run.history.arms.values())
    data = "data and split are the same, " if all(arm.info.data for arm in history.arms.values()) else ""
    epochs = len(history.order_hashes)
    batches = "epoch 1" if epochs == 1 else f"each of the {epochs} epochs"
    proof = history.unpaired_because or (
        f"{data}{run.started.shared_tensors} of {tensors} tensors start equal"
        + (f", and the batches were the same in {batches}" if epochs else "")
    )
    verdict = "Not a matched pair" if history.unpaired_because else "A matched pair"
    rows = []
    for name, arm in history.arms.items():
        rows += [[f"data, {name}", arm.info.data]] if arm.info.data else []
        rows += [[f"numbers of the {part} images, {name}", digest] for part, digest in arm.info.split.items()]
        rows.append([f"initial weights, {name}", arm.info.initial_weights])
    rows += [[f"order of the images, epoch {i}", digest] for i, digest in enumerate(history.order_hashes, start=1)]
    hashes = _table(("hash of", ""), rows)
    return f"<p>{verdict}: {_text(proof)}.</p>\n<details><summary>The hashes</summary>{hashes}</details>"


def _interventions(run: SavedRun) -> str:
    if not run.history.controls:
        whole = run.history.finished is not None
        return f"<p>None{': nobody touched the run while it trained' if whole else ' in what the log has'}.</p>"
    return _table(("step", "epoch", "command", "arm", "knob", "value", "applied"), map(_control, run.history.controls))


def _control(control: ControlApplied) -> list[object]:
    applied = "yes" if control.accepted else f"no: {control.why}"
    knob, value = control.key or "", "" if control.value is None else control.value
    return [control.step, control.epoch, control.command, control.arm or "", knob, value, applied]


def _settings(run: SavedRun) -> str:
    if run.preset is None:
        return "<p>The run's preset.toml is missing or can't be read.</p>"
    settings = [[key, value] for key, value in run.settings().items()]
    versions = run.circumstances.get("versions")
    if isinstance(versions, dict):
        settings += [[f"version of {name}", version] for name, version in versions.items()]
    return _table(("setting", "value"), settings)


def _epochs(name: str, arm: ArmHistory) -> str:
    header = (
        "epoch", "training loss", "validation loss", "gap", "training accuracy", "validation accuracy", "zeros", "s",
    )  # fmt: skip
    kept = arm.kept if arm.test is not None else None
    rows = [_epoch(epoch, best=epoch is arm.best, kept=epoch is kept) for epoch in arm.epochs]
    return f"<details><summary>{_text(name)}</summary>{_table(header, rows)}</details>"


def _epoch(epoch: EpochDone, *, best: bool, kept: bool) -> list[object]:
    words = {"best": best, "kept": kept, "cut short": epoch.partial}
    number = " ".join([str(epoch.epoch), *(word for word, true in words.items() if true)])
    shares = (share(part, 2) for part in (epoch.train_accuracy, epoch.val_accuracy, epoch.zero_weights))
    return [number, epoch.train_loss, epoch.val_loss, epoch.gap, *shares, epoch.seconds]


def _section(title: str, *content: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join(content) + "\n</section>"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>"


def _cell(value: object) -> str:
    if value is None:
        return "<td>–</td>"
    if isinstance(value, float):
        return f'<td class="n">{value:.6g}</td>' if math.isfinite(value) else "<td>–</td>"
    if type(value) is int:
        return f'<td class="n">{value:,}</td>'
    text = _text(value)
    return f'<td class="n">{text}</td>' if text.endswith(" %") else f"<td>{text}</td>"


def _text(value: object) -> str:
    """Text from a log as HTML: markup in it is shown, not obeyed."""
    return escape(one_line(value))
