"""Training a saved run on: whether that is possible, and of one that has finished, until which epoch."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from textual.message import Message

from regtui.errors import InputError
from regtui.preset.file import load
from regtui.runs.resumable import resumable
from regtui.text import counted, one_line
from regtui.tui.run.keys import TRAIN_ON
from regtui.tui.widgets.dialogs import AskText


class TrainOn(Message):
    """The user wants a saved run to be trained on."""

    def __init__(self, folder: Path, status: str) -> None:
        """Of the run in `folder`, which has ended like this."""
        super().__init__()
        self.folder, self.status = folder, status


def offer(folder: Path | None, status: str) -> str:
    """What the key says, for a run that has ended like this; empty where it can't be trained on."""
    if folder is None or status in ("", "running", "silent", "damaged"):
        return ""
    with suppress(InputError):
        resumable(folder)
        return "go on"
    with suppress(InputError):
        resumable(folder, planned(folder) + 1)
        return "more epochs"
    return ""


def further(folder: Path) -> str:
    """What the key does to a run that was cut off, as a sentence; where it can't be resumed, why."""
    try:
        return f"With {TRAIN_ON.shown} it {resumable(folder).words}."
    except InputError as error:
        return "" if (folder / "summary.json").exists() else f"{str(error).rstrip('.')}."


def planned(folder: Path) -> int:
    """The number of epochs for which a run was planned.

    Raises:
        InputError: Its preset can't be read.
    """
    return load(str(folder / "preset.toml")).train.epochs


class AskForEpochs(AskText):
    """Asks until which epoch a finished run is trained on."""

    def __init__(self, folder: Path) -> None:
        """Of the run in `folder`.

        Raises:
            InputError: It can't be trained on.
        """
        epochs = planned(folder)
        resumable(folder, epochs + 1)
        text = (
            f"{one_line(folder.name)} has trained all of its {counted(epochs, 'epoch')}. With more it goes on from the "
            "last, which counts as an intervention; its outcome so far is kept beside. Train until epoch:"
        )
        super().__init__("More epochs", text, str(2 * epochs), lambda typed: _fault(folder, typed))


def _fault(folder: Path, typed: str) -> str:
    """What is wrong with a number of epochs that was typed, as a sentence."""
    if not (typed.isascii() and typed.isdigit() and len(typed) < 9):
        return "A whole number of epochs, such as 20."
    try:
        resumable(folder, int(typed))
    except InputError as error:
        return str(error)
    return ""
