"""The manual page is that of this command line, and man shows it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib

import pytest

from tests.command import call
from tests.manual import PAGE, page

COMMANDS = (
    "",
    "review",
    "runs",
    "show",
    "export",
    "doctor",
    "presets",
    *(f"presets {of}" for of in ("list", "show", "check", "schema")),
)


def test_it_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.manual writes it anew"


@pytest.mark.parametrize("command", COMMANDS)
def test_it_names_every_command_and_option(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = page().replace("\\-", "-")
    assert f".SS regtui {command}".rstrip() in told
    if command:
        told = told.partition(f".SS regtui {command}")[2].partition(".SS")[0]
    help_text = call([*command.split(), "--help"], capsys, monkeypatch).out
    options = set(re.findall(r"^  (--[a-z-]+)", help_text, re.MULTILINE))
    assert all(f".B {option}" in told for option in options), options
    commands = re.findall(r"^  ([a-z]+) ", help_text.partition("Commands:\n")[2].partition("\n\n")[0], re.MULTILINE)
    assert all(f".SS regtui {command} {name}".replace("  ", " ") in page() for name in commands)


@pytest.mark.skipif(not shutil.which("man") or not shutil.which("groff"), reason="there is no man here")
def test_man_shows_it_without_a_warning() -> None:
    env = os.environ | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run(["man", "--warnings=w", "-l", PAGE], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    shown = re.sub(".\x08", "", done.stdout)
    assert "regtui export RUN|STUDY..." in shown
    assert "--set KEY=VALUE" in shown


def test_it_is_installed_where_man_looks() -> None:
    project = tomllib.loads((PAGE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"docs/regtui.1": "share/man/man1/regtui.1"}
