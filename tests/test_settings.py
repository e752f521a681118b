"""The user's settings: what they decide, what is wrong with them, and how the screen keeps them up to date."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from regtui.cli import doctor
from regtui.settings import Charts, Known, Settings, read_settings, remember, settings_file
from regtui.tui.app import RegtuiApp
from regtui.tui.charts.view import QUANTITIES, SMOOTHING, View
from regtui.tui.run.screen import RunScreen
from tests.command import TINY, call
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, text_of, until

WHOLE = """\
# mine
theme = "light"   # it is a bright room
ascii = true
bell = false
log_dir = "~/runs"
device = "cuda:1"

[charts]
quantity = "gap"
overlay = true
log = true
shared = false
log_x = true
smooth = 100
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the settings are, in a folder that is not there yet."""
    path = tmp_path / "config" / "regtui.toml"
    monkeypatch.setenv("REGTUI_CONFIG", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    return path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def test_every_setting_is_read(file: Path, tmp_path: Path) -> None:
    write(file, WHOLE)
    known = read_settings()
    assert known.faults == []
    charts = Charts(quantity="gap", overlay=True, log=True, shared=False, log_x=True, smooth=100)
    wanted = Settings(theme="light", ascii=True, bell=False, log_dir="~/runs", device="cuda:1", charts=charts)
    assert known.settings == wanted
    assert known.settings.logs == tmp_path / "runs"
    assert {key.partition(".")[0] for key in known.named} == set(Settings.model_fields)


def test_without_a_file_the_defaults_hold(file: Path) -> None:
    known = read_settings()
    assert (known.settings, known.faults, known.file) == (Settings(), (), file)
    write(file, "")
    assert read_settings().settings == Settings()


def test_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGTUI_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings_file() == tmp_path / "regtui" / "config.toml"


def test_without_a_home_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REGTUI_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    assert read_settings() == Known(Settings())
    remember({"theme": "light"})
    assert not Path("/nonexistent").exists()
    assert [finding.state for finding in doctor._settings()] == ["note"]


FAULTS = {
    'theme = "ligth"': "theme: must be 'auto', 'dark', 'light' or 'high-contrast', not 'ligth'; did you mean 'light'?",
    "bel = true": "bel: is not known here; did you mean 'bell'?",
    "log = true": "log: is not known here; write charts.log",
    "bell = 1": "bell: must be true or false, not 1",
    'device = "gpu"': "device: must be auto, cpu, cuda, cuda:N or mps, not 'gpu'",
    'log_dir = ""': "log_dir: must have at least 1 character(s), not ''",
    "charts = 3": "charts: must be a table, not 3",
    "[charts]\noverly = true": "charts.overly: is not known here; did you mean 'overlay'?",
    "[charts]\noverlay = 'no'": "charts.overlay: must be true or false, not 'no'",
    "[charts]\nsmooth = 50": "charts.smooth: must be 0, 10, 100 or 1000, not 50",
    "theme = dark": "",
    "a = \x00": "",
    "a=" + "[" * 5000: "",
}


@pytest.mark.parametrize("text", FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_one_line_and_the_rest_holds(file: Path, text: str) -> None:
    write(file, f"ascii = true\n{text}\n")
    known = read_settings()
    (fault,) = map(str, known.faults)
    assert fault.startswith(f"{file}: ")
    assert fault.isprintable()
    if wanted := FAULTS[text]:
        assert fault == f"{file}: {wanted}"
        assert known.settings == Settings(ascii=True)
    else:
        assert known.settings == Settings()


def test_what_can_not_be_read_is_a_fault(file: Path) -> None:
    file.mkdir(parents=True)
    assert read_settings().faults
    file.rmdir()
    os.mkfifo(file)
    assert read_settings().faults
    file.unlink()
    file.write_bytes(b"\xff\xfe")
    assert read_settings().faults


# Kept up to date


def test_what_is_chosen_is_written_and_comments_stay(file: Path) -> None:
    remember({})
    assert not file.exists()
    write(file, WHOLE)
    file.chmod(0o600)
    remember({"theme": "dark", "charts.log": False})
    changed = WHOLE.replace('"light"', '"dark"').replace("log = true", "log = false")
    assert file.read_text() == changed
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.stat().st_mtime_ns, file.stat().st_ino
    remember({"theme": "dark"})
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before
    assert [*file.parent.iterdir()] == [file]


def test_a_new_file_and_one_behind_a_link(file: Path, tmp_path: Path) -> None:
    remember({"charts.overlay": True})
    assert tomllib.loads(file.read_text()) == {"charts": {"overlay": True}}
    elsewhere = tmp_path / "dotfiles.toml"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    remember({"theme": "light"})
    assert file.is_symlink()
    assert tomllib.loads(elsewhere.read_text()) == {"theme": "light", "charts": {"overlay": True}}


@pytest.mark.parametrize("text", ["theme = ", "charts = 3"])
def test_a_file_that_can_not_be_changed_is_left_alone(file: Path, text: str) -> None:
    write(file, text)
    remember({"charts.log": True})
    assert file.read_text() == text


def test_a_home_that_can_not_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").write_text("")
    monkeypatch.setenv("REGTUI_CONFIG", str(tmp_path / "plain" / "config.toml"))
    assert read_settings().faults == ()
    remember({"theme": "light"})


async def test_theme_and_charts_are_as_the_user_left_them(tmp_path: Path) -> None:
    training = ScriptedTraining()
    app = RegtuiApp(tmp_path, small_preset(), start=True, training=training)
    async with app.run_test(size=(120, 36)) as pilot:
        training.open(100)
        await until(pilot, lambda: app.session is not None and app.session.ended)
        assert app.chosen() == {}
        await pilot.press("t", "m", "L", "v", "a", "o")
        app.leave()
    chosen = app.chosen()
    assert chosen.pop("charts.log_x") is True
    assert chosen.pop("charts.smooth") == SMOOTHING[1]
    assert chosen == {"theme": "light", "charts.quantity": "metric", "charts.shared": False, "charts.overlay": True}
    known = Settings(theme="light", charts=Charts(quantity="metric", shared=False, overlay=True))
    again = RegtuiApp(tmp_path, small_preset(), start=True, training=ScriptedTraining(), theme="light", settings=known)
    async with again.run_test(size=(120, 36)) as pilot:
        assert isinstance(again.screen, RunScreen)
        assert (again.screen.view.quantity, again.screen.view.shared, again.screen.view.overlay) == (
            "metric",
            False,
            True,
        )
        again._training.close()
        again.leave()
    assert again.chosen() == {}


def test_charts_can_be_kept_as_each_key_has_them_drawn() -> None:
    fields = Charts.model_fields
    assert get_args(fields["quantity"].annotation) == QUANTITIES
    assert get_args(fields["smooth"].annotation) == SMOOTHING
    assert set(fields) == set(View.__dataclass_fields__) - {"arm", "part"}  # these belong to a run


async def test_one_chart_for_want_of_room_is_no_choice(tmp_path: Path) -> None:
    app = RegtuiApp(tmp_path, small_preset(), start=True, training=ScriptedTraining())
    async with app.run_test(size=(50, 24)) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert app.screen.view.overlay
        app._training.close()
        app.leave()
    assert app.chosen() == {}


async def test_a_fault_is_said_on_screen(file: Path, tmp_path: Path) -> None:
    write(file, "theme = 3\nbell = 3\n")
    app = RegtuiApp(tmp_path, training=ScriptedTraining(), faults=read_settings().faults)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "A fault in your settings" in text_of(app))


# What they decide


def test_a_device_is_what_auto_stands_for() -> None:
    settings = Settings(device="mps")
    assert settings.applied(small_preset(train={"device": "auto"})).train.device == "mps"
    assert settings.applied(small_preset(train={"device": "cpu"})).train.device == "cpu"
    assert Settings().applied(preset := small_preset(train={"device": "auto"})) is preset


def test_without_a_screen_a_fault_ends_it(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(file, "bell = 1\nbel = 2\n")
    (tmp_path / "tiny.toml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    faults = call(["--preset", "tiny.toml", "--headless"], capsys, monkeypatch).faults(2)
    assert faults == [f"{file}: {line}" for line in (FAULTS["bell = 1"], FAULTS["bel = true"])]


def test_their_log_folder_is_where_runs_are_looked_for(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(file, f'log_dir = "{tmp_path / "elsewhere"}"')
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path / "elsewhere") in call(["show", "x"], capsys, monkeypatch).err
    assert "other" in call(["show", "x", "--log-dir", "other"], capsys, monkeypatch).err


def test_an_unknown_theme_is_a_sentence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    faults = call(["--theme", "drak"], capsys, monkeypatch).faults(2)
    assert faults == ["there is no theme 'drak'; did you mean 'dark'? Known are auto, dark, light, high-contrast"]


def test_the_doctor_names_the_file_and_what_it_sets(file: Path) -> None:
    assert [finding.words for finding in doctor._settings()] == [f"{file}: not there, so the defaults hold"]
    write(file, 'theme = "light"\ncharts.log = true\nbel = 1\n')
    assert [(finding.state, finding.words) for finding in doctor._settings()] == [
        ("fault", f"{file}: {FAULTS['bel = true']}"),
        ("ok", f"{file} sets theme = {json.dumps('light')}, charts.log = true"),
    ]
