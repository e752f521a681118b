"""Opens the screen as options and settings want it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from regtui.errors import InputError
from regtui.preset.faults import MAX_VALUE
from regtui.preset.model import Preset
from regtui.preset.validation import nearest
from regtui.settings import Known, ThemeName
from regtui.text import quoted
from regtui.tui.background import Question

if TYPE_CHECKING:
    from regtui.engine.resume import Changes
    from regtui.study.folder import StudyFolder
    from regtui.tui.study.runner import StudyRunner


def open_screen(
    known: Known,
    preset: Preset | None,
    logs: Path | None,
    *,
    theme: str | None = None,
    ascii_only: bool = False,
    bell: bool = True,
    start: bool = False,
    quit_when_done: bool = False,
    threads: int | None = None,
    debug: bool = False,
    review: Sequence[Path] | None = None,
    study: StudyFolder | None = None,
    runner: StudyRunner | None = None,
    resume: tuple[Path, Changes] | None = None,
) -> int:
    """Open the screen; returns the exit code. What an option leaves open, the settings decide.

    Raises:
        InputError: There is no such theme, or no terminal to type into.
        RegtuiError: The screen itself failed.
    """
    themes = get_args(ThemeName)
    if theme is not None and theme not in themes:
        near = nearest(theme, themes) or "."
        raise InputError(f"there is no theme {quoted(theme, MAX_VALUE)}{near} Known are {', '.join(themes)}")
    chosen = theme or known.settings.theme
    question = Question() if chosen == "auto" else None
    try:
        from regtui.tui.start import show  # textual, 0.35 s, while the terminal answers

        return show(
            preset,
            logs or known.settings.logs,
            theme=question or chosen,
            known=known,
            start=start,
            quit_when_done=quit_when_done,
            ascii_only=ascii_only or known.settings.ascii,
            bell=bell and known.settings.bell,
            threads=threads,
            debug=debug or "--debug" in sys.argv,  # before the name of a command it is none of that's options
            review=review,
            study=study,
            runner=runner,
            resume=resume,
        )
    finally:
        if question is not None:
            question.close()
