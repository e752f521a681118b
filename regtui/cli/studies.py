"""`regtui show STUDY`: what a saved study came to, as a table with its verdict, as JSON, or as Markdown to paste."""

from __future__ import annotations

import json as json_text
from contextlib import suppress
from pathlib import Path

from regtui.console import room, say
from regtui.errors import InputError
from regtui.runs.find import find_run, find_runs, find_study_folders, is_run, is_study_folder
from regtui.text import one_line, quoted

WIDEST = 120
"""Tables of a study are as wide as the terminal, but no wider."""


def find_saved(text: str, logs: Path) -> Path:
    """The folder of the run or the study that `text` means: a path, or a unique beginning of a name below `logs`.

    Raises:
        InputError: There is none, or there are several; the message names the nearest.
    """
    if text and is_run(Path(text)):
        return Path(text)
    begun = any(text and path.name.startswith(text) for path in find_study_folders(logs))
    if not begun and not (text and is_study_folder(Path(text))):
        return find_run(text, logs)
    from regtui.study.folder import find_study  # pydantic, 0.1 s, of which a run has no need

    study = find_study(text, logs)
    if not begun:
        return study
    run = next((run for run in find_runs(logs, in_studies=True) if run.name.startswith(text)), None)
    if run is not None and study.name != text:
        raise InputError(
            f"{quoted(text)} begins the names of a study, {quoted(study.name)}, and of a run, {quoted(run.name)}"
        )
    return study


def print_study(folder: Path, *, json: bool = False, markdown: bool = False) -> int:
    """Print what a study came to; returns the exit code.

    Args:
        folder: The study's folder.
        json: Whether to print what study.json has, judged anew.
        markdown: Whether to print a block of Markdown.

    Raises:
        InputError: There is no such study, its plan was changed, or two of its runs are of one job.
    """
    from regtui.study.folder import StudyFolder
    from regtui.study.glance import verdict_lines
    from regtui.study.markdown import markdown as as_markdown
    from regtui.study.outcome import outcome_of
    from regtui.study.record import state_of, to_json

    study = StudyFolder.open(folder)
    outcome = outcome_of(study, state_of(study))
    with suppress(BrokenPipeError):  # whoever read has seen enough
        if json:
            say(json_text.dumps(to_json(outcome, study.name), indent=1, ensure_ascii=False, allow_nan=False))
        elif markdown:
            say(as_markdown(outcome, study.name))
        else:
            done, planned = outcome.runs
            say(f"study  {one_line(outcome.plan.preset['name'])}, {outcome.state}: {done} of {planned} runs")
            say()
            for line in verdict_lines(outcome, min(WIDEST, room())):
                say(line)
            say()
            say(f"log    {one_line(study.path)}")
    return 0
