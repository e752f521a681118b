"""The keys of a run's screen, and when each can be used."""

from __future__ import annotations

from regtui.tui.charts.view import View
from regtui.tui.run.session import Session
from regtui.tui.widgets.keys import Key

TRAIN_ON = Key(
    "g",
    "train_on",
    "go on",
    "Train on where it was cut off, or for more epochs.",
    "g",
    footer=True,
)
"""The key for saved runs, wherever they are shown; it does something only where a run can be trained on."""
WALK = (
    Key("left_square_bracket", "arm(-1)", "arm before", "Of several arms: choose the one before.", "["),
    Key("right_square_bracket", "arm(1)", "next arm", "Of several arms: choose the next.", "]", footer=True),
)
"""Keys that choose an arm, also on the screens that open from that of a run."""
HERE = (
    Key("space", "pause", "pause", "Pause, and go on again.", "space", footer=True),
    Key("e", "one_epoch", "one epoch", "While paused: train one epoch, then pause again.", "e", footer=True),
    Key("plus,equals_sign", "patience(1)", "more patience", "One epoch more of patience.", "+"),
    Key("minus", "patience(-1)", "less patience", "One epoch less of patience.", "−"),
    Key("p", "toggle_patience", "patience", "Early stopping on or off.", "p", footer=True),
    Key("greater_than_sign", "rate(1)", "higher rate", "A step up with the learning rate of all arms.", ">"),
    Key("less_than_sign", "rate(-1)", "lower rate", "A step down with the learning rate of all arms.", "<"),
    Key("s", "stop", "stop", "Stop the run; asks how.", "s", footer=True),
    Key(
        "escape",
        "back",
        "back",
        "A step back: from a control, an epoch, the details, the run.",
        "esc",
        footer=True,
    ),
    TRAIN_ON,
    Key("n", "again", "new seed", "After the end: run the same preset with another seed.", "n", footer=True),
    Key("c", "change", "presets", "After the end: back to the presets.", "c", footer=True),
    Key("d", "details", "details", "After the end: what the verdict rests on, and back.", "d", footer=True),
    Key("b", "review", "saved runs", "After the end: the list of all saved runs.", "b", footer=True),
    Key("R", "study", "is it real?", "After the end: run the preset over 8 new seeds, and see.", "R", footer=True),
    Key("up", "scroll(-1)", "up", "After the end: scroll the verdict up.", "↑"),
    Key("down", "scroll(1)", "down", "After the end: scroll the verdict down.", "↓"),
    Key("pageup", "scroll_page(-1)", "page up", "After the end: scroll the verdict a page up.", "pgup"),
    Key("pagedown", "scroll_page(1)", "page down", "After the end: scroll the verdict a page down.", "pgdn"),
    *WALK,
    Key("left", "walk(-1)", "epochs", "Read all values at an earlier epoch; or click on a chart.", "←", footer=True),
    Key("right", "walk(1)", "later epoch", "Read all values at a later epoch.", "→"),
    Key("home", "first_epoch", "first epoch", "Read all values at the first epoch.", "home"),
    Key("end", "newest_epoch", "newest epoch", "Read all values at the newest epoch.", "end"),
    Key("v", "quantity", "view", "Loss, metric, generalization gap, one after another.", "v", footer=True),
    Key("o", "overlay", "overlay", "All arms in one chart, or one each.", "o", footer=True),
    Key("l", "log", "log", "Logarithmic or linear loss.", "l"),
    Key("L", "log_x", "log epochs", "Logarithmic or linear axis of epochs.", "L"),
    Key("r", "recent", "recent", "The recent epochs, or all; also by the wheel on a chart.", "r"),
    Key("m", "smooth", "smooth", "Curve of the steps: as it is, or the mean of 10, 100, 1000.", "m"),
    Key("a", "axes", "same axes", "The same axes for both charts, or each its own.", "a"),
    Key("w", "weights", "weights", "The weights, layer by layer.", "w", footer=True),
    Key("x", "what_if", "what if", "What another patience would have brought.", "x", footer=True),
    Key("i", "explain", "about", "What the running techniques do.", "i", footer=True),
    Key("y", "copy_verdict", "copy", "After the end: copy the verdict.", "y"),
    Key("Y", "copy_path", "copy path", "Copy the path of the run's log.", "Y"),
    Key("f", "preset", "preset", "The preset, and how its file differs from it by now.", "f", footer=True),
)
"""All keys of this screen. In a narrow terminal the key bar shows the first usable main keys."""
TO_CONTROLS = Key("tab", "to_controls", "controls", "To the next control.", "tab", footer=True)
"""The key that Textual has on every screen, where it leads to the controls."""
WHILE_RUNNING = frozenset({"pause", "one_epoch", "patience", "toggle_patience", "rate", "stop"})
AFTER_THE_END = frozenset({"again", "change", "details", "study", "scroll", "scroll_page", "copy_verdict"})


def label(action: str, session: Session, view: View, *, details: bool, reading: bool) -> str:
    """What a key does in the present state, where that is another thing than the table says; else empty.

    Args:
        action: The key's, from the table.
        session: The run.
        view: How the charts are shown.
        details: Whether the verdict's details are shown.
        reading: Whether the cursor is on an epoch.
    """
    back = "newest" if reading else "verdict" if details else "presets" if session.live else ""
    now = {
        "pause": (session.history.paused, "resume"),
        "details": (details, "back"),
        "overlay": (view.overlay, "side by side"),
        "log": (view.log, "linear"),
        "log_x": (view.log_x, "linear epochs"),
        "recent": (view.part < 1, "all epochs"),
        "axes": (view.shared, "own axes"),
        "back": (bool(back), back),
    }
    holds, words = now.get(action, (False, ""))
    return words if holds else ""


def usable(action: str, session: Session) -> bool:
    """Whether an action is possible now; controls need a run that goes on, the next run one that has ended."""
    if action in WHILE_RUNNING:
        return session.steerable and (action != "one_epoch" or session.history.paused)
    if action == "arm":
        return len(session.preset.arms()) > 2
    if action == "back":
        return session.ended or not session.live
    if action == "review":  # for a saved run, going back leads to the list
        return session.live and session.ended
    return session.ended if action in AFTER_THE_END else True
