"""`regtui --resume`: goes on with a saved run, without a screen or with one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from regtui.cli.find import find_saved
from regtui.cli.wait import waited
from regtui.console import can_draw
from regtui.engine.resume import Changes
from regtui.errors import InputError
from regtui.runs.find import is_study_folder
from regtui.runs.resumable import resumable
from regtui.settings import read_settings
from regtui.signals import survive_hang_ups
from regtui.text import quoted


def resume_run(
    run: str,
    changes: Changes,
    logs: Path,
    *,
    headless: bool,
    json: bool,
    threads: int | None,
    **screen: Any,
) -> int:
    """Go on with a saved run; returns the exit code.

    Args:
        run: Its folder, or a unique beginning of its name.
        changes: What is changed from here on.
        logs: Where it is looked for by its name.
        headless: Whether to do without a screen; where there can be none, it is done without.
        json: Whether to print events as JSON; without a screen only.
        threads: Of each process; None for as many as it had.
        screen: How a screen is opened: arguments of `open_screen`.

    Raises:
        InputError: There is no such run, it can't be resumed, or the options do not fit together.
        RegtuiError: Training could not begin, or the screen failed.
    """
    folder, is_study = waited(Path(run), lambda: _found(run, logs))
    if is_study:
        raise InputError(f"{quoted(run)} is a study; 'regtui study --resume' goes on with it")
    if headless or not can_draw(sys.stdout):
        from regtui.cli.headless import resume_headless

        survive_hang_ups()
        return resume_headless(folder, changes, json=json, threads=threads)
    if json:
        raise InputError("--json is for runs without the screen: add --headless")
    # What is wrong is said before there is a screen.
    waited(folder, lambda: resumable(folder, changes.epochs, changes.device))
    from regtui.cli.screen import open_screen

    return open_screen(read_settings(), None, logs, threads=threads, resume=(folder, changes), **screen)


def _found(run: str, logs: Path) -> tuple[Path, bool]:
    """The folder that is meant, and whether it is a study's."""
    folder = find_saved(run, logs)
    return folder, is_study_folder(folder)
