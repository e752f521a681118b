"""Presets with any number of arms beside the baseline: how they are read, changed, saved and edited."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static

from regtui.cli.presets import print_schema
from regtui.errors import InputError
from regtui.preset.arms import BASELINE, LONGEST_ARM, MOST_ARMS
from regtui.preset.file import load, to_table, to_toml
from regtui.preset.model import Preset
from regtui.preset.places import available
from regtui.preset.save import save_as
from regtui.preset.validation import validate
from regtui.tui.choose.draft import Draft, from_typed
from regtui.tui.choose.form import ArmRows, Form, Row
from regtui.tui.choose.preset_list import PresetList
from tests.command import call
from tests.conftest import small_preset
from tests.screen_double import until
from tests.test_tui_choose import Chooser, ready, words

TEXT = """\
# What I tried.
title = "Three"

[model]
hidden = [32, 16]

[arms.light.dropout]  # a little
rate = 0.2  # a fifth

[arms.heavy.dropout]
rate = 0.8

[arms.both.dropout]
rate = 0.5
[arms.both.early_stopping]
patience = 4
"""
NAMED = ["light", "heavy", "both"]


@pytest.fixture
def three(tmp_path: Path) -> Path:
    path = tmp_path / "three.toml"
    path.write_text(TEXT)
    return path


def rates(preset: Preset) -> list[float | None]:
    return [None if arm.dropout is None else arm.dropout.rate for arm in preset.arms().values()]


# What is read


def test_arms_are_there_by_name_in_the_file_s_order_after_the_baseline(three: Path) -> None:
    preset = load(str(three))
    assert list(preset.arms()) == [BASELINE, *NAMED]
    assert rates(preset) == [None, 0.2, 0.8, 0.5]
    assert [preset.table_of(arm) for arm in preset.arms()] == ["baseline", *(f"arms.{name}" for name in NAMED)]
    assert load(str(three), ["baseline.l2.strength=0.1"]).baseline.label() == "L2 0.1"


def test_what_is_written_is_read_as_the_same_arms(three: Path, tmp_path: Path) -> None:
    preset = load(str(three))
    copy = tmp_path / "copy.toml"
    copy.write_text(to_toml(preset))
    again = load(str(copy))
    assert (again, to_table(again)) == (preset, to_table(preset))
    assert list(again.arms()) == [BASELINE, *NAMED], "order counts"
    assert "regularized" not in to_table(preset)


def test_a_preset_with_a_regularized_arm_is_written_without_a_word_on_others() -> None:
    preset = small_preset()
    assert list(preset.arms()) == ["baseline", "regularized"]
    assert [preset.table_of(arm) for arm in preset.arms()] == ["baseline", "regularized"]
    assert list(to_table(preset))[-2:] == ["baseline", "regularized"]
    neithers: list[dict[str, Any]] = [{}, {"arms": {}}, {"regularized": {}}, {"regularized": {}, "arms": {}}]
    for neither in neithers:
        assert list(to_table(validate(neither, "test"))["regularized"]) == []


def test_an_arm_without_techniques_is_an_arm(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("[arms.again]\n[arms.l2.l2]\n")
    preset = load(str(path))
    assert [arm.label() for arm in preset.arms().values()] == ["no technique", "no technique", "L2 0.0001"]
    path.write_text(to_toml(preset))
    assert load(str(path)) == preset


def test_one_named_arm_may_have_any_name() -> None:
    assert list(validate({"arms": {"regularized": {}}}, "test").arms()) == ["baseline", "regularized"]
    for name in ("a", "7", "L2", "a-b_c", "x" * LONGEST_ARM):
        assert list(validate({"arms": {name: {}}}, "test").arms()) == ["baseline", name]


def test_arms_that_are_the_same_experiment_are_named() -> None:
    alike = partial(small_preset, data={}, train={})
    assert alike(arms={"a": {"l2": {}}, "b": {"l1": {}}}).warning == ""
    some = alike(arms={"a": {"l2": {}}, "b": {}, "c": {"l2": {"strength": 1e-4}}, "d": {"dropout": {"rate": 0}}})
    assert some.alike == [["baseline", "b", "d"], ["a", "c"]]
    assert [name for name in "abcd" if some.does_as_baseline(name)] == ["b", "d"]
    assert some.warning == (
        "baseline, b and d are the same experiment: no technique sets them apart; "
        "a and c are the same experiment: no technique sets them apart"
    )
    assert alike(arms={"a": {}, "b": {}}).alike == [["baseline", "a", "b"]]
    assert alike(arms={"a": {}}).warning == alike(regularized={}).warning != ""


# What is refused, on the command line

TWICE = "is there a second time; keep one of the two"
NAME = f"must be named with letters from a to z, digits, '-' and '_', at most {LONGEST_ARM}, beginning with a letter or"
BAD = [
    ('[arms."x y"]', f"arms.x y: {NAME} a digit, not 'x y'"),
    ('[arms.""]', f"arms.: {NAME}"),
    ('[arms."../x"]', f"arms.../x: {NAME}"),
    ('[arms."a.b".l1]', f"arms.a.b: {NAME}"),
    ('[arms."ü"]', f"arms.ü: {NAME}"),
    ("[arms.-x]", f"arms.-x: {NAME}"),
    (f"[arms.{'x' * (LONGEST_ARM + 1)}]", f"arms.{'x' * (LONGEST_ARM + 1)}: {NAME}"),
    ("[arms.ü]", "line 1: 'arms.ü' is no name of a table; one has letters from a to z, digits, '_' and '-'"),
    ("[arms.x y]", "line 1: 'arms.x y' is no name of a table; "),
    ("[arms.baseline.l1]", "arms.baseline: the baseline has a table of its own, [baseline]; name this arm otherwise"),
    ("[arms.Baseline]", "arms.Baseline: the baseline has a table of its own"),
    ("[arms.x.l1]\n[arms.x.l1]", f"line 2: '[arms.x.l1]' {TWICE}"),
    ("[arms.x]\n[arms.y]\n[arms.x] # again", f"line 3: '[arms.x] # again' {TWICE}"),
    ("arms.x.l1.strength = 1\narms.x.l1.strength = 2", f"line 2: 'arms.x.l1.strength = 2' {TWICE}"),
    ("[arms.x.l1]\n[arms]\nx.l1.strength = 3", f"line 3: 'x.l1.strength = 3' {TWICE}"),
    (
        "[arms.x]\n[arms.y]\n[arms.X]",
        "arms.X: differs from x only by its case, as names of files may not; name it other",
    ),
    ("".join(f"[arms.a{n}]\n" for n in range(MOST_ARMS + 1)), "arms: 17 are named, and at most 16 fit beside the base"),
    (
        "[arms.x.l1]\n[regularized.l1]",
        "regularized: stands beside [arms] (x); a preset has one of the two: put its tech",
    ),
    ("[regularized]\n[arms.x]\n[arms.y]", "regularized: stands beside [arms] (x, y); a preset has one of the two"),
    ("arms = 3", "arms: must be a table, not 3; write [arms.NAME.dropout] and its values below"),
    ("arms = ['l1']", "arms: must be a table, not ['l1']; write [arms.NAME.dropout] and its values below"),
    ("[arms]\nx = 0.5", "arms.x: must be a table, not 0.5; write [arms.x] and its values below"),
    ("[arms.x]\ndropout = 0.5", "arms.x.dropout: must be a table, not 0.5; write arms.x.dropout.rate = 0.5"),
    ("[arms.x]\nrate = 0.5", "arms.x.rate: is not known here; it is a knob of dropout: write arms.x.dropout.rate"),
    ("[arms.x.dropuot]", "arms.x.dropuot: is not known here; did you mean 'dropout'?"),
    ("[arms.x.dropout]\nrat = 1", "arms.x.dropout.rat: is not known here; did you mean 'rate'?"),
    ("[arms.x.dropout]\nrate = 1.0", "arms.x.dropout.rate: must be less than 1, not 1.0"),
    ("[arm.x.dropout]", "arm: is not known here; did you mean 'arms'?"),
    ("[dropout]", "dropout: is not known here; a technique belongs to an arm: write [regularized.dropout]"),
    ("[regularized]\nstrength = 1", "regularized.strength: is not known here; it is a knob of l1, l2, "),
    ("[arms.x.dropout]\nafter = [3]", "arms.x.dropout.after: there is no activation 3; this network has 2"),
    ("[model]\nkind = 'linear'\n[arms.x.batch_norm]", "arms.x.batch_norm: the network has no activation"),
    ("[model]\nkind = 'linear'\nhidden = [3]\n[arms.x]", "model.hidden: is not known here; "),
    ("[model]\nkernel = 3\n[arms.x]", "model.kernel: is not known here; "),
]


@pytest.mark.parametrize(("text", "fault"), BAD)
def test_arms_that_can_t_be_are_refused_in_a_sentence(
    text: str, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text)
    (line,) = call(["--headless", "--preset", path], capsys, monkeypatch).faults(code=2)
    assert line.startswith(f"{path}: {fault}")
    checked = call(["presets", "check", path], capsys, monkeypatch)
    assert (checked.code, checked.out, checked.err) == (2, "", f"{line}\n")
    assert list(tmp_path.iterdir()) == [path]


def test_sixteen_arms_may_stand_beside_the_baseline() -> None:
    arms: dict[str, Any] = {f"a{n}": {"l2": {"strength": n / 10}} for n in range(MOST_ARMS)}
    assert len(validate({"arms": arms}, "test").arms()) == MOST_ARMS + 1


# What options change


def test_set_reaches_into_the_arms_that_are_there(three: Path) -> None:
    assert rates(load(str(three), ["arms.light.dropout.rate=0.3"])) == [None, 0.3, 0.8, 0.5]
    assert load(str(three), ["arms.light.l2={}"]).arms()["light"].active().keys() == {"dropout", "l2"}
    with pytest.raises(
        InputError, match=r"^--set arms\.lihgt\.\S+: .* no arm 'arms\.lihgt'; did you mean 'arms\.light'"
    ):
        load(str(three), ["arms.lihgt.dropout.rate=0.3"])
    with pytest.raises(
        InputError, match=r"no arm 'arms\.z{30}'; it has baseline, arms\.light, arms\.heavy, arms\.both$"
    ):
        load(str(three), [f"arms.{'z' * 30}={{}}"])


def test_an_arm_s_fault_is_blamed_on_the_option_that_brought_it(three: Path) -> None:
    with pytest.raises(InputError, match=r"^--set arms\.light\.dropout\.rate=2: arms\.light\.dropout\.rate: must be"):
        load(str(three), ["arms.light.dropout.rate=2"])
    with pytest.raises(
        InputError, match=r"^--set regularized\S+: .* no arm 'regularized'; it has baseline, arms\.light, "
    ):
        load(str(three), ["regularized.l2={}"])
    for arms in ("arms.x.l2={}", "arms={x = {}}"):
        with pytest.raises(InputError, match=r"^--set arms.*: .* no arm 'arms(\.x)?'; it has baseline, regularized$"):
            load("dropout", [arms])
    three.write_text("title = 'none'")
    assert list(load(str(three), ["arms.x.l2={}", "arms.y={}"]).arms()) == [BASELINE, "x", "y"]
    with pytest.raises(InputError, match=r"^--set regularized\.l2=\{\}: regularized: stands beside \[arms\] \(x\)"):
        load(str(three), ["arms.x.l2={}", "regularized.l2={}"])


def test_patience_is_of_the_arms_that_stop_early_or_else_of_all(three: Path) -> None:
    def patiences(preset: Preset) -> list[int | None]:
        rules = [arm.early_stopping for arm in preset.arms().values()]
        return [None if rule is None else rule.patience for rule in rules]

    assert patiences(load(str(three), patience=9)) == [None, None, None, 9]
    three.write_text("[arms.a.l1]\n[arms.b.l2]\n")
    assert patiences(load(str(three), patience=9)) == [9, 9, 9]
    three.write_text('[arms."a.b"]\n')
    with pytest.raises(InputError, match=rf"{re.escape(NAME)}"):
        load(str(three), patience=9)


# What is saved


def test_saving_keeps_comments_and_arms_that_lost_their_techniques(three: Path, tmp_path: Path) -> None:
    preset = load(str(three))
    table = to_table(preset)
    table["arms"]["light"]["dropout"]["rate"] = 0.1
    table["arms"]["heavy"] = {}
    del table["arms"]["both"]["early_stopping"]
    edited = validate(table, "test")
    path = save_as(edited, "saved", tmp_path, original=three)
    assert load(str(path)).arms() == edited.arms()
    assert list(load(str(path)).arms()) == [BASELINE, *NAMED]
    text = path.read_text()
    assert text.startswith("# What I tried.\n")
    assert "[arms.light.dropout]  # a little\nrate = 0.1  # a fifth\n" in text
    assert "[arms.heavy]\n" in text


def test_the_schema_describes_arms_of_any_name(capsys: pytest.CaptureFixture[str]) -> None:
    print_schema()
    arms = json.loads(capsys.readouterr().out)["properties"]["arms"]
    assert (arms["type"], arms["maxProperties"], arms["additionalProperties"]) == ("object", MOST_ARMS, False)
    ((pattern, below),) = arms["patternProperties"].items()
    assert below == {"$ref": "#/$defs/Techniques"}
    assert arms["description"]
    for name, good in (("a", True), ("a-b_9", True), ("", False), ("a b", False), ("-a", False), ("a" * 25, False)):
        assert bool(re.search(pattern, name)) == good


# On the screen


async def choose(app: Chooser, name: str, pilot: Any, key: str = "") -> None:
    """Select a preset, and wait for the setting of that key."""
    app.chooser.query_one(PresetList).highlighted = app.names.index(name)
    await pilot.pause()
    if key:
        await until(pilot, lambda: any(row.editor.key == key and row.display for row in app.chooser.query(Row)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "three.toml").write_text(TEXT)
    return tmp_path / "presets"


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
async def test_each_arm_has_a_section_of_its_own_and_is_edited_apart() -> None:
    async with Chooser().run_test(size=(120, 60)) as pilot:
        app = await ready(pilot)
        await choose(app, "three", pilot, "arms.both.dropout.rate")
        marked = [f"{mark} {name}" for mark, name in zip("ABC", NAMED, strict=True)]
        assert [f"{arm} · dropout" in app.says("#facts") for arm in marked] == [True] * 3
        (arms,) = [arms for arms in app.chooser.query(ArmRows) if arms.display]
        headings = [words(heading) for heading in arms.query(".heading").results(Static)]
        assert headings == [*marked, "● baseline"]
        await app.type_into(pilot, "arms.light.dropout.rate", "0.1")
        app.editor("arms.heavy.l2").focus()
        await pilot.press("space")
        app.editor("arms.both.early_stopping").focus()
        await pilot.press("space", "escape", "enter")
        await pilot.pause()
        (preset,) = app.started
        labels = [arm.label() for arm in preset.arms().values()]
        assert labels == ["no technique", "dropout 0.1", "L2 0.0001 + dropout 0.8", "dropout 0.5"]
        await pilot.press("u", "i")
        await pilot.pause()
        assert app.explained == [load("three")]
        assert app.editor("arms.light.dropout.rate").value == "0.2"


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
async def test_presets_with_other_arms_may_follow_each_other() -> None:
    async with Chooser().run_test(size=(120, 60)) as pilot:
        app = await ready(pilot)
        for _ in range(2):
            await choose(app, "three", pilot, "arms.heavy.dropout.rate")
            assert not app.row("regularized.dropout").is_on_screen
            await choose(app, "l2", pilot, "regularized.l2.strength")
            assert not app.row("arms.heavy.dropout").is_on_screen
            assert app.row("regularized.l2").is_on_screen
        await choose(app, "three", pilot)
        await choose(app, "smoke", pilot)
        await choose(app, "three", pilot, "arms.heavy.dropout.rate")
        assert app.row("arms.heavy.dropout").is_on_screen
        assert app.editor("arms.heavy.dropout.rate").value == "0.8"


@pytest.mark.parametrize(
    ("key", "text", "fault"),
    [
        ("arms.light.dropout.after", "[3]", "arms.light.dropout.after: there is no activation 3; this network has 2"),
        pytest.param(
            *("arms.both.early_stopping.patience", "0", "arms.both.early_stopping.patience: must be at least 1, not 0"),
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.usefixtures("folder")
async def test_a_fault_of_an_arm_stands_beside_its_field(key: str, text: str, fault: str) -> None:
    draft = Draft(load("three"))
    draft.put(key, from_typed(text, optional=False))
    assert [one.line for one in draft.faults] == [fault]
    async with Chooser().run_test(size=(120, 60)) as pilot:
        app = await ready(pilot)
        await choose(app, "three", pilot, key)
        await app.type_into(pilot, key, text)
        assert app.note(key) == f"✗ {fault}"
        await pilot.press("escape", "enter")
        await pilot.pause()
        assert app.started == []
        assert app.focused is app.editor(key)


@pytest.mark.parametrize("at", [0, 33])
async def test_a_file_with_arms_that_can_t_be_is_shown_broken_with_its_fault(at: int, folder: Path) -> None:
    text, fault = BAD[at]
    (folder / "bad.toml").write_text(text)
    async with Chooser().run_test(size=(160, 40)) as pilot:
        app = await ready(pilot)
        await choose(app, "bad", pilot)
        await until(pilot, lambda: "bad is broken" in app.says("#title"))
        assert app.says("#summary").startswith(f"presets/bad.toml: {fault}")
        assert not any(form.display for form in app.chooser.query(Form))


def test_no_shipped_preset_has_both_kinds_of_arms() -> None:
    for name in available():
        table = to_table(load(name))
        assert ("arms" in table) != ("regularized" in table)
