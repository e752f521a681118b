"""Words and lines on a terminal or in a pipe: data on stdout, words on stderr, never a character it can't show."""

from __future__ import annotations

import sys
from typing import TextIO

_ASCII = str.maketrans(
    {
        "✓": "ok",
        "·": "-",
        "−": "-",
        "×": "x",
        "–": "-",
        "…": "...",
        "◆": "+",
        "●": "o",
        "λ": "lambda",
        "Δ": "d",
        "‖": "|",
    }
    | {"’": "'", "→": "->", "²": "^2", "₁": "_1", "₂": "_2", "é": "e", "└": "`", "─": "-"}
)


def say(text: str = "", *, file: TextIO | None = None) -> None:
    """Write a line to stdout, at once; characters that its encoding lacks are replaced by ASCII that means the same."""
    out = sys.stdout if file is None else file
    try:
        text.encode(out.encoding or "utf-8")
    except UnicodeEncodeError:
        text = text.translate(_ASCII).encode(out.encoding, "replace").decode(out.encoding)
    out.write(text + "\n")
    out.flush()


def complain(text: str) -> None:
    """Write a line to stderr."""
    say(text, file=sys.stderr)
