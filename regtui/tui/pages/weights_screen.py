"""The weights of the baseline and of the chosen arm, layer by layer, read from the run's checkpoint."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import get_current_worker

from regtui.errors import RegtuiError
from regtui.preset.arms import BASELINE
from regtui.preset.model import Preset
from regtui.runs.read import read_run
from regtui.tui.charts.view import View
from regtui.tui.look import arm_looks, follow_theme
from regtui.tui.pages.weights_views import HistogramView, LayerTable, PictureView
from regtui.tui.run.keys import WALK
from regtui.tui.widgets.key_bar import KeyBar
from regtui.tui.widgets.keys import EVERYWHERE, Key, bindings
from regtui.tui.widgets.thread import in_thread

if TYPE_CHECKING:
    from regtui.runs.weights import Layer, Picture

_BY_NUMBER = Key("1,2,3,4,5,6,7,8,9", "choose_layer", "layer", "Choose a layer by its number.", "1-9")
_OTHERS = (
    Key("up,k", "move(-1)", "layer above", "Choose the layer above.", "↑"),
    Key("down,j", "move(1)", "layer", "Choose the layer below.", "↓", footer=True),
    Key(
        "b",
        "toggle_best",
        "best or last",
        "The weights of the best epoch, as early stopping goes back to them, or of the last.",
        "b",
        footer=True,
    ),
    *WALK,
    Key("pageup", "scroll(-1)", "up", "Scroll up.", "pgup"),
    Key("pagedown,space", "scroll(1)", "scroll", "Scroll down.", "pgdn", footer=True),
    Key("escape,w", "close", "back", "Back to the run.", "esc", footer=True),
)

_READING = threading.Lock()
"""Held while weights are read, which takes a few times the memory of their file: screens that follow take turns."""


class _Read(Message):
    """The result of reading: layers, pictures and epochs by arm, or why there are none."""

    def __init__(
        self,
        arm: str,
        which: Literal["last", "best"],
        layers: dict[str, list[Layer]],
        pictures: dict[str, Picture],
        fault: str = "",
        epochs: Mapping[str, int | None] | None = None,
    ) -> None:
        super().__init__()
        self.arm, self.which = arm, which
        self.layers, self.pictures, self.fault, self.epochs = layers, pictures, fault, epochs or {}


class WeightsScreen(Screen[None]):
    """Norms, zeros and histograms of two arms' weights, and pictures where the first layer takes pixels."""

    DEFAULT_CSS = """
    WeightsScreen {
        & .title { height: 1; padding: 0 1; }
        & .body { padding: 0 1; scrollbar-size-vertical: 1; scrollbar-background: $background; }
        & .below { height: auto; layout: vertical; margin-top: 1; }
        & PictureView { margin: 1 0 0 0; }
        & .fault { padding: 1 1; height: 1fr; display: none; }
        &.-wide .below { layout: horizontal; }
        &.-wide HistogramView { width: 1fr; }
        &.-wide PictureView { margin: 0 0 0 3; }
        &.-tall .title { height: 2; }
        &.-unread .body { display: none; }
        &.-unread .fault { display: block; }
    }
    """
    KEYS: ClassVar[tuple[Key, ...]] = (*_OTHERS, _BY_NUMBER)
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings((*_OTHERS, *EVERYWHERE)),
        *(Binding(key, f"{_BY_NUMBER.action}({key})", show=False) for key in _BY_NUMBER.keys.split(",")),
    ]

    def __init__(self, folder: Path, preset: Preset, view: View | None = None) -> None:
        """Make the screen.

        Args:
            folder: The run's.
            preset: The run's.
            view: Has the arm that is chosen beside the baseline; the first one if left out.
        """
        super().__init__()
        self._folder, self._preset = folder, preset
        self._view = view or View(arm=list(preset.arms())[1])
        self._looks = arm_looks(preset.arms())
        self._which: Literal["last", "best"] = "last"
        self._layers: dict[str, list[Layer]] = {}
        self._epochs: Mapping[str, int | None] = {}
        self._chosen = 0

    def compose(self) -> ComposeResult:
        """A title, the parts, and the main keys."""
        yield Static(classes="title")
        yield Static("Reading the weights …", classes="fault", markup=False)
        with VerticalScroll(classes="body", can_focus=False):
            yield LayerTable(self._looks)
            with Container(classes="below"):
                yield HistogramView(self._looks)
                yield PictureView(self._looks)
        yield KeyBar()

    def on_mount(self) -> None:
        """Read the weights, and follow the theme: the rows contain its colours."""
        self.add_class("-unread")
        follow_theme(self, self._redraw)
        self.reload()

    def on_resize(self, event: events.Resize) -> None:
        """In a large terminal put the pictures beside the histogram and leave a row empty below the title."""
        self.set_class(event.size.width >= 110, "-wide")
        self.set_class(event.size.height >= 30, "-tall")

    def on_unmount(self) -> None:
        """Let go of the weights: the closed screen itself is freed when nobody types."""
        self._layers.clear()

    def reload(self) -> None:
        """Read the files again, because an epoch has ended or other weights are to be shown."""
        self._read(self._view.arm, self._which)

    @in_thread("reading")
    def _read(self, arm: str, which: Literal["last", "best"]) -> None:
        with _READING:
            if not get_current_worker().is_cancelled:
                self._read_in_turn(arm, which)

    def _read_in_turn(self, arm: str, which: Literal["last", "best"]) -> None:
        # In a thread for numpy's import, the first time, and for large networks; MNIST's take 3 ms.
        from regtui.runs.weights import best_epoch, picture, read_weights

        try:
            ended = not read_run(self._folder).may_go_on
            layers = {one: read_weights(self._folder, one, which, ended=ended) for one in (BASELINE, arm)}
            shape = self._preset.dataset.shape
            drawn = {one: picture(of_one[0], shape) for one, of_one in layers.items()}
            pictures = {one: shown for one, shown in drawn.items() if shown is not None}
        except RegtuiError as error:
            self.post_message(_Read(arm, which, {}, {}, str(error)))
        else:
            epochs = {one: best_epoch(self._folder, one) for one in layers} if which == "best" else {}
            self.post_message(_Read(arm, which, layers, pictures, epochs=epochs))

    @on(_Read)
    def _show(self, message: _Read) -> None:
        """Show what was read, unless the user has chosen other weights meanwhile."""
        if (message.arm, message.which) != (self._view.arm, self._which):
            return
        self._layers, self._epochs = message.layers, message.epochs
        self.set_class(not message.layers, "-unread")
        self.query_one(".fault", Static).update(message.fault)
        self.query_one(PictureView).show(message.pictures)
        self._show_layers()

    def _show_layers(self) -> None:
        when = "of the last epoch" if self._which == "last" else self._best_epochs
        more = f" {when} · {self._preset.name}"
        self.query_one(".title", Static).update(
            Text.assemble(("Weights", "bold"), (more, self.app.theme_variables["faint"]))
        )
        if not self._layers:
            return
        self._chosen = min(self._chosen, self._depth - 1)
        self.query_one(LayerTable).show(self._layers, self._chosen)
        self.query_one(HistogramView).show({arm: layers[self._chosen] for arm, layers in self._layers.items()})

    @property
    def _best_epochs(self) -> str:
        """The epochs of the best weights, in words. By early stopping's monitor they need not have the lowest loss."""
        known = [f"{self._looks[arm].mark} {epoch}" for arm, epoch in self._epochs.items() if epoch is not None]
        stopping = [self._preset.arms()[arm].early_stopping for arm in self._layers]
        plain = all(s is None or (s.monitor == "val_loss" and not s.warmup) for s in stopping)
        best = "best epoch" if plain else "best epoch by its early stopping"
        return f"of each arm's {best}" + (f": {', '.join(known)}" if known else "")

    @property
    def _depth(self) -> int:
        return min((len(layers) for layers in self._layers.values()), default=0)

    def _redraw(self) -> None:
        for view in (LayerTable, HistogramView, PictureView):
            self.query_one(view).redraw()
        self._show_layers()

    def action_choose_layer(self, number: int) -> None:
        """Show a layer's histogram; a number that no layer has does nothing."""
        if 1 <= number <= self._depth:
            self._chosen = number - 1
            self._show_layers()
            table = self.query_one(LayerTable)
            body = self.query_one(".body", VerticalScroll)
            top, row = body.scroll_y, table.row_of(self._chosen)
            if not top <= row < top + body.size.height - 1:
                body.scroll_to(y=row - 1, animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Walk only through several arms."""
        return action != "arm" or len(self._looks) > 2

    def key_label(self, action: str) -> str:
        """Which weights the key leads to."""
        other = "best" if self._which == "last" else "last"
        return f"{other} weights" if action == "toggle_best" else ""

    def action_arm(self, by: int) -> None:
        """Show the weights of the next arm beside the baseline, or of the one before."""
        self._view.walk(list(self._looks), by)
        self.reload()

    def action_move(self, by: int) -> None:
        """Choose the layer above or below."""
        self.action_choose_layer(self._chosen + 1 + by)

    @on(LayerTable.Clicked)
    def _choose_clicked(self, message: LayerTable.Clicked) -> None:
        """Choose the layer that was clicked."""
        self.action_choose_layer(message.index + 1)

    def action_toggle_best(self) -> None:
        """Switch between the weights of the best and of the last epoch."""
        self._which = "best" if self._which == "last" else "last"
        self.reload()

    def action_scroll(self, pages: int) -> None:
        """Scroll by most of a page."""
        body = self.query_one(".body", VerticalScroll)
        body.scroll_relative(y=pages * max(1, body.size.height - 2), animate=False)

    def action_close(self) -> None:
        """Leave the screen."""
        self.dismiss()
