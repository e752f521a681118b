"""Slips that people make in a preset: one line each, with what to write instead; the same through --set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from regtui.cli.presets import check_presets
from regtui.engine.run import run
from regtui.epochs import table_lines
from regtui.preset.faults import PresetError
from regtui.preset.file import load
from regtui.protocol.control import Control
from regtui.protocol.events import Event, RunStarted
from regtui.protocol.history import History
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew


def fault(path: Path, text: str, *overrides: str) -> str:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PresetError) as error:
        load(str(path), overrides)
    (line,) = str(error.value).splitlines()
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[train]\nlearning_rate = .001", "line 2: a number has a digit before its point: write 0.001"),
        ("[train]\nlearning_rate = -.5e3  # so", "line 2: a number has a digit before its point: write -0.5e3"),
        ("[train]\nlearning_rate = 5.", "line 2: a number has a digit after its point: write 5.0"),
        ("[train]\nlearning_rate = 0,5", "line 2: a number has a point, not a comma: write 0.5"),
        ("[data]\ntrain_samples = 1,000", "line 2: a number has no commas: write 1000"),
        ("[train]\nepochs = 010", "line 2: a number does not begin with 0: write 10"),
        (
            '[data]\nroot = "C:\\Users"',
            "line 2: a backslash in \"…\" begins an escape: write 'C:\\Users', or double it",
        ),
        ("[data]\nroot = C:\\Users", "line 2: a text stands in quotes: write 'C:\\Users'"),
        ("[data]\nroot = /data/mnist", 'line 2: a text stands in quotes: write "/data/mnist"'),
        ("[train]\noptimizer = adam", 'line 2: a text stands in quotes: write "adam"'),
        (
            "[train]\noptimizer = “adam”",
            "line 2: these quotes are not those of a keyboard: write 'optimizer = \"adam\"'",
        ),
        ('[train]\noptimizer = "adam\nepochs = 3', 'line 2: the text lacks its closing quote: write "adam"'),
        ("[train]\noptimizer = 'adam", 'line 2: the text lacks its closing quote: write "adam"'),
        ("[regularized.early_stopping]\nrestore_best = True", "line 2: truth is written small: write true"),
        ("[regularized.early_stopping]\nrestore_best = No", "line 2: truth is written small: write false"),
        ("[data]\ntrain_samples = None", "line 2: TOML has no such value; leave the line out"),
        ("[train\nepochs = 3", "line 1: a table's name stands in brackets: write [train]"),
        ("[train]\nepochs", "line 2: 'epochs' has no '=': write key = value"),
        ("[train]\nepochs 3\n", "line 2: write it as epochs = 3"),
        ("[train]\nepochs: 3\n", "line 2: write it as epochs = 3"),
        ("[train]\nepochs == 3", "line 2: one '=' is enough: write = 3"),
        ("[train]\nepochs =", "line 2: a value is missing after the '='"),
        ("[train]\nepochs = 3,", "line 2: no comma ends a value: write 3"),
        ('[train]\noptimizer = "adam" , # so', 'line 2: no comma ends a value: write "adam"'),
        ("[model]\nhidden = [256, 128],", "line 2: no comma ends a value: write [256, 128]"),
        ("[train]\nepochs: 3,\n", "line 2: write it as epochs = 3"),
        ("[train]\nepochs = 3 seed = 4", "line 2: one value a line: begin a new one before seed = 4"),
        (
            "[train]\nepochs = 3\nepochs = 4\nseed = 1",
            "line 3: 'epochs = 4' is there a second time; keep one of the two",
        ),
        ("[train]\nepochs = 3\n[train]", "line 3: '[train]' is there a second time; keep one of the two"),
        (
            "[model]\nhidden = [1, 2\n[train]\nepochs = 3",
            "line 2: the list that begins with 'hidden = [1, 2' is not closed",
        ),
        (
            "[model]\nhidden = [1, 2",
            "line 2: the list that begins with 'hidden = [1, 2' is not closed: write ] behind its last",
        ),
        # valid TOML, of the wrong type
        ("[train]\nepochs = 3.0", "train.epochs: must be a whole number, not 3.0; write 3"),
        ("[train]\nepochs = 1e3", "train.epochs: must be a whole number, not 1000.0; write 1000"),
        ("[train]\nepochs = 3.5", "train.epochs: must be a whole number, not 3.5"),
        ('[train]\nepochs = "10"', "train.epochs: must be a whole number, not '10'; write 10"),
        ('[train]\nlearning_rate = "0,5"', "train.learning_rate: must be a number, not '0,5'; write 0.5"),
        ('[train]\nlearning_rate = "fast"', "train.learning_rate: must be a number, not 'fast'"),
        ("[train]\nepochs = true", "train.epochs: must be a whole number, not true"),
        ('[regularized.early_stopping]\nrestore_best = "True"', "must be true or false, not 'True'; write true"),
        ("title = 5", 'title: must be a text in quotes, not 5; write "5"'),
        ("[model]\nhidden = 256", "model.hidden: must be a list, not 256; write [256]"),
        ('[model]\nhidden = "256, 128"', "model.hidden: must be a list, not '256, 128'; write [256, 128]"),
        (
            "regularized.dropout = 0.5",
            "regularized.dropout: must be a table, not 0.5; write regularized.dropout.rate = 0.5",
        ),
        ("regularized.l1 = 1", "regularized.l1: must be a table, not 1; write regularized.l1.strength = 1"),
        ("regularized.dropout = true", "must be a table, not true; write [regularized.dropout] and its values below"),
        ("train = 3", "train: must be a table, not 3; write [train] and its values below"),
        (
            '[train]\noptimizer = "ADAM"',
            "train.optimizer: must be 'adam', 'adamw' or 'sgd', not 'ADAM'; did you mean 'adam'?",
        ),
    ],
)
def test_a_slip_is_answered_with_what_to_write(tmp_path: Path, text: str, words: str) -> None:
    assert fault(tmp_path / "p.toml", text).startswith(words) or words in fault(tmp_path / "p.toml", text)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("train.learning_rate=.001x", "train.learning_rate: must be a number, not '.001x'"),
        ("train.learning_rate=.001", "train.learning_rate: must be a number, not '.001'; write 0.001"),
        ("train.learning_rate=0,5", "train.learning_rate: must be a number, not '0,5'; write 0.5"),
        ("train.epochs=3.0", "train.epochs: must be a whole number, not 3.0; write 3"),
        ("train.epochs=1e3", "train.epochs: must be a whole number, not 1000.0; write 1000"),
        ('train.epochs="10"', "train.epochs: must be a whole number, not '10'; write 10"),
        ("train.epochs=1,000", "train.epochs: must be a whole number, not '1,000'; write 1000"),
        ("regularized.early_stopping.restore_best=True", "must be true or false, not 'True'; write true"),
        (
            "regularized.dropout=0.5",
            "regularized.dropout: must be a table, not 0.5; write regularized.dropout.rate = 0.5",
        ),
        ("model.hidden=256", "model.hidden: must be a list, not 256; write [256]"),
        ("model.hidden=256,128", "model.hidden: must be a list, not '256,128'; write [256, 128]"),
        ("model.hidden=[256, 128", "model.hidden: must be a list, not '[256, 128'; write [256, 128]"),
        ("model.hidden=[256],", "model.hidden: must be a list, not '[256],'; write [256]"),
        ("train.epochs=3,", "train.epochs: must be a whole number, not '3,'; write 3"),
        ("train.seed=True", "train.seed: must be a whole number, not 'True'; write it in digits"),
        ("train.learning_rate=true", "train.learning_rate: must be a number, not true; write it in digits"),
        ('title="C:\\Users"', "title: a backslash in \"…\" begins an escape: write 'C:\\Users', or double it"),
        ('title="ends nowhere', 'title: the text lacks its closing quote: write "ends nowhere"'),
        ('train.optimizer="adam",', 'train.optimizer: no comma ends a value: write "adam"'),
        ("model.kind='cnn", 'model.kind: the text lacks its closing quote: write "cnn"'),
        ("data.root='it's", "data.root: this begins with a quote and is no text of TOML; write it without quotes"),
        ('train="x', 'train: the text lacks its closing quote: write "x"'),
        ('model="x', 'model: the text lacks its closing quote: write "x"'),
        (
            "train.optimizer=“adam”",
            "train.optimizer: must be 'adam', 'adamw' or 'sgd', not '“adam”'; did you mean 'adam'?",
        ),
    ],
)
def test_a_slip_after_set_is_answered_too(tmp_path: Path, setting: str, words: str) -> None:
    line = fault(tmp_path / "p.toml", "[train]\nepochs = 3", setting)
    assert line.startswith(f"--set {setting}: ")
    assert words in line


@pytest.mark.parametrize("text", ["\tepochs\t=\t1_000\t# tabs and all", "epochs = +1_000", "epochs = 0x3e8"])
def test_what_toml_allows_is_taken(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(f"[train]\n{text}")
    assert load(str(path)).train.epochs == 1000
    assert load(str(path), ["train.learning_rate=1_0.5", "data.root=C:\\Users"]).data.root == "C:\\Users"


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "schema = 1\n", "\ufeff", "# a\n\nschema = 1 # b"])
def test_an_empty_file_is_no_preset(tmp_path: Path, text: str) -> None:
    assert fault(tmp_path / "p.toml", text).startswith("the file is empty; ")
    assert fault(tmp_path / "p.toml", text, "train.epochs=3").startswith("the file is empty; ")


SPOIL = [("=", ""), ("=", "=="), ('"', "”"), ("[", ""), ("]", ""), (" = ", " = ."), ("0.", ","), ("true", "True")]


@pytest.mark.parametrize(("old", "new"), SPOIL)
def test_a_spoiled_line_of_a_preset_is_one_fault_with_its_place(tmp_path: Path, old: str, new: str) -> None:
    lines = Path("presets/combined.toml").read_text().splitlines()
    path = tmp_path / "p.toml"
    for number, line in enumerate(lines):
        path.write_text("\n".join([*lines[:number], line.replace(old, new), *lines[number + 1 :]]))
        try:
            load(str(path))
        except PresetError as error:
            said = str(error)
        else:
            continue
        assert said.count("\n") == 0
        assert re.match(rf"{path}: (line \d+: \S|this is not TOML: |[\w.]+: )", said), said


def test_arms_that_are_the_same_by_choice_run_and_are_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "same.toml"
    path.write_text("[baseline.dropout]\nrate = 0.5\n[regularized.dropout]\nrate = 0.5\n")
    assert load(str(path)).warning.startswith("both arms are the same experiment")
    assert check_presets([str(path), "presets/dropout.toml"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{path}: ok; both arms are the same experiment: no technique sets them apart"
    assert second.endswith(": ok")
    preset = small_preset(regularized={})
    crew = ScriptedCrew({"baseline": [1.0] * 3, "regularized": [1.0] * 3})
    history, header = History(), list[str]()

    def told(event: Event) -> None:
        history.add(event)
        header.extend(table_lines(event, history, preset, 100) if isinstance(event, RunStarted) else ())

    run(preset, tmp_path, Control(), told, crew)
    assert "note         both arms are the same experiment: no technique sets them apart" in header
