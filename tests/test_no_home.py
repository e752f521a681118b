"""Machines without a home, a name or a current folder: it works, or a sentence says what to set."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from regtui.cli import doctor
from regtui.data.cache import cache_dir, write
from regtui.errors import RegtuiError
from tests.command import TINY, call, command, environment

NOBODY = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]


def can_be_nobody() -> bool:
    try:
        return subprocess.run([*NOBODY, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder; the environment names no cache."""
    for name in ("REGTUI_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("home", ["/nonexistent", "not/absolute"])
def test_without_a_home_the_cache_is_a_private_folder_in_the_temporary_one(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.setenv("HOME", home)
    monkeypatch.setattr("pathlib.Path.home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    for _ in range(2):
        folder = cache_dir()
        assert folder == temporary / f"regtui-{os.getuid()}"
        assert stat.S_IMODE(folder.lstat().st_mode) == 0o700


def test_a_home_and_what_the_environment_names_are_used(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(temporary))
    assert cache_dir().is_relative_to(temporary)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("XDG_CACHE_HOME", str(temporary / "xdg"))
    assert cache_dir() == temporary / "xdg" / "regtui"
    monkeypatch.setenv("REGTUI_CACHE", str(temporary / "chosen"))
    assert cache_dir() == temporary / "chosen"


def a_link(path: Path) -> None:
    (path.parent / "elsewhere").mkdir(mode=0o700)
    path.symlink_to(path.parent / "elsewhere")


def open_to_others(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


@pytest.mark.parametrize("planted", [a_link, open_to_others, Path.touch])
def test_a_folder_that_somebody_else_may_have_made_is_not_trusted(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, planted: Callable[[Path], None]
) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    planted(temporary / f"regtui-{os.getuid()}")
    with pytest.raises(RegtuiError, match="REGTUI_CACHE"):
        cache_dir()


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_a_cache_file_is_for_those_that_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write(tmp_path / "shared" / "mnist.safetensors", {"a": np.zeros(3, np.uint8)})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "shared" / "mnist.safetensors").stat().st_mode) == mode
    assert [path.name for path in (tmp_path / "shared").iterdir()] == ["mnist.safetensors"]


@pytest.mark.slow
@pytest.mark.skipif(not can_be_nobody(), reason="needs Linux, and leave to make a user namespace")
def test_somebody_without_name_and_home_trains(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "tmp").mkdir()
    env = {k: v for k, v in environment(TMPDIR=str(tmp_path / "tmp")).items() if k not in {"HOME", "REGTUI_CACHE"}}
    done = subprocess.run(
        [*NOBODY, *command("--preset", "tiny.toml", "--headless")],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert list((tmp_path / "tmp" / "regtui-12345").glob("mnist*"))


# Doctor


@pytest.mark.parametrize("broken", ["_program", "_packages", "_devices", "_data", "_terminal", "_folder", "_cache"])
@pytest.mark.parametrize("error", [OSError(13, "no"), RuntimeError("a\nb"), KeyError("uid"), RegtuiError("Set it.")])
def test_doctor_reaches_its_last_line_whatever_fails(
    broken: str, error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = ["_program", "_packages", "_devices", "_data", "_terminal", "_folder", "_cache"]

    def fail(*_args: object) -> None:
        raise error

    for quick in ("_devices", "_data"):
        monkeypatch.setattr(doctor, quick, lambda: iter([doctor.Finding("quick", "ok", "skipped")]))
    monkeypatch.setattr(doctor, broken, fail)
    outcome = call(["doctor"], capsys, monkeypatch)
    assert outcome.code == 1
    lines = outcome.out.splitlines()
    assert sum(line.startswith("✗") for line in lines) == (2 if broken == "_folder" else 1)
    assert len(lines) >= len(topics)
    assert lines[-1].split()[1] == "cache"


# A current folder that has been deleted


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder is gone; returns one that is there, with a preset."""
    gone, there = tmp_path / "gone", tmp_path / "there"
    gone.mkdir()
    there.mkdir()
    (there / "tiny.toml").write_text(TINY)
    samples = Path(__file__).parent.parent / "logs"
    shutil.copytree(next(samples.glob("*-smoke-*")), there / "logs" / "20260101-000000-smoke-0000")
    monkeypatch.chdir(gone)
    gone.rmdir()
    return there


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("presets", "list"), 0),
        (("presets", "show", "smoke"), 0),
        (("presets", "check", "THERE/tiny.toml"), 0),
        (("presets", "check", "tiny.toml"), 2),
        (("runs", "THERE/logs"), 0),
        (("runs", "THERE/logs", "--json"), 0),
        (("runs",), 2),
        (("show", "2026", "--log-dir", "THERE/logs"), 0),
        (("show", "2026"), 2),
        (("export", "2026", "--log-dir", "THERE/logs", "--to", "html", "--out", "THERE/out.html"), 0),
        (("export", "2026", "--log-dir", "THERE/logs", "--to", "csv", "--out", "out"), 2),
        (("export", "THERE/logs/20260101-000000-smoke-0000", "--to", "html"), 2),
        (("export", "2026", "--to", "csv"), 2),
        (("review",), 2),
        (("--preset", "tiny.toml", "--headless"), 2),
        (("--preset", "THERE/tiny.toml", "--headless"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_each_command_works_or_says_why_where_the_current_folder_is_gone(
    nowhere: Path, args: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = call([arg.replace("THERE", str(nowhere)) for arg in args], capsys, monkeypatch)
    assert outcome.code == code, outcome
    assert "unforeseen" not in outcome.err
    assert "Traceback" not in outcome.err


def test_a_run_trains_where_the_current_folder_is_gone(nowhere: Path) -> None:
    script = "import os; os.rmdir(os.getcwd()); from regtui.__main__ import main; main()"
    gone = nowhere / "another"
    gone.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, "--preset", str(nowhere / "tiny.toml"), "--log-dir", str(nowhere / "new")],
        cwd=gone, env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
