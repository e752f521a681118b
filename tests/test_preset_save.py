from __future__ import annotations

import os
from pathlib import Path

import pytest

from regtui.errors import InputError
from regtui.preset.file import load, to_table
from regtui.preset.model import Preset
from regtui.preset.save import save_as
from regtui.preset.validation import validate

COMMENTED = """\
# What I tried on Sunday.
schema = 1
title = "Mine"

[train]
epochs = 12        # enough
learning_rate = 1e-3

# the interesting part
[regularized.dropout]
rate = 0.5  # as in the paper
"""


def written(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def edited(path: Path, **changes: object) -> Preset:
    """The file's preset with values by dotted key, '__' for the dots; None leaves a value or a table out."""
    table = to_table(load(str(path)))
    for key, value in changes.items():
        *parts, last = key.split("__")
        target = table
        for part in parts:
            target = target[part]
        if value is None:
            del target[last]
        else:
            target[last] = value
    return validate(table, "test")


def same_but_for_the_name(one: Preset, other: Preset) -> bool:
    return one.model_copy(update={"name": ""}) == other.model_copy(update={"name": ""})


def test_comments_and_layout_stay_and_only_what_changed_is_touched(tmp_path: Path) -> None:
    original = written(tmp_path, COMMENTED)
    path = save_as(edited(original, train__epochs=3), "shorter", tmp_path, original=original)
    assert path == tmp_path / "shorter.toml"
    assert path.read_text().replace('name = "shorter"\n', "") == COMMENTED.replace("epochs = 12 ", "epochs = 3 ")


def test_a_windows_file_keeps_its_line_ends(tmp_path: Path) -> None:
    original = tmp_path / "mine.toml"
    original.write_bytes(b"\xef\xbb\xbf" + COMMENTED.replace("\n", "\r\n").encode())
    path = save_as(edited(original, train__epochs=3), "x", tmp_path, original=original)
    assert b"epochs = 3        # enough\r\n" in path.read_bytes()
    assert load(str(path)).train.epochs == 3


@pytest.mark.parametrize(
    "text",
    [
        COMMENTED,
        "title = 'alone'",
        "regularized = { dropout = { rate = 0.5 } }  # inline\ntrain.epochs = 3\n",
        "[regularized.dropout]\nrate = 0.2\n[train]\nepochs = 3\n[regularized.l2] # out of order\nstrength = 1\n",
        "regularized.dropout.rate = 0.5\nregularized.l2.strength = 1\n",
        "[regularized]\ndropout.rate = 0.5\nl1 = {strength = 1}\n[data]\ntrain_samples = 500\n",
    ],
)
def test_what_is_written_loads_back_equal_however_the_original_is_laid_out(tmp_path: Path, text: str) -> None:
    original = written(tmp_path, text)
    preset = load(str(original))
    for changes in (
        {},
        {"train__epochs": 5, "model__hidden": [7, 7], "data__train_samples": 100},
        {"baseline__l2": {"strength": 0.5}, "regularized__early_stopping": {"patience": 3}},
        {"regularized__dropout": None} if preset.regularized.dropout else {},
        {"data__train_samples": None} if preset.data.train_samples else {},
    ):
        changed = edited(original, **changes)
        path = save_as(changed, "new-one", tmp_path, original=original)
        assert load(str(path)).name == "new-one"
        assert same_but_for_the_name(load(str(path)), changed)


def test_every_preset_of_ours_is_saved_with_its_text_as_it_was(tmp_path: Path) -> None:
    for original in (Path(__file__).parent.parent / "presets").glob("*.toml"):
        path = save_as(load(str(original)), original.stem, tmp_path, original=original)
        assert path.read_text() == original.read_text()


def test_a_preset_without_a_file_is_written_whole(tmp_path: Path) -> None:
    preset = validate({"train": {"epochs": 2}}, "test")
    path = save_as(preset, "new-", tmp_path / "made" / "presets", original=None)
    assert same_but_for_the_name(load(str(path)), preset)
    assert load(str(path)).name == "new-"


def test_an_original_that_has_gone_or_broken_is_no_hindrance(tmp_path: Path) -> None:
    original = written(tmp_path, COMMENTED)
    preset = load(str(original))
    original.write_text("epochs = = 3")
    assert same_but_for_the_name(load(str(save_as(preset, "a", tmp_path, original=original))), preset)
    original.unlink()
    assert same_but_for_the_name(load(str(save_as(preset, "b", tmp_path, original=original))), preset)


def test_its_own_file_is_replaced_whole(tmp_path: Path) -> None:
    original = written(tmp_path, COMMENTED)
    save_as(edited(original, train__epochs=3), "mine", tmp_path, original=original)
    assert load(str(original)).train.epochs == 3
    assert os.listdir(tmp_path) == ["mine.toml"]  # noqa: PTH208


@pytest.mark.parametrize("name", ["", "Big", "../out", "a b", "x" * 65])
def test_a_name_that_will_not_do_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="name: must have only small letters") as caught:
        save_as(Preset(), name, tmp_path, original=None)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "presets").write_text("a file where the folder should be")
    with pytest.raises(InputError, match="can't be written") as caught:
        save_as(Preset(), "x", tmp_path / "presets", original=None)
    assert "\n" not in str(caught.value)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = written(tmp_path, COMMENTED)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        save_as(edited(original, train__epochs=3), "mine", tmp_path, original=original)
    assert original.read_text() == COMMENTED
    assert list(tmp_path.iterdir()) == [original]
