"""Writes saved runs in other formats, each to its place, over nothing that exists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from regtui.errors import InputError
from regtui.export import csv, figure, html, tensorboard
from regtui.export.saved_run import SavedRun, read_saved_run
from regtui.text import one_line

_FOLDERS: Mapping[str, Callable[[SavedRun, Path], None]] = {"csv": csv.write, "tensorboard": tensorboard.write}
_FILES: Mapping[str, Callable[[SavedRun, Path], None]] = {"html": html.write, "svg": figure.write, "png": figure.write}
FORMATS = (*_FOLDERS, *_FILES)


def write_runs(runs: Sequence[Path], to: str, out: Path | None = None) -> list[Path]:
    """Write runs in another format; all of them or, if one fails, none.

    Args:
        runs: Their folders; the same folder twice counts once.
        to: One of `FORMATS`.
        out: The folder to write into, or for one run the file; None takes ./export/csv and ./export/tensorboard, with a
            folder a run, and for the others the file ./RUN.html, ./RUN.svg or ./RUN.png.

    Returns:
        What was written.

    Raises:
        InputError: The format is not known, a run can't be read, or the output exists or can't be written.
    """
    if to not in FORMATS:
        raise InputError(f"--to {one_line(to)}: this format is not known; known are {', '.join(FORMATS)}")
    if not runs:
        raise InputError("name the runs to export, by their folders")
    read = [read_saved_run(folder) for folder in dict.fromkeys(folder.resolve() for folder in runs)]
    try:
        return _export(read, to, out)
    except (OSError, ValueError) as error:  # ValueError: a null character
        why = error.strerror if isinstance(error, OSError) else error
        place = "the current folder" if out is None else one_line(out)
        raise InputError(f"{place}: the export can't be written ({why}); name another place with --out") from None


def _export(read: Sequence[SavedRun], to: str, out: Path | None) -> list[Path]:
    targets = [_target(run, to, out, alone=len(read) == 1) for run in read]
    for run, target in zip(read, targets, strict=True):
        if targets.count(target) > 1:
            raise InputError(
                f"several runs are named {one_line(run.name)}; export them one at a time, each with its own --out"
            )
        if target.exists() or target.is_symlink():
            raise InputError(f"{one_line(target)}: this exists and is not overwritten; remove it or name another --out")
    write = {**_FOLDERS, **_FILES}[to]
    _write_all(read, targets, write)
    return targets


def _target(run: SavedRun, to: str, out: Path | None, *, alone: bool) -> Path:
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


def _write_all(runs: Sequence[SavedRun], targets: Sequence[Path], write: Callable[[SavedRun, Path], None]) -> None:
    """Write into a temporary folder beside the targets, and move what is whole to its place."""
    above = next(folder for folder in targets[0].absolute().parents if folder.is_dir())
    with TemporaryDirectory(prefix=".regtui-export-", dir=above) as temporary:
        drafts = [Path(temporary) / target.name for target in targets]
        for run, draft in zip(runs, drafts, strict=True):
            write(run, draft)
        for draft, target in zip(drafts, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.rename(target)
