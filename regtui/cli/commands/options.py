"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regtui.cli import completion

MOST_THREADS = 256
"""More threads are no faster on any machine, and the system may not grant them to a process."""

LogDir = Annotated[
    Path | None,
    typer.Option(metavar="DIR", readable=False, help="Where runs are kept; what the settings name, or 'logs'."),
]
Ascii = Annotated[bool, typer.Option("--ascii", help="Draw with ASCII characters only.")]
Theme = Annotated[
    str | None,
    typer.Option(
        metavar="auto|dark|light|high-contrast",
        help="The colours; auto asks the terminal's background.",
        autocompletion=completion.themes,
    ),
]


def saved_in() -> Path:
    """The folder of runs that the settings name; what is wrong with them is said."""
    from regtui.console import complain
    from regtui.settings import read_settings

    known = read_settings()
    for fault in known.faults:
        complain(f"regtui: {fault}")
    return known.settings.logs
