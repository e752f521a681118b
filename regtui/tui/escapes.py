"""Sequences that a terminal obeys without drawing: its title, a notification, its clipboard, made of cleaned texts."""

from __future__ import annotations

import os
from base64 import b64encode

from regtui.text import one_line

LONGEST = 200
"""Characters of a title or a notification that are passed on."""
KEEP_TITLE, BRING_TITLE_BACK = "\x1b[22;0t", "\x1b]2;\x07\x1b[23;0t"
"""Put the title aside, and bring it back; a terminal that can't do that has none afterwards."""


def obeys() -> bool:
    """Whether the terminal passes over such sequences that it does not know; the oldest would print them."""
    kind = os.environ.get("TERM", "")
    return kind not in ("", "dumb", "unknown", "linux") and not kind.startswith(("vt", "cons", "sun", "ansi"))


def entitled(title: str) -> str:
    """Sets the title of the terminal's window or tab."""
    return f"\x1b]2;{_harmless(title)}\x07"


def notification(text: str) -> str:
    """Rings, and tells the desktop, through tmux or screen if they let it pass.

    Of the two ways to tell the desktop, only one is used, since some terminals know both and would tell it twice.
    """
    words = _harmless(text)
    kind = os.environ.get("TERM", "")
    if kind.startswith("rxvt") or os.environ.get("VTE_VERSION"):
        told = f"\x1b]777;notify;regtui;{words}\x07"
    else:
        told = f"\x1b]9;{words}\x07"
    return f"\x07{passed_on(told) or told}"


def copied(text: str) -> str:
    """Puts a text into the terminal's clipboard (OSC 52).

    tmux takes it only if `set-clipboard` is on, and lets it pass only if `allow-passthrough` is: it gets both.
    """
    told = f"\x1b]52;c;{b64encode(text.encode()).decode()}\x07"
    return told + passed_on(told)


def passed_on(sequence: str) -> str:
    """The sequence wrapped so that tmux or screen pass it on, if they are allowed to; empty without one of them."""
    if os.environ.get("TMUX"):
        return f"\x1bPtmux;{sequence.replace(chr(27), 2 * chr(27))}\x1b\\"
    return f"\x1bP{sequence}\x1b\\" if os.environ.get("STY") else ""


def _harmless(text: str) -> str:
    """The text in one line, without what a terminal obeys, and without what separates the parts of such sequences."""
    return one_line(text, LONGEST).replace(";", ",")
