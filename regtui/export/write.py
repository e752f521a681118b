"""Writes saved runs and studies in other formats, each to its place, over nothing that exists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from regtui.errors import InputError
from regtui.export import csv, figure, html, study_csv, study_figure, study_html, tensorboard
from regtui.export.saved_run import SavedRun, read_saved_run
from regtui.export.saved_study import SavedStudy, read_saved_study
from regtui.runs.find import is_study_folder
from regtui.text import one_line

_OF_RUN: Mapping[str, Callable[[SavedRun, Path], None]] = {
    "csv": csv.write, "tensorboard": tensorboard.write, "html": html.write, "svg": figure.write, "png": figure.write,
}  # fmt: skip
_OF_STUDY: Mapping[str, Callable[[SavedStudy, Path], None]] = {
    "csv": study_csv.write, "html": study_html.write, "svg": study_figure.write, "png": study_figure.write,
}  # fmt: skip
_FOLDERS = ("csv", "tensorboard")
"""What is written as a folder; the others are a file."""
FORMATS = tuple(_OF_RUN)
Saved = SavedRun | SavedStudy


def write_saved(folders: Sequence[Path], to: str, out: Path | None = None) -> list[Path]:
    """Write runs and studies in another format; all of them or, if one fails, none.

    Args:
        folders: Those of the runs and studies; the same folder twice counts once.
        to: One of `FORMATS`.
        out: The folder to write into, or for one run or study the file; None takes ./export/csv and
            ./export/tensorboard, with a folder each, and for the others the file ./NAME.html, ./NAME.svg or ./NAME.png.

    Returns:
        What was written.

    Raises:
        InputError: The format is not known, one of them can't be read, or the output exists or can't be written.
    """
    if to not in FORMATS:
        raise InputError(f"--to {one_line(to)}: this format is not known; known are {', '.join(FORMATS)}")
    if not folders:
        raise InputError("name the runs to export, by their folders")
    read = [_read(folder, to) for folder in dict.fromkeys(folder.resolve() for folder in folders)]
    try:
        return _export(read, to, out)
    except (OSError, ValueError) as error:  # ValueError: a null character
        why = error.strerror if isinstance(error, OSError) else error
        place = "the current folder" if out is None else one_line(out)
        raise InputError(f"{place}: the export can't be written ({why}); name another place with --out") from None


def _read(folder: Path, to: str) -> Saved:
    if not is_study_folder(folder):
        return read_saved_run(folder)
    if to not in _OF_STUDY:
        raise InputError(f"--to {to}: a study is written as {', '.join(_OF_STUDY)}; its runs are in its folder 'runs'")
    return read_saved_study(folder)


def _export(read: Sequence[Saved], to: str, out: Path | None) -> list[Path]:
    targets = [_target(run, to, out, alone=len(read) == 1) for run in read]
    for run, target in zip(read, targets, strict=True):
        if targets.count(target) > 1:
            raise InputError(
                f"several runs are named {one_line(run.name)}; export them one at a time, each with its own --out"
            )
        if target.exists() or target.is_symlink():
            raise InputError(f"{one_line(target)}: this exists and is not overwritten; remove it or name another --out")
    _write_all(read, targets, to)
    return targets


def _target(run: Saved, to: str, out: Path | None, *, alone: bool) -> Path:
    """The folder or file that one run is written into."""
    if to in _FOLDERS:
        return (Path("export", to) if out is None else out) / run.name
    if out is None:
        return Path(f"{run.name}.{to}")
    if out.suffix == f".{to}" and not out.is_dir():
        if not alone:
            raise InputError(f"{one_line(out)}: this names one file for several runs; name a folder with --out")
        return out
    return out / f"{run.name}.{to}"


def _write_all(read: Sequence[Saved], targets: Sequence[Path], to: str) -> None:
    """Write into a temporary folder beside the targets, and move what is whole to its place."""
    above = next(folder for folder in targets[0].absolute().parents if folder.is_dir())
    with TemporaryDirectory(prefix=".regtui-export-", dir=above) as temporary:
        drafts = [Path(temporary) / target.name for target in targets]
        for one, draft in zip(read, drafts, strict=True):
            if isinstance(one, SavedRun):
                _OF_RUN[to](one, draft)
            else:
                _OF_STUDY[to](one, draft)
        for draft, target in zip(drafts, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.rename(target)
