"""No text of a file, a name or a word typed reaches a terminal, a table or a page but as something to be read."""

from __future__ import annotations

import csv
import html.parser
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from regtui.errors import InputError
from regtui.export.saved_run import read_saved_run
from regtui.preset.file import load, to_table, to_toml
from regtui.runs.events import read_events
from regtui.runs.read import read_run
from regtui.runs.summary import read_summary
from regtui.text import is_shown, one_line
from tests.command import TINY, call, environment
from tests.hostile import HARMLESS, HOSTILE, assert_harmless, spoil_all, toml, variants, write_run
from tests.terminal import ESCAPE, Terminal


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("logs"))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of a run, to spoil."""
    return Path(shutil.copytree(whole, tmp_path / "logs" / whole.name))


def all_texts(value: Any) -> list[str]:
    """Every text in what was read, keys too."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in all_texts(part)]
    return [text for item in value for text in all_texts(item)] if isinstance(value, list | tuple) else []


def test_each_text_of_each_file_is_clean_wherever_it_is_read(folder: Path) -> None:
    seen = 0
    for what, path, content in variants(folder):
        before = path.read_bytes()
        path.write_text(content)
        info = read_run(folder)
        read: list[Any] = [dict(info.fields), info.fault, info.name, info.texts.split("\n")]
        read += [list(read_events(folder)), read_summary(folder) or ""]
        try:
            read += [read_saved_run(folder).circumstances]
            table = to_table(load(str(folder / "preset.toml")))
            read += [table.pop("summary", "").split("\n"), table]
        except InputError as error:
            read += [str(error).split("\n")]
        for text in all_texts(read):
            assert all(map(is_shown, text)), (what, text)
        seen += "PWNED" in "".join(all_texts(read))
        path.write_bytes(before)
    assert seen > 100


def test_what_is_harmless_stays_as_it_is_in_every_text(folder: Path) -> None:
    kept = [HARMLESS in "".join(all_texts([dict(read_run(folder).fields), list(read_events(folder))]))]
    for _, path, content in variants(folder, HARMLESS):
        before = path.read_bytes()
        path.write_text(content)
        kept.append(HARMLESS in "".join(all_texts([dict(read_run(folder).fields), list(read_events(folder))])))
        path.write_bytes(before)
    assert not kept[0]
    assert sum(kept) > 50


