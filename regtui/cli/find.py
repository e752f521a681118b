"""The run or the study that a name on the command line means."""

from __future__ import annotations

from pathlib import Path

from regtui.errors import InputError
from regtui.files import by_its_name
from regtui.runs.find import find_run, find_runs, find_study_folders, is_run, is_study_folder
from regtui.text import quoted


def find_saved(text: str, logs: Path) -> Path:
    """The folder of the run or the study that `text` means: a path, or a unique beginning of a name below `logs`.

    Raises:
        InputError: There is none, or there are several; the message names the nearest.
    """
    if text and is_run(Path(text)):
        return by_its_name(Path(text))
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
