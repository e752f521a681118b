"""The files of whoever works in a folder are never run, whatever they are called; its presets and logs are found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from regtui.import_path import without_current_folder
from tests.command import TINY, environment

HOME = str(Path(__file__).parent.parent)
"""The folder that regtui is in."""
INSTALLED = str(Path(sys.executable).with_name("regtui"))
PACKAGES = {
    "regtui", "numpy", "torch", "torchvision", "pydantic", "scipy", "safetensors", "platformdirs", "typer", "rich",
    "textual", "plotext", "tomlkit", "PIL", "sympy", "matplotlib", "tensorboard", "conftest", "sitecustomize",
    "usercustomize",
}  # fmt: skip


class Trap:
    """A folder with a file for every module that Python or we might import, each of which leaves its mark."""

    def __init__(self, folder: Path, spared: set[str]) -> None:
        self.folder = folder / "trap"
        self.folder.mkdir()
        self._marks = folder / "marks"
        for index, name in enumerate(sorted((set(sys.stdlib_module_names) | PACKAGES) - spared)):
            mark = f"open({str(self._marks)!r}, 'a').write(__name__ + ' ')\n"
            if index % 2:
                (self.folder / f"{name}.py").write_text(mark)
            else:
                (self.folder / name).mkdir()
                (self.folder / name / "__init__.py").write_text(mark)
        (self.folder / "presets").mkdir()
        (self.folder / "presets" / "mine.toml").write_text(TINY)

    def run(self, *command: str, **env: str) -> tuple[int, str, set[str]]:
        """Exit code and stdout of a command here, and the modules of this folder that were imported."""
        self._marks.unlink(missing_ok=True)
        done = subprocess.run(
            command, cwd=self.folder, env=environment(**env), capture_output=True, text=True, timeout=300
        )
        return done.returncode, done.stdout, set(self._marks.read_text().split()) if self._marks.exists() else set()


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Trap:
    """A trap for everything, with a run in it."""
    made = Trap(tmp_path_factory.mktemp("everything"), spared=set())
    code, out, marks = made.run(INSTALLED, "--preset", "mine", "--headless")
    assert (code, marks) == (0, set())
    assert "mine · Tiny" in out, "the folder's preset was found"
    return made


@pytest.mark.parametrize(
    "args",
    [
        ("presets", "show", "mine"),
        pytest.param(("runs",), marks=pytest.mark.slow),
        pytest.param(("show", "2"), marks=pytest.mark.slow),
        ("export", "2", "--to", "html"),
        ("review",),
        pytest.param(("doctor",), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_no_command_imports_from_the_current_folder(trap: Trap, args: tuple[str, ...]) -> None:
    code, _, marks = trap.run(INSTALLED, *args)
    assert (code, marks) == (2 if args == ("review",) else 0, set())


@pytest.fixture(scope="module")
def spared(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What Python imports itself to run a module, before any of our code is there to prevent it."""
    folder = tmp_path_factory.mktemp("nothing")
    (folder / "nothing.py").write_text("import sys; print(*{name.partition('.')[0] for name in sys.modules})")
    done = subprocess.run(
        [sys.executable, "-m", "nothing"], cwd=folder, env=environment(), capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "args", [pytest.param(("runs", "."), marks=pytest.mark.slow), ("--preset", "mine", "--headless")], ids=" ".join
)
def test_python_m_imports_no_more_from_there_than_python_does(
    tmp_path: Path, spared: set[str], args: tuple[str, ...]
) -> None:
    trap = Trap(tmp_path, spared | {"regtui"})
    code, _, marks = trap.run(sys.executable, "-m", "regtui", *args)
    assert (code, marks) == (0, set())


@pytest.mark.parametrize("path", [pytest.param(path, marks=pytest.mark.slow) for path in (":/nowhere", ".")])
def test_an_empty_entry_of_pythonpath_is_no_leave_to_import_from_there(
    tmp_path: Path, spared: set[str], path: str
) -> None:
    at_start = {"sitecustomize", "usercustomize"}  # Python's own start looks for these there, before it runs any code
    trap = Trap(tmp_path, spared | at_start | {"regtui"})
    script = tmp_path / "script"  # as pip makes it, but that some versions of pip import more in it
    script.write_text("from regtui.__main__ import main\nmain()\n")
    code, _, marks = trap.run(sys.executable, str(script), "--preset", "mine", "--headless", PYTHONPATH=path)
    assert (code, marks) == (0, set())


def test_whatever_means_the_current_folder_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, other = tmp_path / "here", tmp_path / "other"
    here.mkdir()
    other.mkdir()
    (tmp_path / "link").symlink_to(here)
    monkeypatch.chdir(here)
    path = ["", ".", str(here), str(tmp_path / "link"), "../here", f"{here}/", str(other), "/no/such.zip", HOME]
    assert without_current_folder(path) == [str(other), "/no/such.zip", HOME]
    here.rmdir()
    assert without_current_folder(["", str(other), HOME]) == [str(other), HOME]


def test_what_is_installed_stays_where_it_is_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    python, here = str(Path(os.__file__).parent), str(tmp_path)
    assert without_current_folder([here, python, "", ".", here, HOME]) == [python, here, HOME]
    monkeypatch.chdir(python)
    assert without_current_folder([python, python, here, HOME]) == [python, python, here, HOME]


@pytest.mark.parametrize(
    "module",
    [os, *(pytest.param(module, marks=pytest.mark.slow) for module in (torch,))],
    ids=lambda module: module.__name__,
)
def test_it_works_among_the_modules_that_it_needs(module: ModuleType) -> None:
    assert module.__file__ is not None
    folder = Path(module.__file__).parents[1 if module is torch else 0]
    done = subprocess.run([INSTALLED, "doctor"], cwd=folder, env=environment(), capture_output=True, text=True)
    assert "auto means" in done.stdout, "a child has found torch"
    assert done.stderr == ""


def test_regtui_is_found_where_it_is_run_from_its_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HOME)
    assert without_current_folder(["", "/usr/lib/python3", HOME]) == ["/usr/lib/python3", HOME]