@pytest.mark.soak
def test_each_text_of_each_file_is_harmless_in_what_commands_print(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for what, path, content in variants(folder):
        before = path.read_bytes()
        path.write_text(content)
        look_at_commands(folder, what, capsys, monkeypatch)
        path.write_bytes(before)


def test_all_texts_of_all_files_are_harmless_in_what_commands_print(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_all(folder)
    look_at_commands(folder, "all", capsys, monkeypatch)


def look_at_commands(
    folder: Path, what: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in ("runs", "runs --json", "show", "show --json"):
        command, *options = words.split()
        outcome = call([command, folder.parent if command == "runs" else folder, *options], capsys, monkeypatch)
        assert outcome.code in (0, 2), (what, outcome)
        assert "unforeseen" not in outcome.err, (what, outcome)
        assert_harmless(outcome.out + outcome.err)
        if options and outcome.code == 0:
            assert outcome.out.isascii()
            json.loads(outcome.out)


class Page(html.parser.HTMLParser):
    """Looks that a page has no script and no attribute that calls one."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "iframe", "object", "embed", "link", "a", "img"}
        for name, value in attrs:
            assert not name.startswith("on")
            assert "javascript:" not in (value or "")


@pytest.mark.parametrize("to", ["csv", "html", "svg", "tensorboard"])
def test_exports_hold_nothing_that_acts(
    folder: Path, tmp_path: Path, to: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spoil_all(folder)
    outcome = call(["export", folder, "--to", to, "--out", tmp_path / "out"], capsys, monkeypatch)
    assert outcome.code == 0, outcome
    assert_harmless(outcome.out + outcome.err)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        for sequence in (b"PWNED\x1b", b"\x1b]0;", b"\xc2\x9d0;", b"PWNED\xc2\x9b"):
            assert sequence not in content, path
        if to != "tensorboard":
            assert_harmless(content)
        if to == "html":
            Page().feed(content.decode())
        if to == "csv":
            for row in csv.reader(content.decode().splitlines()):
                assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in row)


def test_a_preset_is_written_back_clean_and_loads_to_the_same(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("title = " + toml(HOSTILE[:150]) + "\nsummary = " + toml(HOSTILE * 9) + "\n" + TINY[16:])
    preset = load(str(path))
    assert_harmless(to_toml(preset))
    path.write_text(to_toml(preset))
    assert load(str(path)) == preset


HOSTILE_NAME = HOSTILE.replace("\x00", "").replace("/", "|").replace("\x1b\\", "")[:60]


@pytest.mark.parametrize(
    "args",
    [
        [HOSTILE], ["--" + HOSTILE], ["--epochs", HOSTILE], ["--preset", HOSTILE], ["--preset", f"{HOSTILE}.toml"],
        ["--preset", "tiny.toml", "--set", f"a.{HOSTILE}=1"], ["--preset", "tiny.toml", "--set", f"a={HOSTILE}"],
        ["--preset", "tiny.toml", "--device", HOSTILE], ["show", HOSTILE], ["show", f"x/{HOSTILE}"],
        ["show", "a", "--log-dir", HOSTILE], ["runs", HOSTILE], ["runs", ".", "--filter", f"{HOSTILE}="],
        ["runs", ".", "--filter", f"{HOSTILE}<3"], ["export", HOSTILE, "--to", "csv"], ["export", "a", "--to", HOSTILE],
        ["review", HOSTILE], ["review", "--log-dir", HOSTILE], ["presets", HOSTILE], ["presets", "show", HOSTILE],
        ["presets", "check", HOSTILE], ["runs", HOSTILE, HOSTILE], ["--log-dir", HOSTILE, "runs"],
        ["--preset", "tiny.toml", "--set", f"data.root={toml(HOSTILE)}"],
        ["judge", "--baseline", HOSTILE, "--regularized", HOSTILE],
        ["judge", "--baseline", ".", "--regularized", ".", "--at", HOSTILE],
    ],
)  # fmt: skip
def test_what_was_typed_is_harmless_in_the_answer(
    args: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    outcome = call(args, capsys, monkeypatch)
    assert outcome.code == (0 if "--filter" in args else 2), outcome
    assert "unforeseen" not in outcome.err
    assert_harmless(outcome.out + outcome.err)


def presets_here(tmp_path: Path) -> Path:
    """A folder with presets whose names, titles and faults are hostile."""
    (tmp_path / "presets").mkdir()
    text = "title = " + toml(HOSTILE[:150]) + "\nsummary = " + toml(HOSTILE) + TINY[14:]
    (tmp_path / "presets" / "aaa.toml").write_text(text)
    (tmp_path / "presets" / f"aab{HOSTILE_NAME}.toml").write_text(text)
    (tmp_path / "presets" / f"aac{HOSTILE_NAME}.toml").write_text(f"{toml(HOSTILE)} = {toml(HOSTILE)}")
    return tmp_path / "presets" / "aaa.toml"


def test_presets_of_hostile_names_and_texts_are_listed_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    presets_here(tmp_path)
    for args in (["list"], ["show", "aaa"], ["check", *map(str, (tmp_path / "presets").iterdir())]):
        outcome = call(["presets", *args], capsys, monkeypatch)
        assert "PWNED" in outcome.out + outcome.err
        assert_harmless(outcome.out + outcome.err)


def test_a_long_text_is_cut_and_an_escape_is_written_once() -> None:
    assert one_line(one_line(HOSTILE)) == one_line(HOSTILE)
    assert len(one_line("\x1b" * 10**6)) <= 2000
    assert one_line(HARMLESS) == HARMLESS


def test_a_run_s_folder_of_a_hostile_name_is_named_clean(folder: Path) -> None:
    named = read_run(folder.rename(folder.with_name(f"20200101-000000-{HOSTILE_NAME}-abcd")))
    assert "PWNED" in named.name
    assert all(map(is_shown, named.name))


# On screen

BACK = (ESCAPE, "● baseline")
HOME, DOWN = "\x1b[H", "\x1b[B"


def open_page(terminal: Terminal, key: str, page: str) -> None:
    """Type a key when the screen has said all it had to say, and wait for words of the page that it opens."""
    before = len(terminal.written)
    terminal.press_and_change(key)
    terminal.until(lambda: page.encode() in terminal.written[before:])


def answer(terminal: Terminal, key: str, page: str) -> None:
    """Type a key that only closes a question, until words come that cannot be seen as long as it is there."""
    before = len(terminal.written)
    terminal.press_until(key, lambda: page.encode() in terminal.written[before:])


@pytest.mark.slow
def test_no_screen_of_saved_runs_writes_what_a_file_says_to_the_terminal(folder: Path, tmp_path: Path) -> None:
    spoil_all(folder)
    twin = Path(shutil.copytree(folder, folder.parent / f"20200101-000000-{HOSTILE_NAME}-abcd"))
    broken = Path(shutil.copytree(folder, folder.parent / f"20200102-000000-{HOSTILE_NAME}-abcd"))
    (broken / "preset.toml").write_text(f"{toml(HOSTILE)} = {toml(HOSTILE)}")
    environ = environment(HOME=str(tmp_path), TERM="xterm-256color")
    with Terminal("-m", "regtui", "review", folder.parent, env=environ, cwd=tmp_path) as terminal:
        terminal.until("3 of 3 runs")
        for key, page in (
            ("\r", "● baseline"), ("?", "Keys"), BACK, ("f", "Preset"), BACK, ("i", "Techniques"), BACK,
            ("x", "What if"), BACK, ("w", "hidden1"), ("b", "each arm's best epoch"), BACK, ("v", "accuracy in %"),
            (ESCAPE, "3 of 3 runs"), ("a", "3 marked"), ("c", "└┬"), (ESCAPE, "3 marked"), (ESCAPE, "3 of 3 runs"),
            (DOWN, "20200102-"), ("\r", "This run can't be shown"),
        ):  # fmt: skip
            open_page(terminal, key, page)
        answer(terminal, "o", "compare")  # in the footer of the list
        for key, page in (
            ("/", "status=finished"), ("P", "runs"), ("<", "PWNED"), (ESCAPE, "3 of 3 runs"),
            (HOME, "3 of 3 runs"), ("\r", "● baseline"), ("c", "choose a preset"),
        ):  # fmt: skip
            open_page(terminal, key, page)
        terminal.press_until("q", lambda: terminal.has_ended)
        terminal.wait()  # what is taken in before the end may stop within a sequence
        assert b"PWNED" in terminal.written
        assert_harmless(terminal.written.replace(b"\r\n", b"\n"), screen=True)
    with Terminal("-m", "regtui", "review", twin, env=environ, cwd=tmp_path) as terminal:
        terminal.until("PWNED")
        terminal.read(2)
        terminal.press("q")
        terminal.wait()
        assert_harmless(terminal.written.replace(b"\r\n", b"\n"), screen=True)


@pytest.mark.slow
def test_no_screen_of_presets_writes_what_a_file_says_to_the_terminal(tmp_path: Path) -> None:
    presets_here(tmp_path)
    hostile_folder = f"logs{HOSTILE_NAME}"
    words = ("--no-bell", "--log-dir", hostile_folder)  # which a run of some seconds rings
    with Terminal("-m", "regtui", *words, env=environment(), cwd=tmp_path) as terminal:
        terminal.until("choose a preset")
        terminal.press(HOME)
        terminal.until("PWNED")
        for key, page in (
            ("?", "Keys"), (ESCAPE, "choose a preset"), ("i", "Techniques"), (ESCAPE, "choose a preset"),
            (DOWN, "batch-norm"), (DOWN, "is broken"), ("\r", "This file is broken"), (HOME, "batch-norm"),
            ("s", "Save the preset as"),
        ):  # fmt: skip
            open_page(terminal, key, page)
        answer(terminal, ESCAPE, "saved runs")  # in the footer, too
        for key, page in (
            ("\r", "one seed ("), ("f", "Preset"), BACK, ("i", "Techniques"), BACK, ("w", "hidden1"), BACK,
            ("x", "What if"), BACK,
        ):  # fmt: skip
            open_page(terminal, key, page)
        terminal.press_until("q", lambda: terminal.has_ended)
        terminal.wait()
        assert_harmless(terminal.written.replace(b"\r\n", b"\n"), screen=True)
    assert any((tmp_path / hostile_folder).iterdir())
