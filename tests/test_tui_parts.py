"""The small parts of a run's screen: the line at the top, how often it is drawn, and the keys at the bottom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.color import Color
from textual.screen import Screen

from regtui.epochs import table_lines
from regtui.preset.model import Preset
from regtui.protocol.events import RunStarted
from regtui.tui.charts.pacer import FASTEST, SHARE, SLOWEST, Pacer
from regtui.tui.look import PlainText
from regtui.tui.run.header import Header, header_line, remaining
from regtui.tui.run.screen import RunScreen
from regtui.tui.run.session import Session
from regtui.tui.themes import DARK
from regtui.tui.widgets.key_bar import KeyBar
from regtui.tui.widgets.keys import EVERYWHERE, Key, bindings
from tests.conftest import small_preset
from tests.screen_double import until
from tests.telling import Telling

COLOURS = {**DARK.variables, "primary": "#7aa2c8", "success": "#7fbf7f", "error": "#e5736b", "warning": "#e6b450"}
PRESET = small_preset(train={"epochs": 6})


def telling(preset: Preset = PRESET) -> Telling:
    return Telling(preset).start()


def line(told: Telling, width: int = 120) -> str:
    return header_line(told.preset, told.history, width, COLOURS).plain


def unpaired() -> Telling:
    told, started = Telling(PRESET), telling().history.started
    assert isinstance(started, RunStarted)
    other = started.arms["baseline"].model_copy(update={"initial_weights": "b"})
    told.history.add(started.model_copy(update={"arms": {**started.arms, "regularized": other}}))
    return told


STATES: dict[str, Callable[[], Telling]] = {
    "before the start": lambda: Telling(PRESET),
    "started": telling,
    "some epochs": lambda: telling().epochs([0.5, 0.4], [0.5, 0.4]),
    "paused": lambda: telling().epochs([0.5], [0.5]).pause(),
    "not paired": unpaired,
    "finished": lambda: telling().epochs([0.5] * 6, [0.5] * 6).finish(),
    "diverged": lambda: telling().epochs([0.5], [0.5]).finish("diverged"),
    "a long name": lambda: telling(PRESET.model_copy(update={"name": "a-name-of-many-" * 12})),
}


# The line at the top


@pytest.mark.parametrize("state", STATES)
def test_the_line_fits_any_width(state: str) -> None:
    told = STATES[state]()
    for width in range(1, 161):
        assert header_line(told.preset, told.history, width, COLOURS).cell_len <= width


def test_there_is_all_of_it_where_there_is_room() -> None:
    shown = line(telling().epochs([0.5, 0.4], [0.5, 0.4]))
    assert len(shown) == 120
    for words in (
        "regtui small",
        "MNIST 320 / 600",
        "cpu",
        "seed 0",
        "lr 0.001",
        "paired ✓",
        "epoch 2/6",
        "0:01",
        "0:02 left",
    ):
        assert words in shown


def test_what_is_least_needed_gives_way_first() -> None:
    told = telling().epochs([0.5, 0.4], [0.5, 0.4])
    parts = ("MNIST", "cpu", "seed 0", "lr 0.001", "paired ✓", "epoch 2/6", "small")
    shown = [[part in line(told, width) for part in parts] for width in range(160, 14, -1)]
    last_seen = [max((i for i, found in enumerate(shown) if found[part]), default=-1) for part in range(len(parts))]
    assert last_seen == sorted(last_seen)
    assert all(found[-2] and found[-1] for found in shown)  # the name and how far it is stay to the last


def test_a_split_of_its_own_and_a_bootstrap_are_told_on_screen_and_without_one() -> None:
    told = telling(small_preset(data={"seed": 7, "bootstrap": True}, train={"seed": 3, "epochs": 6}))
    assert told.history.started is not None
    header = table_lines(told.history.started, told.history, told.preset, 120)
    assert " · seed 3, split 7, bootstrap · " in line(told, 120)
    assert any(row.endswith("seed 3, split 7, bootstrap") for row in header)
    assert any("320 training drawn with replacement, " in row for row in header)


def test_the_line_tells_the_rate_of_the_next_step_and_under_the_cursor_that_of_the_epoch() -> None:
    preset = small_preset(train={"epochs": 6, "schedule": "step", "step_epochs": 1, "step_factor": 0.5})
    told = Telling(preset).start().epochs([0.5, 0.4], [0.5, 0.4])
    assert " · lr 0.00025 now · " in header_line(preset, told.history, 120, COLOURS).plain
    told.control(None, "learning_rate", 0.01, epoch=2)
    assert " · lr 0.0025 now · " in header_line(preset, told.history, 120, COLOURS).plain
    first = told.history.arms["regularized"].epochs
    first[0] = first[0].model_copy(update={"learning_rate": 1e-3})
    colours = {**COLOURS, "accent": "#ffffff"}
    assert " · lr 0.001 · " in header_line(preset, told.history, 120, colours, cursor=1).plain
    assert " · lr 0.0025 · " in header_line(preset, told.history, 120, colours, cursor=2).plain


def test_the_line_says_whether_the_arms_are_a_matched_pair() -> None:
    assert "paired" not in line(Telling(PRESET))
    assert "paired ✓" in line(telling())
    shown = header_line(PRESET, unpaired().history, 140, COLOURS)
    assert "NOT PAIRED: the arms started from different weights" in shown.plain
    span = next(s for s in shown.spans if shown.plain[s.start : s.end].startswith("NOT"))
    assert isinstance(span.style, Style)
    assert span.style.color is not None
    assert span.style.color.name == COLOURS["error"]


@pytest.mark.parametrize("width", [120, 100, 80])
def test_a_broken_pair_is_never_silent_where_there_is_room_for_it(width: int) -> None:
    assert "NOT PAIRED" in line(unpaired(), width)


@pytest.mark.parametrize(
    ("state", "words"), [("before the start", "starting"), ("paused", "paused"), ("finished", "finished · 0:01")]
)
def test_the_line_says_how_it_goes(state: str, words: str) -> None:
    assert words in line(STATES[state]())


def test_at_the_end_nothing_is_left_and_the_epoch_is_not_beyond_the_last() -> None:
    assert "left" not in line(STATES["finished"]())
    assert "epoch 6/6" in line(telling().epochs([0.5] * 6, [0.5] * 6))


@pytest.mark.parametrize("cursor", [None, 1])
def test_an_end_that_the_events_do_not_tell_is_believed(cursor: int | None) -> None:
    told = telling().epochs([0.5, 0.4], [0.5, 0.4])
    shown = header_line(PRESET, told.history, 120, {**COLOURS, "accent": "#ffffff"}, cursor, "interrupted").plain
    assert "left" not in shown
    assert "going on" not in shown
    assert ("interrupted · 0:01" in shown) == (cursor is None)
    assert header_line(PRESET, Telling(PRESET).history, 120, COLOURS, status="finished").plain.endswith("finished")


def test_a_word_says_that_the_run_was_steered() -> None:
    told = telling().start().epochs([0.3], [0.2])
    assert "steered" not in line(told)
    told.control("regularized", "dropout.rate", 0.6)
    assert "paired ✓ · steered" in line(told)
    assert "steered" in line(told, 60)
    assert "epoch" in line(told, 40)


def test_words_in_a_name_are_no_markup() -> None:
    assert "[red]x[/]" in line(telling(PRESET.model_copy(update={"name": "[red]x[/]"})))


def timed(*seconds: float, partial: bool = False) -> Telling:
    told = telling()
    for n, value in enumerate(seconds):
        told.epoch("baseline", 0.5)
        arm = told.history.arms["baseline"]
        last = partial and n == len(seconds) - 1
        arm.epochs[-1] = arm.epochs[-1].model_copy(update={"seconds": value, "partial": last})
    return told


def test_the_time_that_remains_follows_the_newest_epochs() -> None:
    assert remaining(timed(2.0, 2.0).history) == pytest.approx(2.0 * 4)
    assert remaining(timed(100.0, 3.0, 3.0, 3.0, 3.0).history) == pytest.approx((100 + 12) / 5)
    long = Telling(small_preset(train={"epochs": 10})).start()
    told = timed(100.0, 3.0, 3.0, 3.0, 3.0, 3.0)
    long.history.arms["baseline"] = told.history.arms["baseline"]
    assert remaining(long.history) == pytest.approx(3.0 * 4)  # the first, which loaded things, says no more


def test_steps_of_the_present_epoch_count_and_those_of_a_cut_one_do_not_tell_its_time() -> None:
    told = timed(2.0)
    told.steps("baseline", [0.5] * 5)
    assert remaining(told.history) == pytest.approx(2.0 * 4.5)
    assert remaining(timed(2.0, 0.1, partial=True).history) == pytest.approx(2.0 * 4)


def test_the_slower_arm_tells_and_one_that_has_stopped_does_not() -> None:
    told = timed(1.0)
    told.epoch("regularized", 0.5)  # 0.5 s
    assert remaining(told.history) == pytest.approx(5.0)
    told.stop("baseline", "early_stopping")
    assert remaining(told.history) == pytest.approx(2.5)
    told.stop("regularized", "max_epochs")
    assert remaining(told.history) is None


def test_nothing_is_said_of_the_time_before_it_can_be_known() -> None:
    assert remaining(Telling(PRESET).history) is None
    assert remaining(telling().history) is None
    assert "left" not in line(telling())


# How often to draw


def test_drawing_is_paced_between_its_bounds() -> None:
    pacer = Pacer()
    assert pacer.interval == FASTEST
    for cost in (0.0, 1e-6, 0.005, 0.009, 0.02, 5.0):
        pacer = Pacer()
        for _ in range(7):
            pacer.drew(cost)
        assert FASTEST <= pacer.interval <= SLOWEST
        if FASTEST < cost / SHARE < SLOWEST:
            assert pacer.interval == pytest.approx(cost / SHARE)
    assert pacer.interval == SLOWEST


def test_one_dear_drawing_does_not_slow_those_that_follow() -> None:
    pacer = Pacer()
    pacer.drew(3.0)
    pacer.drew(0.001)
    assert pacer.interval == FASTEST
    pacer.drew(0.001)
    assert pacer.interval == FASTEST


def test_old_costs_are_forgotten() -> None:
    pacer = Pacer()
    for cost in [1.0] * 50 + [0.0] * 4:
        pacer.drew(cost)
    assert pacer.interval == FASTEST


# The keys at the bottom


class Keyed(Screen[None]):
    """Counts what its keys do."""

    KEYS = (
        Key("f", "first", "first", "The first.", "f", footer=True),
        Key("g", "hidden", "hidden", "No main key.", "g"),
        Key("x", "locked", "locked", "Not now.", "x", footer=True),
        Key("z", "last", "[b]last", "The last.", "z", footer=True),
    )
    BINDINGS = bindings((*KEYS, *EVERYWHERE))

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.unlocked = False
        self.bar = KeyBar()

    def compose(self) -> ComposeResult:
        yield self.bar

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return action != "locked" or self.unlocked

    def action_first(self) -> None:
        self.done.append("first")

    def action_last(self) -> None:
        self.done.append("last")

    def action_locked(self) -> None:
        self.done.append("locked")


class Themed(App[None]):
    """A program in the theme's colours."""

    def __init__(self) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name


