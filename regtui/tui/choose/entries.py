"""The presets to choose from, with their edits; a broken one is listed with its faults."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regtui.preset.faults import Fault, PresetError
from regtui.preset.file import load
from regtui.preset.model import Preset
from regtui.preset.places import available
from regtui.text import one_line
from regtui.tui.choose.draft import Draft


@dataclass
class Entry:
    """One preset of the list.

    Attributes:
        name: What it is called, here and on the command line.
        path: Its file; None if it was made on the command line.
        draft: The preset with its edits; None if the file is broken.
        faults: What is wrong with the file.
        words: A message, for an entry that is not a preset.
    """

    name: str
    path: Path | None
    draft: Draft | None
    faults: Sequence[Fault] = ()
    words: str = ""

    @property
    def searched(self) -> str:
        """The text in which a filter looks for words, in lower case: name, title and techniques."""
        if self.draft is None:
            return self.name.casefold()
        original = self.draft.original
        techniques = (own.label() for own in original.arms().values() if own.active())
        return "\n".join((self.name, original.title, *techniques)).casefold()


NOTHING_MATCHES = Entry("no match", None, None, words="No preset matches; escape shows all again.")


class Reading(threading.Thread):
    """Reads the presets in a thread, because there may be many of them, or a slow disk."""

    def __init__(self, chosen: Preset | None) -> None:
        super().__init__(name="presets", daemon=True)  # the program can end while it runs
        self._chosen = chosen
        self._found: list[Entry] = []

    def run(self) -> None:
        """Read them."""
        self._found = entries(self._chosen)

    @property
    def found(self) -> list[Entry]:
        """The entries that were read; while reading goes on, one entry that says so."""
        return self._found or [Entry("reading …", None, None, words="The presets are being read.")]


def entries(chosen: Preset | None = None) -> list[Entry]:
    """All presets, those in ./presets first.

    Args:
        chosen: A preset changed on the command line. Its differences from the file of its name are shown as edits;
            without such a file it comes first.
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
    """The entries after `saved` was written as `name`: its edits move there, other edits are kept."""
    stay = {entry.name: entry for entry in old if entry is not saved and entry.draft and entry.draft.edited}
    stay.pop(name, None)
    without_file = [entry for entry in old if entry.path is None and entry.name != name]
    return without_file + [stay.get(entry.name, entry) for entry in entries()]


def _read(name: str, path: Path) -> Entry:
    try:
        return Entry(one_line(name), path, Draft(load(str(path))))
    except PresetError as error:
        return Entry(one_line(name), path, None, error.faults)
