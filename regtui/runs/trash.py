"""The trash: a folder inside the log folder into which runs are moved, and from which they come back.

A run keeps its place below the folder: `logs/a/RUN` becomes `logs/.trash/a/RUN`, so that nothing need be written down
to bring it back. Moving is one rename within a file system. Links are never followed, and nothing is ever overwritten:
the folders on the way are opened one by one, and the rename is done between open folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from regtui.errors import InputError
from regtui.runs.read import read_run
from regtui.text import quoted

TRASH = ".trash"
"""The folder's name; lists of runs pass over it, as over all names with a dot in front."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def is_in_trash(run: Path) -> bool:
    """Whether a run lies in a trash folder."""
    return TRASH in run.absolute().parts[:-1]


def discard(run: Path, logs: Path, *, has_ended: bool = False) -> Path:
    """Move a run into the trash of `logs`, or, if it lies elsewhere, of the folder it is in; returns where it is now.

    With `has_ended` whoever calls knows that nothing is trained there, as of a study that nobody runs.

    Raises:
        InputError: It may still be trained, is in the trash already or reached by a link only, or can't be moved.
    """
    run, logs = run.absolute(), logs.absolute()
    if is_in_trash(run):
        raise InputError(f"{quoted(run.name)} is in the trash already; u brings it back")
    top = logs if logs in run.parents else run.parent
    below = run.relative_to(top).parts
    if not has_ended:
        _check_ended(run)
    _move(top, below, (TRASH, *below))
    return top.joinpath(TRASH, *below)


def restore(run: Path) -> Path:
    """Move a run from the trash to where it was; returns its folder.

    Raises:
        InputError: It is not in the trash, its place is taken, or it can't be moved.
    """
    run = run.absolute()
    if not is_in_trash(run):
        raise InputError(f"{quoted(run.name)} is not in the trash")
    at = run.parts.index(TRASH)
    top, below = Path(*run.parts[:at]), run.parts[at + 1 :]
    _move(top, (TRASH, *below), below)
    return top.joinpath(*below)


def _check_ended(run: Path) -> None:
    """Check that a run is not trained any more; its summary is what is written last."""
    if os.path.lexists(run / "summary.json") or not os.path.lexists(run):
        return
    found = read_run(run)
    if found.may_go_on or (found.status == "damaged" and not os.path.lexists(run / "run.json")):
        why = {"running": "it is being trained", "silent": f"it may still be trained elsewhere ({found.silence})"}
        words = why.get(found.status, "nothing in it says that its training has ended")
        raise InputError(f"{quoted(run.name)} stays: {words}")


def _move(top: Path, source: Sequence[str], target: Sequence[str]) -> None:
    """Rename a folder below `top`; the folders above the target are made."""
    name = quoted(source[-1])
    try:
        with ExitStack() as stack:
            from_folder = stack.enter_context(_opened(top, source[:-1]))
            os.close(os.open(source[-1], _FOLDER, dir_fd=from_folder))  # before a folder is made for nothing
            to_folder = stack.enter_context(_opened(top, target[:-1], make=True))
            try:
                os.stat(target[-1], dir_fd=to_folder, follow_symlinks=False)
            except FileNotFoundError:
                os.rename(source[-1], target[-1], src_dir_fd=from_folder, dst_dir_fd=to_folder)
            else:
                raise InputError(f"{name} stays: there is a {quoted(top.joinpath(*target))} already")
    except FileNotFoundError:
        raise InputError(f"{name} is no longer there") from None
    except NotADirectoryError:
        raise InputError(
            f"{name} stays: a link or a file stands in the way to it, and links are not followed"
        ) from None
    except OSError as error:
        raise InputError(f"{name} stays: it can't be moved ({error.strerror})") from None


@contextmanager
def _opened(top: Path, below: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """A descriptor of the folder `below`, reached from `top` without following a link."""
    with ExitStack() as stack:
        folder = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, folder)
        for name in below:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=folder)
            folder = os.open(name, _FOLDER, dir_fd=folder)
            stack.callback(os.close, folder)
        yield folder
