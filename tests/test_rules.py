"""Diagnosis: each rule fires where it must, is silent where the data don't carry it, and its command works."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtui.evidence.advice import Advice
from regtui.evidence.from_history import judge_run
from regtui.evidence.lines import advice_lines
from regtui.evidence.rules import RULES, advice_on_run
from regtui.preset.file import load, to_toml
from regtui.preset.model import Preset
from regtui.preset.wording import Wording, wording
from regtui.protocol.history import History
from regtui.tasks.comparison import RightWrong
from regtui.tui.run.session import Session
from tests import curves
from tests.command import call
from tests.conftest import small_preset
from tests.curves import CurveRun, Rule
from tests.diagnosis_page import PAGE, page
from tests.rules_advice import check_command, check_sentences
from tests.telling import Telling

LEVEL = RightWrong(900, 40, 40, 20)
WORSE = RightWrong(850, 90, 30, 30)
BETTER = RightWrong(850, 30, 90, 30)


def advice(history: History, preset: Preset, folder: Path = Path("logs/run")) -> list[Advice]:
    """What is found, each of it checked against the numbers."""
    found = advice_on_run(history, judge_run(history, preset), preset, folder)
    check_sentences((history, preset), [one.sentence for one in found if one.sentence])
    return found


def names(found: Sequence[Advice]) -> list[str]:
    return [one.rule for one in found]


@pytest.mark.parametrize("run", curves.runs(), ids=lambda run: run.name)
def test_what_is_found_in_real_runs_is_true_and_its_commands_work(run: CurveRun) -> None:
    preset = load(run.facts["preset"], [f"train.seed={run.facts['seed']}"])
    for rule in (None, Rule(patience=3))[: 1 + (run.facts["seed"] == 1)]:
        found = advice(History.of(run.events(rule)), preset)
        for one in found:
            if one.command:
                check_command(one.command)
        assert len([one for one in found if one.sentence]) <= 3
        assert [one for one in found if one.command]


@pytest.mark.parametrize(
    ("preset", "expected", "least"),
    [
        ("small-data", "overfits", 5),
        ("fashion-dropout", "overfits", 5),
        ("smoke", "still improving", 5),
        ("cnn", "still improving", 3),
        ("l2", "not converged equally", 3),
        ("l1", "too strong", 2),
    ],
)
def test_what_is_known_of_the_presets_is_found_in_most_seeds(preset: str, expected: str, least: int) -> None:
    runs = [run for run in curves.runs() if run.facts["preset"] == preset]
    found = [advice(History.of(run.events()), load(preset, [f"train.seed={run.facts['seed']}"])) for run in runs]
    assert sum(expected in names(one) for one in found) >= least


def test_a_run_that_was_steered_or_stopped_says_nothing_of_its_curves() -> None:
    for run in curves.runs()[::5]:
        preset = load(run.facts["preset"], [f"train.seed={run.facts['seed']}"])
        stopped = History.of(run.events(last=3, status="stopped"))
        assert advice(stopped, preset) == []
        steered = Telling(PRESET).start().epochs([3, 2, 1], [3, 2, 1]).control("regularized", "dropout.rate", 0.2)
        assert advice(ended(steered, LEVEL), PRESET) == []


# Made-up curves

PRESET: Preset = small_preset(train={"epochs": 30})


def ended(telling: Telling, table: RightWrong = LEVEL, *, early: bool = False) -> History:
    """The end of a run, whose regularized arm may have stopped early; its last weights are tested."""
    for arm in telling.history.arms:
        telling.stop(arm, "early_stopping" if early and arm == "regularized" else "max_epochs")
    return telling.score({"regularized": table}).finish().history


Course = tuple[list[float], list[float]]
"""Validation losses, and training losses."""


def run_of(
    baseline: Course,
    regularized: Course,
    table: RightWrong = LEVEL,
    preset: Preset | None = None,
    *,
    early: bool = False,
) -> tuple[History, Preset]:
    made = preset or small_preset(train={"epochs": max(len(baseline[0]), len(regularized[0]))})
    telling = Telling(made).start()
    for arm, (val, train) in (("baseline", baseline), ("regularized", regularized)):
        for one, other in itertools.zip_longest(val, train, fillvalue=train[-1]):
            telling.epoch(arm, one, train=other)
    return ended(telling, table, early=early), made


def falling(epochs: int = 30, to: float = 0.5) -> Course:
    return [2.0 - (2.0 - to) * i / (epochs - 1) for i in range(epochs)], [1.0 - 0.5 * i / epochs for i in range(epochs)]


def flat(epochs: int = 30, level: float = 0.5, gap: float = 0.1, at: int = 6) -> Course:
    """Down in six epochs, then up and down within a hundredth, not below the lowest."""
    down = [level + 0.3 * (at - i) for i in range(at)]
    return down + [level * (1 + 0.004 * (i % 3)) for i in range(epochs - at)], [level * (1 - gap)] * epochs


def overfitted(epochs: int = 30, low: float = 0.4, rise: float = 0.02) -> Course:
    val = [low + 0.1 * abs(i - 5) if i < 5 else low + rise * (i - 5) for i in range(epochs)]
    return val, [0.4 * 0.8**i for i in range(epochs)]


def noisy(epochs: int = 30) -> Course:
    """No trend: what a die has thrown."""
    pattern = [0.5, 0.55, 0.48, 0.53, 0.51, 0.56, 0.49, 0.52]
    return [pattern[i % 8] for i in range(epochs)], [0.3] * epochs


@pytest.mark.parametrize(
    ("arms", "table", "expected"),
    [
        ((falling(), falling()), LEVEL, "still improving"),
        ((falling(3), falling(3)), LEVEL, "still improving"),
        ((overfitted(), falling()), BETTER, "not converged equally"),
        ((falling(), overfitted()), BETTER, "not converged equally"),
        ((overfitted(), flat()), BETTER, "overfits"),
        ((flat(), overfitted()), LEVEL, "overfits"),
        ((flat(), flat(level=0.6, gap=0.02)), WORSE, "too strong"),
        ((overfitted(), overfitted(rise=0.019)), LEVEL, "too weak"),
        ((flat(), flat()), LEVEL, "plateau"),
        ((flat(), flat()), LEVEL, "one seed"),
    ],
)
def test_it_is_found_where_it_is(arms: tuple[Course, Course], table: RightWrong, expected: str) -> None:
    history, preset = run_of(*arms, table)
    assert expected in names(advice(history, preset))


@pytest.mark.parametrize(
    ("arms", "table", "silent"),
    [
        ((falling(2), falling(2)), LEVEL, {"still improving", "not converged equally", "one seed"}),
        ((noisy(), noisy()), LEVEL, {"still improving", "not converged equally", "overfits", "plateau", "too weak"}),
        ((flat(), falling()), LEVEL, {"still improving", "overfits"}),
        ((flat(), flat(level=0.6, gap=0.02)), LEVEL, {"too strong"}),
        ((flat(), flat(level=0.6, gap=0.02)), BETTER, {"too strong"}),
        ((overfitted(), overfitted(rise=0.019)), BETTER, {"too weak"}),
        ((overfitted(), overfitted(rise=0.006)), LEVEL, {"too weak"}),
        ((overfitted(8, rise=0.001), flat(8)), LEVEL, {"overfits"}),
        ((flat(), flat()), LEVEL, {"underfits", "costs more than it brings", "patience too long"}),
        ((flat(12), flat(12)), LEVEL, {"plateau"}),
    ],
)
def test_it_is_silent_where_the_data_do_not_carry_it(
    arms: tuple[Course, Course], table: RightWrong, silent: set[str]
) -> None:
    history, preset = run_of(*arms, table)
    assert not silent & set(names(advice(history, preset)))


def test_a_baseline_without_a_gap_leaves_nothing_to_regularize() -> None:
    close = flat()[0], [0.49] * 30
    assert "underfits" in names(advice(*run_of(close, close)))
    falls = falling(30)[0], falling(30)[0]
    assert "underfits" not in names(advice(*run_of(falls, falls)))


STOPPING = {"early_stopping": {"patience": 3}}


def test_a_patience_that_stopped_before_a_lower_loss_is_too_short() -> None:
    course = [0.5, 0.4, 0.42, 0.43, 0.44, 0.3, 0.29, *[0.31] * 8]
    train = [0.3] * 15
    preset = small_preset(train={"epochs": 15}, regularized=STOPPING)
    history, _ = run_of((course, train), (course[:5], train[:5]), LEVEL, preset, early=True)
    found = advice(history, preset)
    assert next(one for one in found if one.rule == "patience too short").command.endswith("patience=4")
    hardly = [0.5, 0.4, 0.42, 0.43, 0.44, 0.399, 0.398, *[0.42] * 8]
    history, _ = run_of((hardly, train), (hardly[:5], train[:5]), LEVEL, preset, early=True)
    assert "patience too short" not in names(advice(history, preset))
    other = [0.51, *course[1:5]]  # not the baseline's curve, so that it tells nothing of what would have come
    history, _ = run_of((course, train), (other, train[:5]), LEVEL, preset, early=True)
    assert "patience too short" not in names(advice(history, preset))


def test_a_patience_that_waited_for_nothing_is_too_long() -> None:
    course = [0.5, 0.4, 0.3, *[0.35 + 0.001 * i for i in range(20)]]
    preset = small_preset(train={"epochs": 40}, regularized={"early_stopping": {"patience": 20}})
    history, _ = run_of(falling(40), (course, [0.3] * 23), LEVEL, preset, early=True)
    found = next(one for one in advice(history, preset) if one.rule == "patience too long")
    assert found.command.endswith("regularized.early_stopping.patience=2")
    few = small_preset(train={"epochs": 40}, regularized={"early_stopping": {"patience": 4}})
    history, _ = run_of(falling(40), (course[:7], [0.3] * 7), LEVEL, few, early=True)
    assert "patience too long" not in names(advice(history, few))


@pytest.mark.parametrize(("seconds", "table", "told"), [(1.0, LEVEL, True), (1.0, BETTER, False), (0.6, LEVEL, False)])
def test_what_costs_more_is_told_if_it_brings_nothing(seconds: float, table: RightWrong, told: bool) -> None:
    history, preset = run_of(noisy(), noisy(), table)
    arm = history.arms["regularized"]
    arm.epochs = [done.model_copy(update={"seconds": seconds}) for done in arm.epochs]
    assert ("costs more than it brings" in names(advice(history, preset))) == told


@pytest.mark.parametrize(("arm", "key"), [("baseline", "train.learning_rate"), ("regularized", "regularized.dropout")])
def test_what_diverged_is_tried_with_a_tenth(arm: str, key: str) -> None:
    telling = Telling(PRESET).start().epoch("baseline", 0.5).stop(arm, "non_finite")
    telling.stop("regularized" if arm == "baseline" else "baseline", "max_epochs")
    (found,) = advice(telling.finish("diverged").history, PRESET)
    assert found.rule == "diverged"
    assert f"--set {key}" in found.command


def test_every_rule_has_a_test_that_it_fires() -> None:
    written = Path(__file__).read_text("utf-8")
    for rule in RULES:
        assert rule.in_run is None or written.count(f'"{rule.name}"') >= 1, rule.name


def test_the_page_of_all_rules_is_that_of_the_code() -> None:
    assert PAGE.read_text("utf-8") == page(), "python -m tests.diagnosis_page makes it anew"
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.in_run or rule.in_study for rule in RULES)


# The commands


def test_a_preset_is_named_by_what_differs_from_the_one_of_its_name(tmp_path: Path) -> None:
    file = tmp_path / "preset.toml"
    changed = load("small-data", ["train.epochs=20", "regularized.dropout.rate=0.3", "train.seed=4"])
    named = wording(changed, file)
    assert set(named.words) == {"small-data", "--set", "train.epochs=20", "regularized.dropout.rate=0.3"}
    assert named.seed == ("--seed", "4")
    assert wording(load("dropout", ["train.device='cpu'"]), file) == Wording(("dropout",))
    other = load("small-data").model_copy(update={"name": "nobody-has-this"})
    assert wording(other, file) == Wording((str(file),))
    assert wording(other, tmp_path / "\x1b[2Jpreset.toml") == Wording()
    assert wording(load("small-data", ["data.root='a\u202eb'"]), file).words[1:] == ("--set", 'data.root="a\\u202eb"')
    without = load("techniques")
    del without.named_arms["all"]
    assert wording(without, file) == Wording((str(file),))


@pytest.mark.parametrize("preset", ["small-data", "techniques", "diabetes", "early-stopping"])
def test_what_is_named_is_the_same_preset(preset: str, tmp_path: Path) -> None:
    arm = {"small-data": "regularized.dropout.rate=0.3", "techniques": "arms.all.l1.strength=2e-3"}
    changes = ["train.learning_rate=5e-4", *([arm[preset]] if preset in arm else [])]
    meant = load(preset, changes)
    name, *options = wording(meant, tmp_path / "no").words
    assert to_toml(load(name, options[1::2])) == to_toml(meant)


def test_a_long_command_is_typed_on_several_lines() -> None:
    command = "regtui study 'my presets/a b.toml' --seeds 8 --vary regularized.dropout.rate=0.12,0.25,0.5"
    lines = advice_lines([Advice("a", "A sentence.", command)], 50)
    assert lines[:2] == ["A sentence.", ""]
    assert max(map(len, lines)) <= 56
    import subprocess

    typed = "\n".join([lines[2].removeprefix("next  "), *lines[3:]])
    told = subprocess.run(
        ["bash", "-c", f'regtui() {{ printf "%s\\n" "$@"; }}\n{typed}'], capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines() == [
        "study", "my presets/a b.toml", "--seeds", "8", "--vary", "regularized.dropout.rate=0.12,0.25,0.5",
    ]  # fmt: skip


# Whatever the course


COURSE = st.lists(
    st.tuples(
        st.one_of(st.floats(1e-4, 3), st.sampled_from([None, 1e-30, 1e6])),
        st.one_of(st.floats(1e-4, 3), st.sampled_from([None, 0.0])),
    ),
    min_size=1,
    max_size=40,
)


@given(
    baseline=COURSE,
    regularized=COURSE,
    shape=st.sampled_from([(0, 0), (1, 0), (0, 1), (-1, -1), (-1, 0)]),
    table=st.sampled_from([LEVEL, BETTER, WORSE]),
    known=st.booleans(),
)
def test_what_is_found_is_true_whatever_the_course(
    baseline: list[tuple[float | None, float | None]],
    regularized: list[tuple[float | None, float | None]],
    shape: tuple[int, int],
    table: RightWrong,
    known: bool,
) -> None:
    """Courses as they are drawn, or sorted to fall or to rise; the shorter one is stopped early."""
    regularized = regularized[: len(baseline)]
    early = len(regularized) < len(baseline)
    sets: dict[str, Any] = {"early_stopping": {"patience": 4}} if early else {"dropout": {"rate": 0.5}}
    preset = small_preset(train={"epochs": len(baseline)}, regularized=sets)
    telling = Telling(preset).start()
    for arm, course, way in (("baseline", baseline, shape[0]), ("regularized", regularized, shape[1])):
        losses = [loss for loss, _ in course]
        if way:
            losses = sorted(losses, key=lambda loss: loss or 0.0, reverse=way < 0)
        for loss, (_, train) in zip(losses, course, strict=True):
            telling.epoch(arm, loss, train=train)
    history = ended(telling, table, early=early)
    found = advice_on_run(history, judge_run(history, preset), preset if known else None, Path("logs/run"))
    check_sentences((history, preset), [one.sentence for one in found if one.sentence])
    assert known or not [one for one in found if one.command]


def test_it_stands_below_the_verdict_wherever_that_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    telling = Telling(PRESET).start().epochs(falling()[0], falling()[0])
    history = ended(telling)
    folder = telling.save(tmp_path)
    shown = call(["show", folder], capsys, monkeypatch).out
    report = tmp_path / "report.html"
    assert call(["export", folder, "--to", "html", "--out", report], capsys, monkeypatch).code == 0
    session = Session(PRESET, lambda: None, live=False)
    session.history, session.folder, session.ended = history, folder, True
    session.verdicts = judge_run(history, PRESET)
    for width, text in ((80, shown), (80, report.read_text("utf-8")), (70, "\n".join(session.details(70)))):
        assert "Both arms still improve: " in text, width
        assert re.search(r"next  regtui --preset \S+preset.toml (\\\n +)?--epochs 60\n", text)
        assert re.search(r"or    regtui study \S+preset.toml (\\\n +)?--seeds 8", text)
        assert text.index("accuracy") < text.index("Both arms still improve")
    assert "Finished after 30 epochs: lowest" in "\n".join(session.details(70))
