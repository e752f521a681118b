"""The widget that says what is happening, in plain language with numbers."""

from __future__ import annotations

import textwrap

from rich.text import Text

from regtui.evidence.diagnosis import describe
from regtui.protocol.history import History
from regtui.tui.widgets.lines import Lines


class Sentence(Lines):
    """One or two sentences, wrapped to the width."""

    DEFAULT_CSS = "Sentence { padding: 0 1; }"

    def __init__(self, epochs: int, warning: str = "") -> None:
        super().__init__()
        self._warning = f" Note: {warning}." if warning else ""
        self._history, self._epochs = History(), epochs
        self._cursor: int | None = None
        self._over = False

    def update_from(self, history: History, cursor: int | None = None, *, over: bool = False) -> None:
        """Describe the run now, or at the cursor; `over` says that no more events will follow."""
        self._history, self._cursor, self._over = history, cursor, over
        self.redraw()

    def rows(self, width: int, height: int) -> list[Text]:
        """As many as fit."""
        words = f"Loading PyTorch and the data…{self._warning}"
        if self._history.stalled is not None:
            words = f"T{self._history.stalled.words()[1:]}. Stopping the run keeps what was measured."
        elif self._history.started is not None:
            told = describe(self._history, self._epochs, over=self._over)
            at = "" if self._cursor is None else f"Epoch {self._cursor} · "
            words = at + told
        elif self._history.finished is not None:
            words = "The log has no usable events, so there is nothing to tell."
        lines = textwrap.wrap(words, width, max_lines=max(1, height), placeholder=" …")
        return [Text(line, end="", no_wrap=True) for line in lines]
