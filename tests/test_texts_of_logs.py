"""What lists, tables, reports and the words over seeds say of saved runs is what was logged; see `tests.test_texts`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from html import unescape
from itertools import product
from operator import mul
from pathlib import Path

import pytest
from scipy.stats import nct, t, ttest_1samp

from regtui.cli import runs as runs_command
from regtui.engine.run import summarize
from regtui.evidence.from_history import judge_run
from regtui.evidence.lines import advice_lines
from regtui.evidence.rules import advice_on_run
from regtui.evidence.seeds import describe_seeds, judge_seeds
from regtui.export import html
from regtui.export.saved_run import read_saved_run
from regtui.preset.file import load
from regtui.preset.model import Preset
from regtui.protocol.history import ArmHistory, History
from regtui.runs.comparison import seeds
from regtui.runs.log import RunLog
from regtui.runs.read import read_run
from regtui.tui.review.columns import FIELDS
from regtui.tui.run.arms_table import arm_rows
from tests import curves, rules_verdict
from tests.curves import CurveRun, Rule
from tests.rules import hold
from tests.rules_verdict import gap, kept, loss, lowest, p_value, tells, tells_share, value

ROOT = Path(__file__).parent.parent
WAYS = (None, Rule(patience=3, min_delta=0.3), Rule(patience=3, warmup=3), Rule(patience=1, monitor="val_accuracy"))


def preset_of(run: CurveRun) -> Preset:
    preset = load(str(ROOT / "presets" / f"{run.facts['preset']}.toml"))
    return preset.model_copy(update={"train": preset.train.model_copy(update={"seed": run.facts["seed"]})})


def save(run: CurveRun, logs: Path, rule: Rule | None = None) -> tuple[Path, History]:
    """A folder of the run, written as every run's."""
    preset, events = preset_of(run), run.events(rule)
    with RunLog(logs, preset) as log:
        for event in events:
            log(event)
        history = History.of(events)
        log.finish(summarize(preset, history, 1.0), events[-1].t)
    return log.folder, history


def outcome(history: History) -> str:
    """The outcome that the counts bear out."""
    _, baseline, regularized, _ = rules_verdict.counts(history)
    if p_value(history) >= 0.05:
        return "undecided"
    return "more" if regularized > baseline else "fewer"


def check_cells(cells: dict[str, str], history: History) -> None:
    """The cells of a list, by the words above them."""
    _, only_baseline, only_arm, _ = rules_verdict.counts(history)
    baseline, regularized = history.arms.values()
    points = re.fullmatch(r"([+−][\d.]+) \(one seed\)", cells["Δ points"])
    assert points, cells
    tells(points[1], 100 * (only_arm - only_baseline) / sum(rules_verdict.counts(history)))
    assert cells["verdict"] == outcome(history)
    assert cells["epochs"] == str(max(len(arm.epochs) for arm in history.arms.values()))
    for mark, arm in (("●", baseline), ("◆", regularized)):
        assert arm.test is not None
        tells(cells[f"{mark} val"], loss(lowest(arm)))
        tells_share(cells[f"{mark} test"].removesuffix("%"), arm.test.metric or 0.0)


