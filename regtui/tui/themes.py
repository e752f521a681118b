"""The themes: which colour has what on screen."""

from __future__ import annotations

from collections.abc import Sequence

from textual.color import Color
from textual.theme import Theme

RUN_COLOURS = 8
"""The themes have colours 'run-1' to 'run-8' for several runs in one chart; letters tell more runs apart."""

_MORE_DARK = (
    "#95fbe7", "#e9687e", "#12deaa", "#de7c00", "#d4f73e", "#ad74ff", "#39aab5", "#bdd1f9",
    "#dcefa3", "#f18b70", "#e880d1", "#86b7a4", "#cbb3da", "#f4c1cf", "#b5b100",
)  # fmt: skip
_MORE_LIGHT = (
    "#580a4b", "#356e6c", "#260095", "#413007", "#575ce3", "#7b2883", "#96173a", "#ca2352",
    "#7e5db1", "#560499", "#172f65", "#be2b86", "#413d61", "#364927", "#7d5b40",
)  # fmt: skip
"""Colours of the second arm beside the baseline and of those after it: each as far as possible from all before it, also
for eyes without red or green receptors, and with a contrast of 4.5 : 1 to the background."""


def _of_more_arms(colours: Sequence[str], background: str, train: float, steps: float) -> dict[str, str]:
    """The colours 'arm-2', 'arm-3', ... with their fainter ones, of which the given share is the colour itself."""
    ground = Color.parse(background)
    shades = {"": 1.0, "-train": train, "-steps": steps}
    return {
        f"arm-{place}{name}": ground.blend(Color.parse(colour), share).hex.lower()
        for place, colour in enumerate(colours, start=2)
        for name, share in shades.items()
    }


DARK = Theme(
    name="regtui-dark",
    primary="#7aa2c8",
    secondary="#9aa7b5",
    accent="#e6c07b",
    foreground="#d7dde5",
    background="#11151b",
    surface="#171c24",
    panel="#222a35",
    success="#7fbf7f",
    warning="#e6b450",
    error="#e5736b",
    dark=True,
    variables={
        "baseline": "#6cb6ff",
        "baseline-train": "#4178ad",
        "baseline-steps": "#35506b",
        "regularized": "#ffb454",
        "regularized-train": "#b37a32",
        "regularized-steps": "#6b5030",
        "faint": "#5d6978",
        "run-1": "#6cb6ff",
        "run-2": "#ffb454",
        "run-3": "#7fd18b",
        "run-4": "#e58fd0",
        "run-5": "#5fd0c5",
        "run-6": "#a99bff",
        "run-7": "#d6cf6b",
        "run-8": "#f0857d",
        "border-blurred": "#2c3643",
        **_of_more_arms(_MORE_DARK, "#11151b", train=0.6, steps=0.37),
    },
)
LIGHT = Theme(
    name="regtui-light",
    primary="#2f6396",
    secondary="#5b6774",
    accent="#8a5a00",
    foreground="#1d232b",
    background="#fbfbf9",
    surface="#f3f3ef",
    panel="#e4e5e0",
    success="#2e7d32",
    warning="#9a6700",
    error="#b3261e",
    dark=False,
    variables={
        "baseline": "#0550ae",
        "baseline-train": "#5f93cc",
        "baseline-steps": "#b3cae6",
        "regularized": "#a04100",
        "regularized-train": "#cc8550",
        "regularized-steps": "#e6c7ae",
        "faint": "#8b939c",
        "run-1": "#0550ae",
        "run-2": "#a04100",
        "run-3": "#1a7f37",
        "run-4": "#a0268a",
        "run-5": "#0b7a75",
        "run-6": "#5b3fd0",
        "run-7": "#7a6a00",
        "run-8": "#b3261e",
        "border-blurred": "#cfd2cc",
        **_of_more_arms(_MORE_LIGHT, "#fbfbf9", train=0.63, steps=0.29),
    },
)
