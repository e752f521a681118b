"""The themes: which colour has what on screen.

Every text has a contrast of at least 4.5 : 1 to whatever it may stand on, and of 7 : 1 in the theme of high contrast; a
line of a chart has at least 3 : 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.color import Color
from textual.theme import Theme

RUN_COLOURS = 8
"""The themes have colours 'run-1' to 'run-8' for several runs in one chart; letters tell more runs apart."""

_TEXT, _LINE = 4.6, 3.1
"""Contrasts that the fainter colours keep: a little above 4.5 and 3, because colours are rounded to whole numbers."""


def _fainter(colour: str, ground: str, contrast: float) -> str:
    """A colour mixed with the ground as far as this contrast (that of WCAG 2) allows; the colour itself if it has less.

    Mixed as light is, so that the luminance, on which contrast depends, is mixed in the same proportion.
    """
    front, back = (
        [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in Color.parse(name).normalized]
        for name in (colour, ground)
    )
    bright, dark = (0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in (front, back))
    wanted = contrast * (dark + 0.05) - 0.05 if bright > dark else (dark + 0.05) / contrast - 0.05
    share = min(1.0, (wanted - dark) / (bright - dark))
    mixed = (share * of_front + (1 - share) * of_back for of_front, of_back in zip(front, back, strict=True))
    red, green, blue = (round(255 * (12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055)) for c in mixed)
    return Color(red, green, blue).hex.lower()


def _series(colours: Sequence[str], ground: str, text: float = _TEXT, line: float = _LINE) -> Mapping[str, str]:
    """The colours of the arms, 'baseline', 'regularized', 'arm-2', ..., and of runs, 'run-1', ...

    Each has two fainter ones: '<name>-train' for training losses and their names, and '<name>-steps' for lines of
    single steps, in which nothing is written.

    Args:
        colours: One an arm, the baseline's first; each as far as possible from all before it, also for eyes without red
            or green receptors.
        ground: What the fainter ones are mixed with.
        text: The contrast that '-train' keeps.
        line: The contrast that '-steps' keeps.
    """
    named = dict(zip(("baseline", "regularized"), colours, strict=False))
    named |= {f"arm-{place}": colour for place, colour in enumerate(colours[2:], start=2)}
    named |= {f"run-{number}": colour for number, colour in enumerate(colours[:RUN_COLOURS], start=1)}
    faint = {f"{name}-train": _fainter(colour, ground, text) for name, colour in named.items()}
    faintest = {f"{name}-steps": _fainter(colour, ground, line) for name, colour in named.items()}
    return {**named, **faint, **faintest}


def _own(foreground: str, background: str, faint: str, border: str) -> Mapping[str, str]:
    """Colours of our own, and those of Textual's that would have too little contrast."""
    return {
        "faint": faint,
        "border-blurred": border,
        **dict.fromkeys(("text-muted", "text-disabled", "foreground-muted", "foreground-disabled"), faint),
        # What is selected is reversed, so that it can be read whatever its colour was.
        **dict.fromkeys(("screen-selection-background", "input-selection-background"), foreground),
        **dict.fromkeys(("screen-selection-foreground", "input-selection-foreground"), background),
    }


DARK = Theme(
    name="regtui-dark",
    primary="#7aa2c8",
    secondary="#9aa7b5",
    accent="#e6c07b",
    foreground="#d7dde5",
    background="#11151b",
    surface="#171c24",
    panel="#1f2731",
    success="#7fbf7f",
    warning="#e6b450",
    error="#e5736b",
    dark=True,
    variables={
        **_own("#d7dde5", "#11151b", faint="#8893a1", border="#2c3643"),
        **_series(
            (
                "#6cb6ff", "#ffb454", "#95fbe7", "#e9687e", "#12deaa", "#de7c00", "#d4f73e", "#ad74ff", "#39aab5",
                "#bdd1f9", "#dcefa3", "#f18b70", "#e880d1", "#86b7a4", "#cbb3da", "#f4c1cf", "#b5b100",
            ),
            "#11151b",
        ),
    },
)  # fmt: skip
LIGHT = Theme(
    name="regtui-light",
    primary="#2b5f92",
    secondary="#4f5b68",
    accent="#855600",
    foreground="#1d232b",
    background="#fbfbf9",
    surface="#f5f5f2",
    panel="#ecede8",
    success="#256f29",
    warning="#8a5a00",
    error="#b3261e",
    dark=False,
    variables={
        **_own("#1d232b", "#fbfbf9", faint="#636b74", border="#cfd2cc"),
        **_series(
            (
                "#0550ae", "#a04100", "#78006c", "#1e7860", "#7248f0", "#661800", "#905496", "#00009c", "#cc0c54",
                "#244836", "#48124e", "#545478", "#3c12c6", "#900030", "#6c5a3c", "#4e308a", "#a230cc",
            ),
            "#fbfbf9",
        ),
    },
)  # fmt: skip
HIGH_CONTRAST = Theme(
    name="regtui-high-contrast",
    primary="#7cc4ff",
    secondary="#d0d8e0",
    accent="#ffe14d",
    foreground="#ffffff",
    background="#000000",
    surface="#0c0c0c",
    panel="#1a1a1a",
    success="#5df27d",
    warning="#ffc400",
    error="#ff9191",
    dark=True,
    variables={
        **_own("#ffffff", "#000000", faint="#b9c2cb", border="#7d8894"),
        **_series(
            (
                "#66bbff", "#ffb13d", "#00f6ae", "#fc78ba", "#f6fc00", "#eac6f6", "#48ba6c", "#b4c09c", "#b4a800",
                "#c0e472", "#baf0d8", "#f09072", "#c0a2de", "#fcfca8", "#48b4ba", "#54ded8", "#4ed830",
            ),
            "#000000",
            text=7.1,
            line=4.6,
        ),
    },
)  # fmt: skip

THEMES: Mapping[str, Theme] = {"dark": DARK, "light": LIGHT, "high-contrast": HIGH_CONTRAST}
"""The themes by the names that a user chooses them by."""
