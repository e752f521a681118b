"""Writes the manual page from the command line itself: `python -m tests.manual` makes docs/regtui.1 anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from regtui import __version__
from regtui.cli.main import app

PAGE = Path(__file__).parents[1] / "docs" / "regtui.1"
FILES = {
    "~/.config/regtui/config.toml": "The settings that last, on Linux; regtui doctor names the file and what it sets.",
    "./logs": "Where runs are kept, one folder each, unless --log-dir or the settings name another folder.",
    "./presets": "Presets of your own, found by name before those that come along.",
}
ENVIRONMENT = {
    "REGTUI_CONFIG": "The file of settings, instead of the one in the user's configuration folder.",
    "REGTUI_CACHE": "The folder for decoded data sets and downloads.",
    "NO_COLOR": "If it is not empty, nothing is coloured.",
    "COLORFGBG": "Tells whether the background is light, where the terminal itself does not.",
}
STATUS = {
    "0": "Done; a run that stopped early is done.",
    "1": "Failed.",
    "2": "Wrong usage, an invalid preset, or, without a screen, a fault in the settings.",
    "3": "Diverged: a loss, a gradient or a weight was not finite, or a loss absurdly large.",
    "4": "Stopped, and kept.",
    "10": "With --verdict-exit: no difference that matters, or inconclusive; without it never.",
    "11": "With --verdict-exit: it hurts.",
    "128 + n": "Ended by signal n.",
}


def page() -> str:
    """The manual page, for man(1)."""
    command = typer.main.get_command(app)
    lines = [
        f'.TH REGTUI 1 "" "regtui {__version__}" "User Commands"',
        ".SH NAME",
        "regtui \\- regularized PyTorch models against their baseline, in the terminal",
        ".SH SYNOPSIS",
        ".B regtui",
        f"[{_plain('OPTIONS')}] [{_plain('COMMAND')} ...]",
        ".SH DESCRIPTION",
        _plain(command.help or ""),
        "Without a command it opens the screen on the presets, or runs the one that is named.",
        "The key ? lists the keys of each screen.",
        ".SH OPTIONS",
        *_parameters(command),
        *(".TP", f".B {_plain('-h, --help')}", "Show the help, also of each command."),
        ".SH COMMANDS",
        *_commands(command, "regtui"),
        *_section("EXIT STATUS", STATUS),
        *_section("FILES", FILES),
        *_section("ENVIRONMENT", ENVIRONMENT),
    ]
    return "\n".join(lines) + "\n"


def _commands(group: Any, name: str) -> Iterator[str]:
    for word, command in sorted(group.commands.items()):
        whole = f"{name} {word}"
        arguments = " ".join(parameter.metavar for parameter in command.params if _is_argument(parameter))
        yield f".SS {_plain(f'{whole} {arguments}'.rstrip())}"
        yield _plain(re.sub(r"\s+", " ", command.help or ""))
        yield from _parameters(command)
        if hasattr(command, "commands"):
            yield from _commands(command, whole)


def _parameters(command: Any) -> Iterator[str]:
    for parameter in command.params:
        names = [] if _is_argument(parameter) else [", ".join([*parameter.opts, *parameter.secondary_opts])]
        value = [parameter.metavar] if parameter.metavar else []
        yield from (".TP", f".B {_plain(' '.join((*names, *value)))}", _plain(parameter.help))


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _section(title: str, entries: dict[str, str]) -> Iterator[str]:
    yield f".SH {title}"
    for name, words in entries.items():
        yield from (".TP", f".B {_plain(name)}", _plain(words))


def _plain(text: str) -> str:
    """A text with nothing that roff would take for a command."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
