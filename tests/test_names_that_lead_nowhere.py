"""Names of runs and folders that can't be used: one sentence and exit code 2, whatever they are and whoever asks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import TINY, call, environment
from tests.hostile import write_run


def open_to_all(path: Path) -> bool:
    """Whether every user may go into this folder."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("logs"), "other")


@pytest.fixture
def here(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a run, and with what is none."""
    shutil.copytree(whole, tmp_path / "logs" / whole.name)
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "tiny.toml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    return tmp_path


NAMES = [
    "", ".", "..", "/", "~", "~nobody", "x" * 300, "x/" * 3000, "a\0b", "a\nb", "a/b\nc", "file", "file/", "file/x",
    "dangling", "dangling/x", "loop", "loop/x", "empty", "empty/", "pipe", "pipe/x", "nowhere/", "\udcff", "logs/x" * 9,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "words",
    [
        ["show", "NAME", "--json"],
        ["review", "NAME", "NAME"],
        ["export", "NAME", "--to", "csv"],
        ["export", "RUN", "NAME", "--to", "html"],
        ["judge", "--baseline", "NAME", "--regularized", "RUN"],
        ["judge", "--baseline", "RUN::baseline", "--regularized", "NAME::regularized"],
    ],
    ids=" ".join,
)
def test_a_run_that_is_none_is_one_sentence(
    here: Path, words: list[str], name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = next((here / "logs").iterdir())
    args = [word.replace("NAME", name).replace("RUN", str(run)) for word in words]
    assert len(call(args, capsys, monkeypatch).faults()) == 1


# A null character can't be typed, and typer refuses it in a path.
FOLDERS = [name for name in NAMES if name not in ("", ".", "..", "/", "empty", "empty/", "a\0b")]


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("command", ["runs", "review", "show --log-dir", "export"])
def test_a_folder_of_runs_that_is_none_is_one_sentence(
    here: Path, command: str, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    args = {
        "runs": ["runs", name],
        "review": ["review", "--log-dir", name],
        "show --log-dir": ["show", "2", "--log-dir", name],
        "export": ["export", "2", "--to", "csv", "--log-dir", name],
    }[command]
    assert len(call(args, capsys, monkeypatch).faults()) == 1
    assert (here / "logs").is_dir()


@pytest.mark.parametrize("name", ["x" * 300, "file/x", "loop/x", "dangling/x/y", "pipe/x"])
def test_an_export_that_can_t_be_put_there_is_one_sentence(
    here: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = next((here / "logs").iterdir())
    monkeypatch.setattr("regtui.export.write._FOLDERS", {"csv": lambda _run, folder: folder.mkdir()})
    outcome = call(["export", run, "--to", "csv", "--out", name], capsys, monkeypatch)
    if name != "dangling/x/y":  # which can be made
        assert len(outcome.faults()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
@pytest.mark.skipif(not open_to_all(Path(sys.prefix)), reason="another user can't read the program")
def test_another_s_folder_is_one_sentence(tmp_path: Path) -> None:
    commands = [
        ["show", "closed/run"],
        ["show", "closed"],
        ["show", "run", "--log-dir", "closed"],
        ["review", "closed/run", "closed/run"],
        ["review", "closed"],
        ["review", "--log-dir", "closed"],
        ["runs", "closed"],
        ["export", "closed/run", "--to", "csv"],
        ["--preset", "closed/p.toml", "--headless"],
    ]
    # Imported before it becomes somebody else, who may not be allowed to read the program; forked for each command.
    code = """
import json, os, sys
import regtui.cli.export, regtui.cli.find, regtui.cli.headless, regtui.cli.main, regtui.cli.runs, regtui.cli.show
import regtui.tui.start
import encodings.utf_8_sig, regtui.data.source, regtui.engine.run, regtui.runs.comparison, regtui.runs.index
sys.stdin.isatty = sys.stdout.isatty = lambda: True
for number, args in enumerate(json.loads(sys.argv[1])):
    if os.fork() == 0:
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{sys.argv[2]}/{number}.{name}", os.O_WRONLY | os.O_CREAT), stream)
        os.setgroups([]), os.setgid(12345), os.setuid(12345)
        sys.argv = ["regtui", *args]
        regtui.cli.main.main()
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        here.chmod(0o777)
        (here / "closed").mkdir(mode=0o700)
        done = subprocess.run(
            [sys.executable, "-c", code, json.dumps(commands), tmp_path],
            capture_output=True,
            text=True,
            cwd=here,
            env=environment(REGTUI_CACHE=str(here / "cache")),
        )
    assert done.returncode == 0, done
    assert done.stdout.split() == ["2"] * len(commands), done
    for number, args in enumerate(commands):
        assert (tmp_path / f"{number}.out").read_text() == "", args
        said = (tmp_path / f"{number}.err").read_text()
        assert len(said.splitlines()) == 1, (args, said)
        assert "unforeseen" not in said, args


NESTED: dict[str, Callable[[], str]] = {
    "a key of 40,000 parts": lambda: "a." * 40_000 + "a = 1",
    "a key of 1,500 parts": lambda: "a." * 1_500 + "a = 1",
    "a table of 1,500 parts": lambda: "[" + "a." * 1_500 + "a]",
    "1,500 lists": lambda: "a = " + "[" * 1_500 + "]" * 1_500,
    "1,500 tables": lambda: "a = " + "{a = " * 1_500 + "1" + "}" * 1_500,
    "a quoted key": lambda: "'a'." * 40_000 + "a = 1",
    "a key in a table": lambda: "a = {" + "a." * 40_000 + "a = 1}",
    "a key with blanks": lambda: "a . " * 40_000 + "a = 1",
    "many keys": lambda: "".join(f"a{n} = 1\n" for n in range(10_000)),
    "many digits": lambda: "a = " + "9" * 100_000,
    "a large file": lambda: "#" * 10**7,
}


@pytest.mark.parametrize("make", NESTED.values(), ids=NESTED)
def test_a_preset_that_would_be_read_for_minutes_is_refused_at_once(
    here: Path, make: Callable[[], str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = next((here / "logs").iterdir())
    (here / "presets").mkdir()
    for path in (here / "p.toml", here / "presets" / "hostile.toml", run / "preset.toml"):
        path.write_text(make())
    faults = call(["presets", "check", "p.toml"], capsys, monkeypatch)
    assert faults.code == 2
    assert 0 < len(faults.err) < 10_000
    assert "hostile  " in call(["presets", "list"], capsys, monkeypatch).out
    assert call(["runs", "logs"], capsys, monkeypatch).code == 0
    assert call(["show", run], capsys, monkeypatch).code == 0


@pytest.mark.parametrize("setting", ["a." * 40_000 + "a=1", "a=" + "[" * 1_500, "a={" + "a." * 40_000 + "a=1}"])
def test_so_is_a_setting(
    here: Path, setting: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (here / "tiny.toml").exists()
    args = ["--preset", "tiny.toml", "--headless", "--set", setting]
    assert len(call(args, capsys, monkeypatch).faults()) == 1
