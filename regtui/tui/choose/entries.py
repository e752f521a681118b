"""The presets to choose from, each with the edits made to it; one that is broken keeps its fault and stops no other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regtui.preset.faults import Fault, PresetError
from regtui.preset.file import available, load
from regtui.preset.model import Preset
from regtui.text import one_line
from regtui.tui.choose.draft import Draft


@dataclass
class Entry:
    """One preset of the list.

    Attributes:
        name: What it is called, here and on the command line.
        path: Its file; None where only the command line knows that.
        draft: The preset with its edits; None if the file is broken.
        faults: What is wrong with the file.
        words: Of an entry that is no preset, what there is to say instead.
    """

    name: str
    path: Path | None
    draft: Draft | None
    faults: Sequence[Fault] = ()
    words: str = ""


class Reading(threading.Thread):
    """Reads the presets; nearly always that is done at once, but there may be any number of them, and any disk."""

    def __init__(self, chosen: Preset | None) -> None:
        super().__init__(name="presets", daemon=True)  # whoever leaves meanwhile does not wait for it
        self._chosen = chosen
        self._found: list[Entry] = []

    def run(self) -> None:
        """Read them."""
        self._found = entries(self._chosen)

    @property
    def found(self) -> list[Entry]:
        """What was read; an entry that says so while it is not."""
        return self._found or [Entry("reading …", None, None, words="The presets are being read.")]


def entries(chosen: Preset | None = None) -> list[Entry]:
    """Every preset that is there, ./presets first.

    Args:
        chosen: A preset as the command line changed it. Its differences from the file of its name are edits; where
            there is no such file it comes first.
    """
    found = [_read(name, path) for name, path in available().items()]
    if chosen is not None:
        same = next((entry for entry in found if entry.name == chosen.name and entry.draft is not None), None)
        if same is not None and same.draft is not None:
            same.draft = Draft(same.draft.original, chosen)
        else:
            found.insert(0, Entry(chosen.name, None, Draft(chosen)))
    nothing = "There is no preset, neither in ./presets nor in regtui's own folder."
    return found or [Entry("none", None, None, words=nothing)]


def reread(old: Sequence[Entry], saved: Entry, name: str) -> list[Entry]:
    """The list after `saved` was written as `name`: its edits have moved there, those of all others stay."""
    stay = {entry.name: entry for entry in old if entry is not saved and entry.draft and entry.draft.edited}
    stay.pop(name, None)
    without_file = [entry for entry in old if entry.path is None and entry.name != name]
    return without_file + [stay.get(entry.name, entry) for entry in entries()]


def _read(name: str, path: Path) -> Entry:
    try:
        return Entry(one_line(name), path, Draft(load(str(path))))
    except PresetError as error:
        return Entry(one_line(name), path, None, error.faults)
