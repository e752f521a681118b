"""Runs moved into the trash and back: one rename, over nothing, through no link, never while they are trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from regtui.cli.runs import print_runs
from regtui.cli.show import print_run
from regtui.engine.run import run
from regtui.errors import InputError
from regtui.protocol.control import Control
from regtui.runs.find import find_run
from regtui.runs.index import read_runs
from regtui.runs.trash import discard, restore
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A log folder with a run, and a second one in a folder of its own."""
    folder = tmp_path / "logs"
    for place in (folder, folder / "more"):
        crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.4]})
        run(small_preset(), place, Control(), lambda _: None, crew)
    return folder


def one(folder: Path) -> Path:
    return next(path for path in folder.iterdir() if path.name[0] == "2")


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("below", [".", "more"])
def test_a_run_goes_and_comes_back_as_it_was_and_lists_do_not_show_it(logs: Path, below: str) -> None:
    folder = one(logs / below)
    before, inode = content(folder), folder.stat().st_ino
    assert len(read_runs(logs)) == 2
    gone = discard(folder, logs)
    assert gone == logs / ".trash" / folder.relative_to(logs)
    assert not folder.exists()
    assert [found.folder.name for found in read_runs(logs)] == [one(logs / ("more" if below == "." else ".")).name]
    with pytest.raises(InputError, match="no run"):
        find_run(folder.name, logs)
    assert [found.folder for found in read_runs(logs / ".trash")] == [gone]
    with pytest.raises(InputError, match="is in the trash already"):
        discard(gone, logs)
    assert restore(gone) == folder
    assert (content(folder), folder.stat().st_ino) == (before, inode), "renamed, not copied"
    assert len(read_runs(logs)) == 2


def test_commands_pass_over_the_trash_and_list_it_when_it_is_named(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = discard(one(logs), logs)
    for folder, count in ((logs, 1), (logs / ".trash", 1), (gone, 1)):
        assert print_runs(folder, json=True) == 0
        assert capsys.readouterr().out.count("\n") == count
    assert print_run(str(gone), logs, json=True) == 0


def test_a_run_from_elsewhere_goes_into_the_trash_beside_it(logs: Path, tmp_path: Path) -> None:
    folder = one(logs / "more")
    assert discard(folder, tmp_path / "others") == logs / "more" / ".trash" / folder.name


def test_nothing_is_overwritten(logs: Path) -> None:
    folder = one(logs)
    gone = discard(folder, logs)
    shutil.copytree(gone, folder)
    with pytest.raises(InputError, match=r"there is a '.*trash.*' already"):
        discard(folder, logs)
    with pytest.raises(InputError, match="already"):
        restore(gone)
    shutil.rmtree(folder)
    folder.touch()
    with pytest.raises(InputError, match="already"):
        restore(gone)
    assert content(gone)


def test_no_link_is_followed(logs: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(logs, elsewhere)
    folder = one(logs)
    link = logs / f"{folder.name[:-4]}0000"
    link.symlink_to(one(elsewhere))
    (logs / "linked").symlink_to(elsewhere)
    before = content(elsewhere)
    for run_folder in (link, logs / "linked" / folder.name):
        with pytest.raises(InputError, match="links are not followed"):
            discard(run_folder, logs)
    (logs / ".trash").symlink_to(elsewhere)
    with pytest.raises(InputError, match="links are not followed"):
        discard(folder, logs)
    assert content(elsewhere) == before
    assert content(folder)


def test_a_run_that_may_be_trained_stays(logs: Path) -> None:
    folder = one(logs)
    (folder / "summary.json").unlink()
    text = (folder / "run.json").read_text()
    (folder / "run.json").unlink()
    with pytest.raises(InputError, match="nothing in it says that its training has ended"):
        discard(folder, logs)
    (folder / "run.json").write_text(text)  # of this very process
    with pytest.raises(InputError, match="is being trained"):
        discard(folder, logs)
    assert content(folder)


def test_a_run_that_was_removed_meanwhile_is_said_to_be_gone(logs: Path) -> None:
    folder = one(logs)
    gone = discard(folder, logs)
    shutil.rmtree(gone)
    with pytest.raises(InputError, match="is no longer there"):
        restore(gone)
    with pytest.raises(InputError, match="is no longer there"):
        discard(folder, logs)
