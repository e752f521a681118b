"""Copies texts to the clipboard through the terminal, which may be far away from this machine."""

from __future__ import annotations

from textual.dom import DOMNode

from regtui.tui.escapes import obeys
from regtui.tui.widgets.key_bar import tell

MOST = 74_994
"""Bytes that are copied at most; many terminals take no more than 100,000 characters of base64."""


def copy(node: DOMNode, text: str, what: str) -> None:
    """Copy a text, and say what was copied.

    Whether the terminal took it can't be known: it does not answer, and some have to be allowed to first.
    """
    size = len(text.encode())
    if not obeys():
        tell(node, "This terminal has no clipboard to copy to.", error=True)
    elif size > MOST:
        tell(node, f"Not copied: {what} is {size:,} bytes, and a terminal takes at most {MOST:,}.", error=True)
    else:
        node.app.copy_to_clipboard(text)
        tell(node, f"Copied {what}, if the terminal allows it (OSC 52).")