class KeyedApp(Themed):
    """Shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.keyed = Keyed()
        self.helped = 0

    def on_mount(self) -> None:
        self.push_screen(self.keyed)

    def action_help(self) -> None:
        self.helped += 1


def bar_text(bar: KeyBar) -> str:
    return bar.render_line(0).text


async def test_a_click_does_what_the_key_does() -> None:
    app = KeyedApp()
    async with app.run_test(size=(80, 5)) as pilot:
        await pilot.pause()
        shown = bar_text(app.keyed.bar)
        for words in ("first", "last"):
            await pilot.press(words[0].replace("l", "z"))
            await pilot.click(KeyBar, offset=(shown.index(words) + 1, 0))
        await pilot.click(KeyBar, offset=(shown.index("? keys") + 1, 0))
        await pilot.click(KeyBar, offset=(shown.index("? keys") + 3, 0))
        await pilot.press("question_mark")
        assert app.keyed.done == ["first", "first", "last", "last"]
        assert app.helped == 3
        await pilot.click(KeyBar, offset=(70, 0))
        assert len(app.keyed.done) == 4


async def test_only_main_keys_that_can_be_used_are_shown() -> None:
    app = KeyedApp()
    async with app.run_test(size=(80, 5)) as pilot:
        await pilot.pause()
        assert bar_text(app.keyed.bar).strip() == "f first  z [b]last  ? keys  q quit"
        app.keyed.unlocked = True
        app.keyed.bar.redraw()
        assert bar_text(app.keyed.bar).strip() == "f first  x locked  z [b]last  ? keys  q quit"


async def test_help_and_quit_stay_however_narrow_it_is() -> None:
    session = Session(PRESET, lambda: None)

    class RunApp(Themed):
        def on_mount(self) -> None:
            self.push_screen(RunScreen(session))

    app = RunApp()
    async with app.run_test(size=(120, 20)) as pilot:
        for width in (120, 100, 80, 60, 40, 30, 20):
            await pilot.resize_terminal(width, 20)
            bar = app.screen.query_one(KeyBar)
            await until(pilot, lambda bar=bar, width=width: bar.outer_size.width == width)  # type: ignore[misc]
            *_, row = bar.rows(*bar.content_size)
            assert row.cell_len <= bar.content_size.width
            assert row.plain.endswith("? keys  q quit")
            assert width < 60 or row.plain.startswith("space pause")


async def test_the_header_is_one_row_of_the_screen() -> None:
    class HeaderApp(Themed):
        def compose(self) -> ComposeResult:
            session = Session(PRESET, lambda: None)
            session.history = telling().history
            yield Header(session)

    app = HeaderApp()
    async with app.run_test(size=(100, 5)) as pilot:
        await pilot.pause()
        header = app.query_one(Header)
        assert header.size.height == 1
        assert "paired ✓" in header.render_line(0).text


# ASCII


def test_segments_are_filtered_with_their_styles_and_controls() -> None:
    style = Style(bold=True, meta={"@click": "x"})
    control: Any = [(1,)]
    segments = [Segment("● a", style), Segment("plain", None), Segment("", None, control)]
    filtered = PlainText().apply(segments, Color.parse("black"))
    assert [s.text for s in filtered] == ["O a", "plain", ""]
    assert filtered[0].style == style
    assert filtered[2].control == control
