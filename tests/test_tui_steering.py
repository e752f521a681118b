from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown, MouseScrollUp
from textual.message import Message
from textual.pilot import Pilot

from regtui.protocol.applied import stops_now
from regtui.protocol.control import Command, Resume, SetLearningRate, SetMinDelta, SetPatience, SetStrength
from regtui.tui import themes
from regtui.tui.run.steering import SteeringPanel
from regtui.tui.widgets.dialogs import Ask
from regtui.tui.widgets.key_bar import KeyBar, Said
from regtui.tui.widgets.scales import Counts, Magnitudes, Rates, Scale, Shares
from regtui.tui.widgets.stepper import Stepper
from regtui.tui.widgets.word import Word
from tests.conftest import small_preset
from tests.telling import Telling


class Bottom(KeyBar):
    """Keeps what it says."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def say(self, message: Said) -> None:
        self._said.append(message.words)


class Host(App[None]):
    """An app with one widget, or with the panel of a run, that keeps what it is told."""

    AUTO_FOCUS = None

    def __init__(self, widget: Stepper | SteeringPanel, telling: Telling | None = None) -> None:
        super().__init__()
        self.widget, self.telling = widget, telling
        self.asked: list[float] = []
        self.commands: list[Command] = []
        self.pauses = self.stops = 0
        self.said: list[str] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.DARK.variables

    def compose(self) -> ComposeResult:
        yield self.widget
        yield Bottom(self.said)

    def on_mount(self) -> None:
        self.follow()

    def on_resize(self) -> None:
        if isinstance(self.widget, SteeringPanel):
            self.widget.fit(self.size.width, two_rows=False)

    def follow(self) -> None:
        """Show what has been told by now."""
        if self.telling is not None and isinstance(self.widget, SteeringPanel):
            self.widget.update_from(self.telling.preset, self.telling.history)

    def on_stepper_changed(self, event: Stepper.Changed) -> None:
        self.asked.append(event.value)

    def on_steering_panel_steer(self, event: SteeringPanel.Steer) -> None:
        self.commands.append(event.command)

    def on_steering_panel_pause_asked(self) -> None:
        self.pauses += 1

    def on_steering_panel_stop_asked(self) -> None:
        self.stops += 1


def text(stepper: Stepper) -> str:
    return stepper.render().plain


# Scales


@pytest.mark.parametrize(
    ("scale", "value", "up", "down"),
    [
        (Counts(), 5, 6, 4),
        (Counts(), 1, 2, 1),
        (Counts(high=9), 9, 9, 8),
        (Counts(high=9), 12, 12, 11),
        (Counts(), 10**18, 10**18, 10**18 - 1),
        (Counts(), 10**400, 10**400, 10**400 - 1),
        (Shares(), 0.5, 0.55, 0.45),
        (Shares(), 0.0, 0.05, 0.0),
        (Shares(), 0.95, 0.95, 0.9),
        (Shares(), 0.33, 0.35, 0.3),
        (Shares(), 0.97, 0.97, 0.95),
        (Magnitudes(), 0.0, 1e-5, 0.0),
        (Magnitudes(), 1e-5, 2e-5, 0.0),
        (Magnitudes(), 0.001, 0.002, 0.0005),
        (Magnitudes(), 0.003, 0.005, 0.002),
        (Magnitudes(), 5000.0, 5000.0, 2000.0),
        (Rates(), 1e-8, 2e-8, 1e-8),
        (Rates(), 3e-4, 5e-4, 2e-4),
        (Rates(), 10.0, 10.0, 5.0),
    ],
)
def test_steps(scale: Scale, value: float, up: float, down: float) -> None:
    assert scale.up(value) == up
    assert scale.down(value) == down


def test_every_step_up_leads_back_down_and_is_what_its_text_says() -> None:
    for scale in (Counts(high=30), Shares(), Magnitudes(), Rates()):
        value = scale.down(scale.down(1))
        while (more := scale.up(value)) != value:
            assert scale.down(more) == value
            assert scale.parse(scale.show(more)) == more
            value = more


@pytest.mark.parametrize(
    ("scale", "typed", "value"),
    [
        (Counts(), "12", 12),
        (Counts(), "0", None),
        (Counts(), "1.5", None),
        (Counts(), "9" * 19, None),
        (Shares(), "0.3", 0.3),
        (Shares(), "0,3", 0.3),
        (Shares(), "1", None),
        (Magnitudes(), "3e-4", 3e-4),
        (Magnitudes(), "e-", None),
        (Rates(), "3e-4", 3e-4),
        (Rates(), "0", None),
        (Magnitudes(), "1e999", None),
        (Counts(), "9" * 400, None),
        (Counts(), "0" * 400, None),
        (Counts(), "9" * 5000, None),
        (Shares(), "9" * 400, None),
        (Shares(), "0." + "0" * 400, 0.0),
        (Magnitudes(), "9" * 5000, None),
    ],
)
def test_typed(scale: Scale, typed: str, value: float | None) -> None:
    assert scale.parse(typed) == value


# Stepper


def stepper(value: float = 5, scale: Scale | None = None) -> Stepper:
    return Stepper("patience", value, scale or Counts(high=50))


async def test_keys_ask_and_the_applied_value_stays_until_it_is_another() -> None:
    widget = stepper()
    async with Host(widget).run_test(size=(40, 4)) as pilot:
        widget.focus()
        assert text(widget) == "patience ‹  5  ›"
        await pilot.press("left")
        assert asked(pilot) == [4]
        assert widget.applied == 5
        assert text(widget) == "patience ‹ 5→4 ›"
        await pilot.press("minus", "plus", "right")
        assert asked(pilot) == [4, 3, 4, 5]
        await pilot.press("left")
        widget.set_applied(4)
        assert text(widget) == "patience ‹  4  ›"
        await pilot.press("right")
        widget.take_back()
        assert text(widget) == "patience ‹  4  ›"


def asked(pilot: Pilot[None]) -> list[float]:
    assert isinstance(pilot.app, Host)
    return pilot.app.asked


async def test_typing() -> None:
    widget = stepper()
    async with Host(widget).run_test(size=(40, 4)) as pilot:
        widget.focus()
        await pilot.press("1", "2")
        assert "12▏" in text(widget)
        assert asked(pilot) == []
        await pilot.press("backspace", "7", "enter")
        assert asked(pilot) == [17]
        await pilot.press("enter", "9", "escape")
        assert (asked(pilot), widget.draft) == ([17], None)
        await pilot.press("enter", "enter")
        assert (asked(pilot), widget.draft) == ([17], None)
        await pilot.press("9", "9", "q", "enter")
        assert asked(pilot) == [17]
        assert said(pilot) == ["99 won't do; it must be a whole number from 1 to 50"]
        assert widget.draft == "99"
        pilot.app.screen.set_focus(None)
        await pilot.pause()
        assert widget.draft is None


def said(pilot: Pilot[None]) -> list[str]:
    assert isinstance(pilot.app, Host)
    return pilot.app.said


async def test_a_strength_can_be_typed_with_an_exponent() -> None:
    widget = stepper(0.001, Magnitudes())
    async with Host(widget).run_test(size=(40, 4)) as pilot:
        widget.focus()
        await pilot.press("3", "e", "minus", "4", "enter")
        assert asked(pilot) == [3e-4]


async def test_mouse() -> None:
    widget = stepper()
    async with Host(widget).run_test(size=(40, 4)) as pilot:
        await pilot.click(Stepper, offset=(text(widget).index("‹"), 0))
        await pilot.click(Stepper, offset=(text(widget).index("›"), 0))
        assert asked(pilot) == [4, 5]
        assert widget.draft is None
        await pilot.click(Stepper, offset=(text(widget).index("5"), 0))
        assert widget.draft == ""
        await pilot.press("8", "enter")
        assert asked(pilot) == [4, 5, 8]
        for kind in (MouseScrollUp, MouseScrollDown):
            widget.post_message(kind(widget, 1, 0, 0, 0, 0, shift=False, meta=False, ctrl=False))
            await pilot.pause()
        assert asked(pilot) == [4, 5, 8, 9, 8]


async def test_nothing_is_asked_at_a_bound_or_while_it_is_fixed() -> None:
    widget = stepper(1)
    async with Host(widget).run_test(size=(40, 4)) as pilot:
        widget.focus()
        await pilot.press("left")
        assert asked(pilot) == []
        await pilot.press("right")
        widget.why_not = "The run has ended."
        assert widget.requested is None
        await pilot.press("right", "enter", "3")
        assert (asked(pilot), widget.draft) == ([2], None)
        assert said(pilot) == ["The run has ended."] * 3
        assert str(widget.tooltip) == "The run has ended."


async def test_its_width_is_steady() -> None:
    widget = stepper(0.5, Shares())
    async with Host(widget).run_test(size=(40, 4)) as pilot:
        widget.focus()
        widths = {widget.cells}
        for key in ("left", "0", "1", "escape", "right", "right"):
            await pilot.press(key)
            widths.add(widget.cells)
        assert len(widths) == 1


# Panel


def panel_of(**tables: Any) -> tuple[SteeringPanel, Telling]:
    telling = Telling(small_preset(train={"epochs": 10}, **tables)).start()
    return SteeringPanel(), telling


def words(panel: SteeringPanel) -> dict[str, Word]:
    return {word.text.strip(): word for word in panel.query(Word)}


def steppers(panel: SteeringPanel) -> dict[str, Stepper]:
    return {text(widget).split("‹")[0].strip(): widget for widget in panel.query(Stepper)}


async def test_each_control_posts_its_command_by_keys_alone() -> None:
    panel, telling = panel_of(baseline={"l2": {"strength": 0.001}}, regularized={"dropout": {}, "batch_norm": {}})
    app = Host(panel, telling)
    async with app.run_test(size=(160, 8)) as pilot:
        await pilot.pause()
        await pilot.press("tab", "enter")
        assert app.commands.pop() == SetPatience(patience=5)
        telling.control("baseline", "patience", 5).control("regularized", "patience", 5)
        app.follow()
        assert "Patience on" in words(panel)
        await pilot.press("tab", "right")
        assert app.commands.pop() == SetPatience(patience=6)
        await pilot.press("tab", "right")
        assert app.commands.pop() == SetMinDelta(min_delta=1e-5)
        await pilot.press("tab", "left")
        assert app.commands.pop() == SetStrength(arm="regularized", key="dropout.rate", value=0.45)
        await pilot.press("tab", "enter")
        assert "running statistics" in app.said.pop()
        await pilot.press("tab", "right")
        assert app.commands.pop() == SetStrength(arm="baseline", key="l2.strength", value=0.002)
        await pilot.press("tab", "right")
        assert app.commands.pop() == SetLearningRate(learning_rate=2e-3)
        await pilot.press("tab", "enter")
        assert app.pauses == 1
        await pilot.press("tab", "enter")
        assert "Pause first" in app.said.pop()
        telling.pause()
        app.follow()
        await pilot.press("enter")
        assert app.commands.pop() == Resume(one_epoch=True)
        await pilot.press("shift+tab", "enter")
        assert app.pauses == 2
        await pilot.press("tab", "tab", "enter")
        assert (app.stops, app.commands) == (1, [])
        await pilot.press("tab", "enter")
        assert app.commands.pop() == SetPatience(patience=None)


async def test_what_is_asked_before_the_engine_has_answered_builds_on_what_was_asked_before() -> None:
    panel, telling = panel_of(regularized={"early_stopping": {"patience": 5}})
    app = Host(panel, telling)
    async with app.run_test(size=(120, 8)) as pilot:
        await pilot.pause()
        patience, min_delta = steppers(panel)[""], steppers(panel)["min Δ"]
        patience.action_step(1)
        await pilot.pause()
        min_delta.action_step(1)
        await pilot.pause()
        for _ in range(2):
            panel.toggle_patience()
            await pilot.pause()
        patience.action_step(1)
        await pilot.pause()
        assert app.commands == [
            SetPatience(arm="regularized", patience=6),
            SetMinDelta(arm="regularized", min_delta=1e-5),
            SetPatience(arm="regularized", patience=None),
            SetPatience(arm="regularized", patience=6),
            SetPatience(arm="regularized", patience=7),
        ]


async def test_mouse_on_the_panel() -> None:
    panel, telling = panel_of()
    app = Host(panel, telling)
    async with app.run_test(size=(120, 8)) as pilot:
        for word in ("Patience off", "Pause", "Stop"):
            await pilot.click(words(panel)[word])
        assert app.commands == [SetPatience(patience=5)]
        assert (app.pauses, app.stops) == (1, 1)


async def test_what_is_shown_is_what_was_applied() -> None:
    panel, telling = panel_of(regularized={"dropout": {"rate": 0.5}})
    app = Host(panel, telling)
    async with app.run_test(size=(120, 8)) as pilot:
        rate = steppers(panel)["◆ dropout"]
        rate.focus()
        await pilot.press("left")
        app.follow()
        assert (rate.applied, rate.requested) == (0.5, 0.45)
        telling.control("regularized", "dropout.rate", 0.45, why="no")
        app.follow()
        assert (rate.applied, rate.requested) == (0.5, None)
        await pilot.press("left")
        telling.control("regularized", "dropout.rate", 0.45)
        app.follow()
        assert (rate.applied, rate.requested) == (0.45, None)


async def test_patience_is_that_of_the_arm_that_has_it() -> None:
    panel, telling = panel_of(regularized={"early_stopping": {"patience": 3}})
    app = Host(panel, telling)
    async with app.run_test(size=(120, 8)) as pilot:
        panel.nudge_patience(1)
        await pilot.pause()
        assert app.commands == [SetPatience(arm="regularized", patience=4)]
        panel.toggle_patience()
        await pilot.pause()
        assert app.commands[1:] == [SetPatience(arm="regularized", patience=None)]
        next(iter(panel._patience)).focus()
        await pilot.pause()
        assert isinstance(app.focused, Stepper)


async def test_arms_of_different_patience_have_a_stepper_each_and_keep_what_is_theirs() -> None:
    stopping = {"min_delta": 0.1}
    panel, telling = panel_of(
        baseline={"early_stopping": {"patience": 5, **stopping}},
        regularized={"early_stopping": {"patience": 8, **stopping}},
    )
    telling.epochs([0.1, 0.2, 0.2, 0.2], [0.1, 0.2, 0.2, 0.2])
    app = Host(panel, telling)
    async with app.run_test(size=(120, 20)) as pilot:
        await pilot.pause()
        baseline, regularized = steppers(panel)["●"], steppers(panel)["◆"]
        assert (baseline.applied, regularized.applied) == (5, 8)
        assert "min Δ" in steppers(panel)  # equal in both arms: one for both
        panel.nudge_patience(1)
        await pilot.pause()
        assert app.commands == [SetPatience(arm="baseline", patience=6), SetPatience(arm="regularized", patience=9)]
        telling.control("baseline", "patience", 6).control("regularized", "patience", 9)
        app.follow()
        assert telling.history.interventions == 1
        regularized.focus()
        await pilot.press("left")
        assert app.commands[2:] == [SetPatience(arm="regularized", patience=8)]
        baseline.focus()
        await pilot.press("3", "enter")
        assert isinstance(app.screen, Ask)
        assert "Stops now: baseline has waited 3 epochs" in shown(pilot)
        await pilot.press("n")
        panel.toggle_patience()
        await pilot.pause()
        assert app.commands[3:] == [SetPatience(patience=None)]
        telling.control("baseline", "patience", None).control("regularized", "patience", None)
        app.follow()
        panel.toggle_patience()
        await pilot.pause()
        assert app.commands[4:] == [SetPatience(arm="baseline", patience=6), SetPatience(arm="regularized", patience=9)]


async def test_an_arm_that_has_stopped_leaves_its_patience_to_itself() -> None:
    tables = {
        arm: {"early_stopping": {"patience": patience}} for arm, patience in (("baseline", 1), ("regularized", 8))
    }
    panel, telling = panel_of(**tables)
    telling.epochs([0.1, 0.2], [0.1, 0.2]).stop("baseline", "early_stopping")
    app = Host(panel, telling)
    async with app.run_test(size=(120, 20)) as pilot:
        panel.nudge_patience(-1)
        await pilot.pause()
        assert app.commands == [SetPatience(arm="regularized", patience=7)]
        steppers(panel)["●"].focus()
        await pilot.press("right")
        assert len(app.commands) == 1
        assert app.said == ["The baseline arm has stopped."]


async def test_an_arm_that_has_stopped_is_not_asked_and_nudging_turns_patience_on() -> None:
    panel, telling = panel_of()
    telling.epochs([0.3], [0.3]).stop("baseline", "non_finite")
    app = Host(panel, telling)
    async with app.run_test(size=(120, 8)) as pilot:
        panel.nudge_patience(-1)
        await pilot.pause()
        assert app.commands == [SetPatience(arm="regularized", patience=5)]


@pytest.mark.parametrize(("waited", "first", "by"), [(3, 5, "right"), (7, 9, "left"), (7, 9, "nudge")])
async def test_a_step_that_turns_patience_on_stops_no_arm_at_once(waited: int, first: int, by: str) -> None:
    panel, telling = panel_of()
    telling.epochs([0.1, *[0.2] * waited], [0.1, *[0.05] * waited])
    app = Host(panel, telling)
    async with app.run_test(size=(120, 20)) as pilot:
        stepper = next(iter(panel._patience))
        stepper.focus()
        for _ in range(2):
            if by == "nudge":
                panel.nudge_patience(1)
            else:
                await pilot.press(by)
        await pilot.pause()
        assert not isinstance(app.screen, Ask)
        following = first - 1 if by == "left" else first + 1
        assert app.commands[:2] == [SetPatience(patience=first), SetPatience(patience=following)]
        assert not stops_now(telling.preset, telling.history, first, None)


async def test_the_same_patience_turns_early_stopping_on_where_it_is_off() -> None:
    panel, telling = panel_of()
    app = Host(panel, telling)
    async with app.run_test(size=(120, 8)) as pilot:
        next(iter(panel._patience)).focus()
        await pilot.press("5", "enter")
        assert app.commands == [SetPatience(patience=5)]
        telling.control("baseline", "patience", 5).control("regularized", "patience", 5)
        app.follow()
        await pilot.press("5", "enter")
        assert len(app.commands) == 1


async def test_lowering_patience_to_the_wait_asks_once() -> None:
    panel, telling = panel_of(baseline={"early_stopping": {"patience": 9}})
    telling.epochs([0.1, 0.2, 0.2, 0.2], [])
    app = Host(panel, telling)
    async with app.run_test(size=(120, 20)) as pilot:
        next(iter(panel._patience)).focus()
        await pilot.press("4", "enter")
        assert app.commands == [SetPatience(arm="baseline", patience=4)]
        await pilot.press("3", "enter")
        assert isinstance(app.screen, Ask)
        assert "Stops now: baseline has waited 3 epochs" in shown(pilot)
        await pilot.press("escape")
        assert len(app.commands) == 1
        assert steppers(panel)[""].requested is None
        await pilot.press("3", "enter", "y")
        assert app.commands[1:] == [SetPatience(arm="baseline", patience=3)]
        await pilot.press("2", "enter")
        assert app.commands[2:] == [SetPatience(arm="baseline", patience=2)]
        telling.epoch("baseline", 0.2)
        app.follow()
        await pilot.press("1", "enter")
        assert isinstance(app.screen, Ask)


async def test_an_arm_that_stops_while_its_question_is_open_leaves_the_other_alone() -> None:
    panel, telling = panel_of(regularized={"early_stopping": {"patience": 9}})
    telling.epochs([], [0.1, 0.2])
    app = Host(panel, telling)
    async with app.run_test(size=(120, 20)) as pilot:
        next(iter(panel._patience)).focus()
        await pilot.press("1", "enter")
        telling.stop("regularized", "exploded")
        app.follow()
        await pilot.press("y")
        assert app.commands == [SetPatience(arm="regularized", patience=1)]


def shown(pilot: Pilot[None]) -> str:
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


async def test_turning_patience_on_asks_too_where_an_arm_would_stop_by_it() -> None:
    panel, telling = panel_of()
    telling.epochs([0.1, *[0.2] * 6], [0.1, *[0.2] * 5])
    app = Host(panel, telling)
    async with app.run_test(size=(120, 20)) as pilot:
        panel.toggle_patience()
        await pilot.pause()
        assert "baseline has waited 6 epochs and regularized has" in " ".join(shown(pilot).replace("│", "").split())
        await pilot.press("n")
        assert app.commands == []


@pytest.mark.parametrize("when", ["before", "after"])
async def test_before_and_after_the_run_each_control_says_why_not(when: str) -> None:
    panel, telling = panel_of(regularized={"dropout": {}})
    if when == "before":
        telling = Telling(telling.preset)
    else:
        telling.stop("baseline", "max_epochs").stop("regularized", "max_epochs").finish()
    app = Host(panel, telling)
    async with app.run_test(size=(120, 8)) as pilot:
        panel.nudge_patience(1)
        panel.toggle_patience()
        for widget in steppers(panel).values():
            widget.focus()
            await pilot.press("right", "enter", "5")
        await pilot.click(words(panel)["Pause"])
        assert app.commands == []
        assert set(app.said) == {"The run has not begun yet." if when == "before" else "The run has ended."}
        assert bool(words(panel)["Stop"].why_not) == (when == "after")


async def test_a_knob_of_an_arm_that_has_stopped_says_so() -> None:
    panel, telling = panel_of(regularized={"dropout": {}, "early_stopping": {"patience": 2}})
    telling.epochs([0.2], [0.2]).stop("regularized", "early_stopping")
    async with Host(panel, telling).run_test(size=(120, 8)):
        assert steppers(panel).pop("lr").why_not == "", "the baseline trains on"
        others = [stepper for name, stepper in steppers(panel).items() if name != "lr"]
        assert {stepper.why_not for stepper in others} == {"The regularized arm has stopped."}
        assert words(panel)["Pause"].why_not == ""


@pytest.mark.parametrize("width", [140, 80, 40])
async def test_it_has_room_in_one_row_at_every_width(width: int) -> None:
    panel, telling = panel_of(regularized={"dropout": {}, "l2": {}})
    async with Host(panel, telling).run_test(size=(width, 8)) as pilot:
        await pilot.pause()
        assert panel.size.height == 1
        row = shown(pilot)
        for word in (*(("Patience off", "‹  5  ›") if width == 140 else ("Patience", "‹off›")), "Pause", "Stop"):
            assert word in row
        assert ("dropout" in row) == (width > 40)
        slid = panel.query_one(".strengths")
        inside = [w for w in panel.query("Word, Stepper") if w.region.width and w.parent is not slid]
        assert all(widget.region.right <= width for widget in inside)
        assert not any(a.region.overlaps(b.region) for a in inside for b in inside if a is not b)
        if width > 40:  # what is out of sight is slid into it by the focus
            (last,) = [stepper for stepper in panel._strengths if stepper._label == "λ L2 "]
            last.focus()
            await pilot.pause()
            assert "λ L2 ‹" in shown(pilot)
        assert panel.fit(60, two_rows=True) == 1
        assert panel.fit(80, two_rows=True) == 2


async def test_a_run_that_says_nothing_new_repaints_nothing() -> None:
    panel, telling = panel_of(regularized={"dropout": {}})
    messages: list[Message] = []
    async with Host(panel, telling).run_test(size=(120, 8), message_hook=messages.append) as pilot:
        await pilot.pause()
        messages.clear()
        panel.update_from(telling.preset, telling.history)
        await pilot.pause()
        assert not [m for m in messages if type(m).__name__ in {"Update", "Layout"}]
