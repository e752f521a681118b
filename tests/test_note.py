"""A user's note and tags: kept beside a run's log, never in it; read with care, written at once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from regtui.cli.runs import print_runs
from regtui.cli.show import print_run
from regtui.engine.run import run
from regtui.errors import InputError
from regtui.protocol.control import Control
from regtui.runs.filter import parse_filter
from regtui.runs.index import read_runs
from regtui.runs.note import MAX_NOTE, Note, read_note, tags_of, write_note
from regtui.runs.read import read_run
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    for seed in (0, 1):
        crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.4]})
        run(small_preset(train={"seed": seed}), folder, Control(), lambda _: None, crew)
    return folder


@pytest.fixture
def folder(logs: Path) -> Path:
    return next(logs.glob("2*"))


@pytest.mark.parametrize(
    "note",
    [Note("rerun"), Note(tags=("good", "lr-1e-4")), Note('"it\'s" \\ ü 漢 🙂 #x', ("gut", "größer"))],
)
def test_what_was_written_is_read_and_what_is_taken_away_is_gone(folder: Path, note: Note) -> None:
    before = {path.name for path in folder.iterdir()}
    write_note(folder, note)
    assert read_note(folder) == read_run(folder).note == note
    assert {path.name for path in folder.iterdir()} == {*before, "note.toml"}
    write_note(folder, Note())
    assert read_note(folder) == Note()
    assert {path.name for path in folder.iterdir()} == before


def test_a_note_is_in_list_index_filter_and_both_commands(
    logs: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read_runs(logs)
    long = "Weights at epoch 7, " + "x" * 200
    write_note(folder, Note(long, ("Good", "slow")))
    for _ in range(2):  # from the files, then from the index
        (noted,) = (found for found in read_runs(logs) if found.folder == folder)
        assert noted.note == Note(long, ("Good", "slow"))
    write_note(folder, Note("other " + long[6:], ("Good", "slow")))  # of the same size
    runs = read_runs(logs)

    def found(text: str) -> int:
        wanted = parse_filter(text)
        assert not wanted.unknown(runs)
        return len(wanted.select(runs))

    assert [found(text) for text in ("tag=good", "tag=goo", "tag!=good", "tag~oo", "note~EPOCH", "note~8")] == [
        1, 0, 1, 1, 1, 0,
    ]  # fmt: skip
    assert found("#slow") == found("status~fin epoch") == 1
    assert parse_filter("tag=none").unknown([read_run(next(p for p in logs.glob("2*") if p != folder))]) == ""

    capsys.readouterr()
    assert print_runs(logs, json=True, filter="tag=slow") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tags"] == ["Good", "slow"]
    assert told["note"].startswith("other")
    assert print_run(str(folder), logs, json=False) == 0
    assert "#Good #slow: other" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [
        b"", b"note = ", b"note = 3", b"tags = 'a'", b"tags = [1]", b"tags = ['a b']", b"tags = ['a=b']", b"\xff\xfe",
        b"note = '" + b"x" * (MAX_NOTE + 1) + b"'", b"tags = [" + b"[" * 5000, b"x" * 2_000_000,
        b"tags = [" + b",".join(b"'%d'" % n for n in range(30)) + b"]",
    ],
)  # fmt: skip
def test_a_damaged_note_is_a_fault_of_its_own_and_hides_nothing(folder: Path, content: bytes) -> None:
    (folder / "note.toml").write_bytes(content)
    found = read_run(folder)
    assert found.status == "finished"
    assert "note.toml" in found.fault
    assert found.note == Note()


def test_a_note_s_escapes_reach_no_terminal(folder: Path) -> None:
    (folder / "note.toml").write_text('note = "a\\u001b[31m\\u202eb\\nc"', encoding="utf-8")
    text = read_run(folder).note.text
    assert text.isprintable()
    assert "\x1b" not in text
    (folder / "note.toml").write_text('tags = ["a\\u001b"]', encoding="utf-8")
    assert all(tag.isprintable() for tag in read_run(folder).note.tags)


def test_a_pipe_or_a_link_in_the_note_s_place_blocks_nothing_and_is_not_written_through(
    folder: Path, tmp_path: Path
) -> None:
    path = folder / "note.toml"
    os.mkfifo(path)
    assert "note.toml" in read_run(folder).fault
    path.unlink()
    (tmp_path / "mine").write_text("mine")
    path.symlink_to(tmp_path / "mine")
    write_note(folder, Note("new"))
    assert (tmp_path / "mine").read_text() == "mine"
    assert read_note(folder) == Note("new")


def test_fields_of_that_name_in_other_files_are_no_note(folder: Path) -> None:
    preset = folder / "preset.toml"
    preset.write_text('note = "from the preset"\ntags = ["x"]\n' + preset.read_text())
    assert read_run(folder).note == Note()


def test_tags_are_typed_with_blanks_or_commas() -> None:
    assert tags_of(" #good, slow  good #") == ("good", "slow")
    for typed in ("a=b", "x" * 31, " ".join(map(str, range(21)))):
        with pytest.raises(InputError, match="tag"):
            tags_of(typed)


def test_a_run_that_vanished_takes_no_note(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be written"):
        write_note(tmp_path / "gone", Note("x"))
