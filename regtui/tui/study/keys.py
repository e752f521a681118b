"""The keys of a study's screen, and its views."""

from __future__ import annotations

from typing import Literal

from regtui.tui.widgets.keys import Key

StudyView = Literal["differences", "ranking", "response", "gain", "map", "curves"]
TITLES: dict[StudyView, str] = {
    "differences": "differences",
    "ranking": "ranking",
    "response": "response",
    "gain": "gain",
    "map": "heat map",
    "curves": "curves",
}
"""The views, in the order in which a key leads through them; not every study has all."""
STUDY_KEYS = (
    Key("enter", "open", "open its run", "At a seed: open its run.", "enter", footer=True),
    Key("left", "seed(-1)", "seeds", "Choose a seed of this arm, by its dot; the one before.", "←", footer=True),
    Key("right", "seed(1)", "next seed", "Choose the next seed of this arm.", "→"),
    Key("up", "arm(-1)", "arms", "Choose the arm above; in the details: scroll up.", "↑", footer=True),
    Key("down", "arm(1)", "arm below", "Choose the arm below; in the details: scroll down.", "↓"),
    Key("left_square_bracket", "cell(-1)", "cell before", "Of several cells: choose the one before.", "["),
    Key("right_square_bracket", "cell(1)", "next cell", "Of several cells: choose the next.", "]", footer=True),
    Key("v", "view", "view", "Differences, ranking, response, gain, heat map, curves.", "v", footer=True),
    Key("d", "details", "details", "What the verdict rests on, and back.", "d", footer=True),
    Key("s", "stop", "stop", "Stop the study; asks first. What is done is kept.", "s", footer=True),
    Key("g", "go_on", "go on", "Make the runs that this study still lacks.", "g", footer=True),
    Key("escape", "back", "back", "A step back: from a seed, the details, the study.", "esc", footer=True),
    Key("m", "quantity", "metric", "The curves show the metric, or the loss.", "m"),
    Key("b", "review", "saved runs", "The list of all saved runs and studies.", "b", footer=True),
    Key("y", "copy_verdict", "copy", "Copy the verdict, as a block of Markdown.", "y"),
    Key("Y", "copy_path", "copy path", "Copy the path of the study's folder.", "Y"),
    Key("pageup", "page(-1)", "page up", "In the details: a page up.", "pgup"),
    Key("pagedown", "page(1)", "page down", "In the details: a page down.", "pgdn"),
)
"""All keys of this screen."""
