"""`regtui attach`: which run is meant, and whether it goes on."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from shlex import quote

from regtui.cli.find import find_saved
from regtui.errors import InputError
from regtui.runs.find import check_folder, is_study_folder
from regtui.runs.going_on import going_on
from regtui.runs.read import read_run
from regtui.text import one_line, quoted

AT_MOST = 5
"""So many runs are named in a sentence."""


def find_attachable(run: str | None, logs: Path) -> Path:
    """The folder of the run that goes on and is meant: a path, a unique beginning of a name, or the only one.

    Raises:
        InputError: There is no such run, it does not go on, or several do and none is named; the message says what to
            do instead.
    """
    if run is None:
        return _only_one(logs)
    folder = find_saved(run, logs)
    name = one_line(folder.name or folder.absolute().name)
    if is_study_folder(folder):
        named = quote(one_line(folder))
        raise InputError(f"{name} is a study: 'regtui review {named}' shows it, and follows it while it goes on")
    found = read_run(folder)
    if found.may_go_on:
        return folder
    named = quote(one_line(folder))
    if found.status == "interrupted":
        raise InputError(f"{name} was interrupted: 'regtui --resume {named}' trains it on")
    raise InputError(f"{name} does not go on, it is {found.status}: 'regtui review {named}' shows it")


def _only_one(logs: Path) -> Path:
    """The run in `logs` that goes on."""
    check_folder(logs)
    found = list(islice(going_on(logs), AT_MOST + 1))
    if not found:
        raise InputError(f"no run goes on in {quoted(logs)}: 'regtui runs' lists the saved ones")
    if len(found) > 1:
        names = ", ".join(quoted(folder.name) for folder in found[:AT_MOST])
        raise InputError(f"several runs go on, name one: {names}{', …' * (len(found) > AT_MOST)}")
    return found[0]
