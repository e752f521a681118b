"""All that the program says about a run is true: over every preset, several seeds each, and many ways to stop.

The curves are real, see `tests.curves`; what a sentence claims is read off its words by `tests.rules`, which know
nothing of the code that speaks.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtui.evidence.diagnosis import describe
from regtui.evidence.from_history import judge_run
from regtui.evidence.lines import verdict_lines
from regtui.evidence.what_if import what_if
from regtui.preset.file import load
from regtui.preset.model import Preset
from regtui.protocol.events import ControlApplied, Scored
from regtui.protocol.history import History
from regtui.techniques.early_stopping import EarlyStopping, Monitor
from regtui.tui.look import arm_looks
from regtui.tui.pages.what_if_view import table_rows
from tests import curves, rules_verdict
from tests.conftest import small_preset
from tests.curves import CurveRun, Rule
from tests.rules import Logged, Run, check, sentences
from tests.rules_what_if import WHAT_IF, Past, check_row
from tests.telling import Telling

RULES = [
    None,
    *(Rule(patience=patience) for patience in (1, 3, 5)),
    *(Rule(patience=3, min_delta=delta) for delta in (0.01, 0.3)),
    *(Rule(patience=patience, warmup=3) for patience in (1, 5)),
    Rule(patience=3, monitor="val_accuracy"),
]


def logged(history: History) -> Run:
    """What the rules may know: the numbers, and what happened."""
    arms = {
        name: Logged(
            val={e.epoch: e.val_loss for e in arm.epochs if e.val_loss is not None},
            train={e.epoch: e.train_loss for e in arm.epochs if e.train_loss is not None},
            last_epoch=arm.epochs[-1].epoch if arm.epochs else 0,
            stopped=arm.stopped.reason if arm.stopped else "",
            partial=bool(arm.epochs) and arm.epochs[-1].partial,
        )
        for name, arm in history.arms.items()
    }
    assert history.started is not None
    controls = tuple((c.arm or "", c.key, c.value, c.epoch) for c in history.controls if c.accepted and c.key)
    return Run(arms, history.started.epochs, history.finished.status if history.finished else "", controls)


def tellings(run: CurveRun) -> Iterator[History]:
    """The run, ended in each of these ways."""
    for rule in RULES:
        yield History.of(run.events(rule))
    epochs = len(run.arms["baseline"]["val_loss"])
    for last in (1, 2, epochs // 2, epochs - 1):
        yield History.of(run.events(last=last, partial=last % 2 == 0, status="stopped"))
    yield History.of(run.events(Rule(patience=1), last=epochs - 1, partial=True, status="stopped"))


@pytest.fixture(scope="module", params=curves.runs(), ids=lambda run: run.name)
def run(request: pytest.FixtureRequest) -> CurveRun:
    """Every run, one after another: what is asked of all comes run by run."""
    found: CurveRun = request.param
    return found


@pytest.fixture(scope="module")
def endings(run: CurveRun) -> list[History]:
    """The run, ended in each of these ways; for reading only."""
    return list(tellings(run))


def test_the_sentence_is_true_at_each_epoch_of_every_run(run: CurveRun, endings: list[History]) -> None:
    planned = run.facts["started"]["epochs"]
    told = set()
    for history in endings:
        check(logged(history), describe(history, planned))
        for epoch in range(1, history.epochs):
            ends = {arm.stopped for arm in history.arms.values() if arm.stopped and arm.stopped.epoch <= epoch}
            case = epoch, tuple(sorted((end.arm, end.epoch, end.reason) for end in ends))
            if case in told:  # so far it is the same as with another rule
                continue
            told.add(case)
            at = history.at(epoch)
            check(logged(at), describe(at, planned))
            check(logged(at), describe(at, planned, over=True))


def test_there_are_several_seeds_of_each_preset() -> None:
    seeds: dict[str, set[int]] = {}
    for run in curves.runs():
        seeds.setdefault(run.facts["preset"], set()).add(run.facts["seed"])
    presets = [load(str(path)) for path in (Path(__file__).parent.parent / "presets").glob("*.toml")]
    # What is said of values instead of classes, and of several arms, has tests of its own.
    pairs = {preset.name for preset in presets if preset.task.name == "classification" and not preset.named_arms}
    assert seeds.keys() == pairs
    assert all(found >= {0, 1, 2, 3, 4} for found in seeds.values()), seeds


@pytest.mark.parametrize("run", curves.runs()[::5], ids=lambda run: run.name)
def test_the_sentence_is_true_where_the_user_steers_and_pauses(run: CurveRun) -> None:
    def control(arm: str, key: str, value: float | None, epoch: int) -> ControlApplied:
        command = "set_patience" if key == "patience" else "set_strength"
        return ControlApplied(
            t=0, command=command, arm=arm, key=key, value=value, accepted=True, epoch=epoch, step=epoch - 1
        )

    both = [control(arm, "patience", 4, 2) for arm in curves.ARMS]
    off = [control("regularized", "patience", None, 2)]
    rate = [*both, control("regularized", "dropout.rate", 0.25, 3)]
    planned = run.facts["started"]["epochs"]
    for controls in (both, off, rate):
        history = History.of(run.events(controls=tuple(controls)))
        for epoch in range(1, history.epochs):
            at = history.at(epoch)
            check(logged(at), describe(at, planned))
            at.paused_at = at.seconds
            check(logged(at), describe(at, planned))


PRESET: Preset = small_preset(train={"epochs": 40})


@st.composite
def synthetic(draw: st.DrawFn) -> list[tuple[float | None, float | None]]:
    """Validation and training losses of a course with noise, spikes, plateaus, and what is not finite."""
    losses: list[tuple[float | None, float | None]] = []
    val, train = draw(st.floats(0.05, 3)), draw(st.floats(0.05, 3))
    for _ in range(draw(st.integers(1, 4))):
        factor, noise = draw(st.sampled_from([0.8, 0.97, 0.999, 1.0, 1.001, 1.02, 1.3])), draw(st.floats(0, 0.1))
        other = draw(st.sampled_from([0.7, 0.95, 1.0, 1.01]))
        for _ in range(draw(st.integers(1, 9))):
            val, train = val * factor, train * other
            spike = draw(st.sampled_from([1.0] * 12 + [1.5, 30.0, 2e4, 0.5]))
            seen = val * spike * (1 + noise * draw(st.floats(-1, 1)))
            losses.append((draw(st.sampled_from([seen] * 15 + [None])), draw(st.sampled_from([train] * 15 + [None]))))
    return losses


@given(synthetic(), synthetic())
def test_the_sentence_is_true_whatever_the_course(
    baseline: list[tuple[float | None, float | None]], regularized: list[tuple[float | None, float | None]]
) -> None:
    telling = Telling(PRESET).start()
    for number in range(max(len(baseline), len(regularized))):
        for arm, course in (("baseline", baseline), ("regularized", regularized)):
            if number < len(course):
                val, train = course[number]
                telling.epoch(arm, val, train=train)
    history = telling.history
    for epoch in range(1, history.epochs + 1):
        at = history.at(epoch)
        if all(any(e.val_loss is not None for e in arm.epochs) for arm in at.arms.values()):
            check(logged(at), describe(at, 40))


# The verdict


def steered(run: CurveRun) -> Iterator[History]:
    """The run, steered once, to its end and stopped."""
    control = ControlApplied(
        t=0, command="set_strength", arm="regularized", key="dropout.rate", value=0.3, accepted=True, epoch=1, step=0
    )
    yield History.of(run.events(controls=(control,)))
    yield History.of(run.events(controls=(control,), last=1, status="stopped"))


def test_the_verdict_is_true_of_every_run(run: CurveRun, endings: list[History]) -> None:
    for history in (*endings, *steered(run)):
        verdict = judge_run(history, None)
        for width in (40, 80, 120):
            lines = verdict_lines(verdict, width)
            assert max(map(len, lines)) <= max(width, 80)
            rules_verdict.check(history, lines)


@pytest.mark.parametrize(
    ("told", "changed"),
    [
        (r"(points \(.)(\d)", lambda m: f"{m[1]}{(int(m[2]) + 1) % 10}"),
        (r"(test loss .)(\d)", lambda m: f"{m[1]}{(int(m[2]) + 1) % 10}"),
        (r"better here|worse here", lambda m: "worse here" if m[0] == "better here" else "better here"),
        (r"loss is (lower|higher)", lambda m: f"loss is {'higher' if m[1] == 'lower' else 'lower'}"),
        (r"ahead ───(.*)─ ◆", lambda m: f"ahead ─{m[1]}─── ◆"),
        (r"one seed \(\d", lambda _: "one seed (7"),
    ],
)
def test_the_rules_of_a_headline_find_what_is_wrong(told: str, changed: Callable[[re.Match[str]], str]) -> None:
    run = next(run for run in curves.runs() if run.facts["preset"] == "small-data" and run.facts["seed"] != 7)
    history = History.of(run.events())
    lines = "\n".join(verdict_lines(judge_run(history, None)))
    wrong = re.sub(told, changed, lines, count=1)
    assert wrong != lines
    with pytest.raises(AssertionError):
        rules_verdict.check(history, wrong.splitlines())


@pytest.mark.parametrize("broken", [["baseline"], ["regularized"], ["baseline", "regularized"]])
def test_a_test_error_that_is_not_finite_is_told_of_whom_it_is(broken: list[str]) -> None:
    """As a regression can have it, whose networks are compared by their errors."""
    run = next(run for run in curves.runs() if run.facts["preset"] == "small-data")

    def history(of: list[str]) -> History:
        events = list(run.events())
        (place,) = (number for number, event in enumerate(events) if isinstance(event, Scored))
        scored = events[place]
        assert isinstance(scored, Scored)
        lost = {name: scored.arms[name].model_copy(update={"loss": None, "metrics": {}}) for name in of}
        events[place] = scored.model_copy(update={"arms": {**scored.arms, **lost}, "comparisons": {}})
        return History.of(events)

    (one, *_) = "\n".join(verdict_lines(judge_run(history(broken), None))).split("\n\n")
    assert "is not finite" in one
    rules_verdict.check_glance(history(broken), one.split("\n"))
    for others in (["baseline"], ["regularized"], ["baseline", "regularized"]):
        if others != broken:
            with pytest.raises(AssertionError):
                rules_verdict.check_glance(history(others), one.split("\n"))


# What other patience would have come to


def test_what_other_patience_would_have_come_to_is_true_of_every_run(run: CurveRun) -> None:
    planned = run.facts["started"]["epochs"]
    cases = [(Rule(), None), *((rule, None) for rule in RULES if rule), (Rule(), 5)]
    for rule, last in cases:
        history = History.of(run.events(last=last, partial=last is not None, status="stopped" if last else "finished"))
        stopping = EarlyStopping(
            patience=1, min_delta=rule.min_delta, warmup=rule.warmup, monitor=cast("Monitor", rule.monitor)
        )
        tables = {name: what_if(arm, stopping, planned) for name, arm in history.arms.items()}
        whole = None if last is None else last - 1
        pasts = {
            name: Past({key: values[:whole] for key, values in run.arms[name].items()}, rule, planned)
            for name in tables
        }
        for name, table in tables.items():
            WHAT_IF.check(pasts[name], table.takeaway())
            remarks = " ".join(line.strip() for line in table.remarks())
            for sentence in sentences(remarks) if remarks else ():
                WHAT_IF.check(pasts[name], sentence)
        rows = [row.plain for row in table_rows(tables, arm_looks(tables), 100, defaultdict(str))[2:]]
        for row in rows:
            patience, *cells = row.replace("★ best", "★best").split()
            for number, past in enumerate(pasts.values()):
                check_row(past, int(patience.partition("–")[0]), cells[5 * number : 5 * number + 5])
