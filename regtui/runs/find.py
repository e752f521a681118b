"""Finds the folders of saved runs and studies, and the run that a name means."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path
from typing import Literal

from regtui.errors import InputError
from regtui.files import by_its_name
from regtui.text import one_line, quoted

FILES = ("preset.toml", "run.json", "summary.json", "events.jsonl")
"""A folder with two of these files is a run, whatever its name."""
STUDY = "study.toml"
"""A folder with this file is a study, whatever its name."""
MAX_DEPTH = 4
"""The most levels below the given folder at which a run is found."""

_RUN_NAME = re.compile(r"(\d{8}-\d{6})-.+-[0-9a-f]{4}")


def find_runs(
    folder: Path, tell: Callable[[str], object] = lambda _words: None, *, in_studies: bool = False
) -> Iterator[Path]:
    """The folders of runs in and below `folder`, each once, even if links lead there too or in a circle.

    Runs of a study are passed over, since the study stands for them, unless `folder` is that study or inside it.

    Args:
        folder: Where to look; it may be a run's own folder.
        tell: Receives a sentence for each folder that can't be read.
        in_studies: Whether to look for runs in studies as well.
    """
    return (path for path, is_study in _walk(folder, tell, in_studies=in_studies) if not is_study)


def find_study_folders(folder: Path) -> Iterator[Path]:
    """The folders of studies in and below `folder`, each once; those that can't be read are passed over."""
    return (path for path, is_study in _walk(folder, lambda _words: None, in_studies=False) if is_study)


def _walk(folder: Path, tell: Callable[[str], object], *, in_studies: bool) -> Iterator[tuple[Path, bool]]:
    """The folders of runs and studies in and below `folder`, and whether each is a study."""
    level, seen = [str(folder)], set()
    for depth in range(MAX_DEPTH + 1):
        below: list[str] = []
        for path in level:
            try:
                status = os.stat(path)  # noqa: PTH116, a Path for each of ten thousand folders takes a while
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                if _is_named_as_run(path):  # it need not be looked into
                    yield Path(path), False
                    continue
                with os.scandir(path) as scan:
                    entries = list(scan)
            except (OSError, ValueError) as error:
                tell(f"{one_line(path)}: passed over, it can't be read ({_why(error)})")
                continue
            names = {entry.name for entry in entries}
            if STUDY in names:
                yield Path(path), True
            elif _has_files(names):
                yield Path(path), False
                continue
            if STUDY not in names or in_studies or depth == 0:
                below += sorted(e.path for e in entries if not e.name.startswith(".") and _is_folder(e))
        level = below


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run, by its name or its files; folders below it are not searched."""
    try:
        return os.path.isdir(folder) and (  # noqa: PTH112, it never raises
            _is_named_as_run(str(folder)) or _has_files(set(os.listdir(folder)))  # noqa: PTH208
        )
    except OSError:
        return False


def is_study_folder(folder: Path) -> bool:
    """Whether a folder is that of a study."""
    return os.path.isfile(folder / STUDY)  # noqa: PTH113, it never raises


def _is_named_as_run(path: str) -> bool:
    """Whether a folder has a run's name, and is no study, whose folder has runs in it and is named much alike."""
    return bool(_RUN_NAME.fullmatch(os.path.basename(path))) and not (  # noqa: PTH119, a Path takes a while
        "-study-" in path and os.path.exists(f"{path}/{STUDY}")  # noqa: PTH110
    )


def _has_files(names: Set[str]) -> bool:
    return len(names & set(FILES)) >= 2


def _why(error: OSError | ValueError) -> str:
    return error.strerror or "it can't be used" if isinstance(error, OSError) else "there can be no such name"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def check_folder(folder: Path) -> None:
    """Check that a folder can be searched for runs.

    Raises:
        InputError: It can't be.
    """
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        raise InputError(f"{quoted(folder)}: there is no such folder; name the one that holds the runs") from None
    except NotADirectoryError:
        raise InputError(f"{quoted(folder)}: this is a file; name the folder that holds the runs") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{quoted(folder)}: this can't be looked into ({_why(error)}); name a folder that holds runs"
        ) from None


def find_run(text: str, logs: Path) -> Path:
    """The folder of the run that `text` means: a path, or a unique beginning of a name below `logs`.

    Raises:
        InputError: There is no such run, or several; the message names the nearest.
    """
    folder = Path(text)
    if text and is_run(folder):
        return by_its_name(folder)
    closed = _closed(folder)
    if folder.name != text or closed:  # names of runs have no slash
        what = " is no run's folder" if not closed and os.path.lexists(folder) else ": there is no such folder"
        raise InputError(
            f"{quoted(text)}{closed or what}; name a folder that holds a run, or the beginning of a run's name"
        )
    words: list[str] = []
    runs = sorted(find_runs(logs, words.append, in_studies=True), key=lambda run: run.name)
    if not runs:
        why = f" ({words[0]})" if words and os.path.lexists(logs) else ""
        raise InputError(
            f"{quoted(text)} is no run's folder, and there are no runs in {quoted(logs)}{why}; name it with --log-dir"
        )
    return by_its_name(the_one_named(text, runs, "run", logs))


def the_one_named(text: str, folders: Sequence[Path], what: Literal["run", "study"], logs: Path) -> Path:
    """The folder whose name `text` is, or alone begins.

    Args:
        text: What was typed.
        folders: One or more, in the order of their names.
        what: What they are.
        logs: The folder in which all of them are.

    Raises:
        InputError: No name begins so, or several do; the message names the nearest.
    """
    matching = [folder for folder in folders if text and folder.name.startswith(text)]
    exact = [folder for folder in matching if folder.name == text]
    if len(exact or matching) == 1:
        return (exact or matching)[0]
    if matching:
        several = {"run": "runs", "study": "studies"}[what]
        names = ", ".join(quoted(folder.name) for folder in matching[:5])
        raise InputError(
            f"{quoted(text)} begins the names of {len(matching)} {several}: {names}{', …' * (len(matching) > 5)}"
        )
    known = [folder.name for folder in folders]
    near = difflib.get_close_matches(text[:100], known, n=1, cutoff=0.3) or known[-1:]
    raise InputError(f"no {what} in {quoted(logs)} begins with {quoted(text)}; did you mean {quoted(near[0])}?")


def _closed(folder: Path) -> str:
    """Why a folder can't be read, if it exists or may exist; else empty."""
    try:
        if os.path.isdir(folder):  # noqa: PTH112
            os.scandir(folder).close()
        os.lstat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        return f": this can't be looked into ({_why(error)})"
    return ""