@pytest.mark.parametrize("run", curves.runs()[::2], ids=lambda run: run.name)
def test_lists_tables_and_reports_say_what_was_logged(
    run: CurveRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for number, rule in enumerate(WAYS):
        logs = tmp_path / str(number)
        folder, history = save(run, logs, rule)
        info = read_run(folder)
        assert not info.fault
        check_cells({field.column.title: field.cell(info).text for field in FIELDS}, history)
        runs_command.print_runs(logs, json=False)
        *_, row = capsys.readouterr().out.splitlines()
        form = r"\S+ (\S+) +finished (\w+) +([+−][\d.]+ \(one seed\)) +(\S+) +(\S+) +(\d+) +(\d+) +(\S+) +(\S+) +\w+"
        match = re.fullmatch(form, row)
        assert match, row
        names = ("preset", "verdict", "Δ points", "● test", "◆ test", "seed", "epochs", "● val", "◆ val")
        check_cells(dict(zip(names, match.groups(), strict=True)), history)
        saved = read_saved_run(folder)
        html.write(saved, tmp_path / "report.html")
        advised = advice_lines(
            advice_on_run(saved.history, judge_run(saved.history, saved.preset), saved.preset, folder)
        )
        check_report((tmp_path / "report.html").read_text("utf-8"), history, advised)


def check_report(text: str, history: History, advised: Sequence[str]) -> None:
    """The rows of the results, of the epochs, and the verdict, below which stands what diagnosis advises."""
    cells = re.compile(r"<t[dh][^>]*>(.*?)</t[dh]>")
    rows = {found[0]: found[1:] for row in re.findall("<tr>.*?</tr>", text, re.S) if (found := cells.findall(row))}
    for index, arm in enumerate(history.arms.values()):
        assert arm.test is not None
        told = {name: unescape(row[index]) for name, row in rows.items() if len(row) == 2}
        assert told["best epoch"] == str(lowest(arm).epoch)
        assert value(told["best validation loss"]) == pytest.approx(loss(lowest(arm)), rel=1e-5)
        assert told["weights kept"] == f"those of epoch {arm.test.epoch}"
        assert value(told["test loss"]) == pytest.approx(arm.test.loss, rel=1e-5)
        tells_share(told["test accuracy"].removesuffix(" %"), arm.test.metric or 0.0)
        tells_share(told["weights that are 0"].removesuffix(" %"), kept(arm).zero_weights)
        assert told["epochs"] == str(len(arm.epochs))
        section = text.split(f"<details><summary>{list(history.arms)[index]}</summary>")[1].split("</details>")[0]
        epochs = [cells.findall(row) for row in re.findall("<tr>.*?</tr>", section, re.S)[1:]]
        for epoch, cell in zip(arm.epochs, epochs, strict=True):
            words = [str(epoch.epoch)]
            words += ["best"] if epoch.epoch == lowest(arm).epoch else []
            words += ["kept"] if epoch.epoch == arm.test.epoch else []
            assert cell[0] == " ".join(words)
            for shown, number in zip(cell[1:4], (epoch.train_loss, epoch.val_loss, gap(epoch)), strict=True):
                assert value(unescape(shown)) == pytest.approx(number, rel=1e-5)
            for shown, number in zip(
                cell[4:7], (epoch.train_metric, epoch.val_metric, epoch.zero_weights), strict=True
            ):
                tells_share(unescape(shown).removesuffix(" %"), number or 0.0)
    (verdict,) = re.findall("<pre>(.*?)</pre>", text, re.S)
    lines = unescape(verdict).splitlines()
    end = len(lines) - len(advised)
    assert lines[end:] == advised
    rules_verdict.check(history, lines[: end - 1] if advised else lines)


# The table of the arms


def check_arm(cells: dict[str, str], arm: ArmHistory, planned: int) -> None:
    last, best = arm.epochs[-1], lowest(arm)
    assert cells["epoch"] == f"{last.epoch}/{planned}"
    for name, number in (("train", last.train_loss), ("val", last.val_loss), ("gap", gap(last)), ("value", loss(best))):
        tells(cells[name], number or 0.0)
    tells_share(cells["acc"].removesuffix("%"), last.val_metric or 0.0)
    tells_share(cells["zeros"].removesuffix("%"), last.zero_weights)
    assert cells["best"] == str(best.epoch)


@pytest.mark.parametrize("run", curves.runs()[::3], ids=lambda run: run.name)
def test_the_table_of_the_arms_says_what_was_logged_at_each_epoch(run: CurveRun) -> None:
    preset, history = preset_of(run), History.of(run.events())
    for epoch in range(1, history.epochs, 3):
        at = history.at(epoch)
        header, *rows = (row.plain for row in arm_rows(preset, at, 150, defaultdict(lambda: "red")))
        ends = {match[0]: match.end() for match in re.finditer(r"\S+", header)}
        begins = dict(zip(ends, [0, *ends.values()], strict=False))
        for row, arm in zip(rows, at.arms.values(), strict=True):
            check_arm({name: row[begins[name] : end].split()[-1] for name, end in ends.items() if name not in
                       {"patience", "needs", "stops"}}, arm, preset.train.epochs)  # fmt: skip


# What seeds say together


SPREAD = r"([+−][\d.]+)(?: points)? on average, 95 % interval ([+−][\d.]+) to ([+−][\d.]+) \(paired t over seeds, p ([<=]) ([\d.e-]+); sign-flip p ([<=]) ([\d.e-]+)\)"  # noqa: E501
SEEDS = (
    rf"(\S+), (\d+) seeds: test accuracy ◆ − ● {SPREAD}, ◆ ahead with (\d+), ● with (\d+); test loss {SPREAD}\. "
    r"Over these seeds and on this test set (.+?)\.( That holds if their number was decided on beforehand\.)?"
    r"(?: (It rests) on t, which assumes normal differences: sign-flip needs 6 seeds for p below 0\.05\.)?"
    r"(?: By (accuracy|loss|accuracy and loss) t and sign-flip disagree: look at each seed's difference before you "
    r"trust either\.)?"
    r"(?: To settle a difference in accuracy of this size with 80 % power, decide on (more than )?([\d,]+) new seeds "
    r"beforehand and judge those alone: adding seeds until one shows finds some where there is none\.)?"
)


def test_what_the_seeds_of_each_preset_say_together_is_what_they_say(tmp_path: Path) -> None:
    infos = [read_run(save(run, tmp_path)[0]) for run in curves.runs()]
    found = seeds(infos)
    assert {group.name for group in found} == {run.facts["preset"] for run in curves.runs()}
    for group in found:
        runs = [run for run in curves.runs() if run.facts["preset"] == group.name]
        accuracy, losses = (
            judge_seeds({"regularized": differences}, better)["regularized"]
            for differences, better in (
                (group.arms["regularized"].differences, group.metric.better),
                (group.arms["regularized"].losses, "lower"),
            )
        )
        for width in (60, 120):
            text = " ".join(describe_seeds(group.name, "regularized", group.metric, accuracy, losses, width))
            match = re.fullmatch(SEEDS, text)
            assert match, text
            check_seeds(list(match.groups()), runs)


def check_seeds(g: list[str], runs: list[CurveRun]) -> None:
    assert int(g[1]) == len(runs)
    scored = [run.facts["scored"] for run in runs]
    points = [
        100 * (arms["regularized"]["metrics"]["accuracy"] - arms["baseline"]["metrics"]["accuracy"])
        for _, arms in scored
    ]
    losses = [arms["regularized"]["loss"] - arms["baseline"]["loss"] for _, arms in scored]
    better = [spread(g[2:9], points), -spread(g[11:18], losses)]
    assert [int(g[9]), int(g[10])] == [sum(p > 1e-9 for p in points), sum(p < -1e-9 for p in points)]
    arm = {1: "the regularized arm", -1: "the baseline"}
    by_accuracy, by_loss = (arm.get(side) for side in better)
    if by_accuracy and by_accuracy == by_loss:
        expected = f"{by_accuracy} is better, by accuracy and by loss"
    elif by_accuracy and by_loss:
        expected = f"{by_accuracy} is better by accuracy, but {by_loss} by loss"
    elif by_accuracy:
        expected = f"{by_accuracy} is better by accuracy; by loss that is not settled"
    elif by_loss:
        expected = f"{by_loss} is better by loss; by accuracy that is not settled"
    else:
        expected = "neither arm is shown to be better, by accuracy or by loss"
    assert g[18] == expected
    assert bool(g[19]) == bool(by_accuracy or by_loss)
    unsure = [name for name, values in (("accuracy", points), ("loss", losses)) if disagree(values)]
    assert (bool(g[20]), g[21]) == ((True, None) if unsure and len(runs) < 6 else (False, " and ".join(unsure) or None))
    assert (g[23] is None) == bool(by_accuracy)
    if g[23] is not None:
        count, mean = int(value(g[23])), sum(points) / len(points)
        deviation = (sum((p - mean) ** 2 for p in points) / (len(points) - 1)) ** 0.5
        enough = [power(abs(mean) / deviation, n) >= 0.8 for n in (count - 1, count)]
        hold(enough == ([False, False] if g[22] else [False, True]), f"{count} seeds have another power")


def flips(values: list[float]) -> float:
    """The sign-flip p-value, by trying all signs."""
    sums = [abs(sum(map(mul, values, signs))) for signs in product((1, -1), repeat=len(values))]
    return float(sum(s >= abs(sum(values)) - 1e-9 for s in sums) / len(sums))


def disagree(values: list[float]) -> bool:
    return bool((ttest_1samp(values, 0.0).pvalue <= 0.05) != (flips(values) <= 0.05))


def power(effect: float, count: int) -> float:
    if count < 2:
        return 0.0
    limit = t.ppf(0.975, count - 1)
    return float(1 - nct.cdf(limit, count - 1, effect * count**0.5))


def spread(g: list[str], values: list[float]) -> int:
    """Checks mean, interval and p-values; returns the side on which the interval lies, 0 if on both."""
    result = ttest_1samp(values, 0.0)
    low, high = result.confidence_interval(0.95)
    for text, number in zip(g[:3], (sum(values) / len(values), low, high), strict=True):
        tells(text, float(number))
    for sign, text, p in ((g[3], g[4], float(result.pvalue)), (g[5], g[6], flips(values))):
        hold(p < value(text) if sign == "<" else abs(p - value(text)) <= 0.06 * p, f"p is {p}")
    return int(low > 0) - int(high < 0)
