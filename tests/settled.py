"""When a program on screen has done what it was asked for, so that a test that looks then sees all of it.

Textual's pilot takes a program for idle that has not used the processor for a moment. On a busy machine it may just not
have been given any, and a test that looks then sees half of what a key does, sometimes.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from textual import app as textual_app
from textual import pilot as textual_pilot
from textual._compositor import Compositor
from textual._context import active_app
from textual.app import App
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot

from regtui.tui import inputs
from regtui.tui.choose import screen as choose_screen
from regtui.tui.inputs import OneByOne
from regtui.tui.widgets import key_bar

RENDER = Compositor.render_update
PARSE = Stylesheet._parse_rules
SECONDS = 120.0
"""After which it is said that a program never comes to rest."""


async def settled(app: App[Any]) -> bool:
    """Wait until every message is handled, and what they changed is laid out and drawn.

    What threads and clocks bring is not waited for: `tests.screen_double.until` does that.

    Returns:
        Whether there was anything to do.
    """
    loop: Any = asyncio.get_running_loop()
    deadline = time.monotonic() + SECONDS
    did = False
    while _is_open(app):
        assert time.monotonic() < deadline, "it does not come to rest"
        if loop._ready:  # somebody can go on at once
            await asyncio.sleep(0)
        elif app._resize_event is not None:
            with app._context():  # a test may have opened another program since
                app._check_resize()  # what a clock would do in a moment
        elif _has_to_draw(app):
            with app._context():
                app.screen._on_timer_update()  # that too
        elif isinstance(app, OneByOne) and (app._waiting or (app._settling and not app._settling.done())):
            await asyncio.sleep(0.001)
        else:
            _draw(app)
            break
        did = True
    return did


def _draw(app: App[Any]) -> None:
    """Draw once what has changed."""
    compositor = app.screen._compositor
    if compositor._dirty_regions:
        with app._context():
            RENDER(compositor, screen_stack=app._background_screens)


def _is_open(app: App[Any]) -> bool:
    return app.is_running and bool(app.screen_stack) and not app._exit and not app._exception_event.is_set()


def _has_to_draw(app: App[Any]) -> bool:
    """Whether the screen in front waits for the moment in which it draws; that of one that closes never comes."""
    screen = app.screen
    if not screen.is_running or app._batch_count:
        return False
    return bool(
        screen._callbacks
        or screen._layout_required
        or screen._scroll_required
        or screen._repaint_required
        or screen._recompose_required
        or screen._dirty_widgets
    )


def have_screens_wait(patch: pytest.MonkeyPatch) -> None:
    """Have every key, click and pause of a pilot wait until the program has settled.

    The program goes on without what takes long, and takes back what it has said: neither before a test has looked.
    """

    async def wait_for_screen(pilot: Pilot[Any], timeout: float = SECONDS) -> bool:  # noqa: ARG001
        await settled(pilot.app)
        return True

    async def wait_for_idle(*_: float) -> None:
        await settled(active_app.get())

    patch.setattr(Pilot, "_wait_for_screen", wait_for_screen)
    for module in (textual_app, textual_pilot):
        patch.setattr(module, "wait_for_idle", wait_for_idle)
    patch.setattr(inputs, "AT_MOST", SECONDS)
    patch.setattr(key_bar, "SECONDS", 10 * SECONDS)
    patch.setattr(choose_screen, "AT_ONCE", SECONDS)


def have_screens_hurry(patch: pytest.MonkeyPatch) -> None:
    """Have programs draw once when they have settled, and read a style sheet once for all of them."""
    parsed: dict[Any, Any] = {}

    def render(compositor: Compositor, full: bool = False, **more: Any) -> Any:
        return RENDER(compositor, full, **more) if full else None

    def parse(sheet: Stylesheet, css: str, read_from: Any, *more: Any, **named: Any) -> Any:
        key = css, read_from, more, *named.items(), *sheet._variables.items()
        if key not in parsed:
            parsed[key] = PARSE(sheet, css, read_from, *more, **named)
        return parsed[key]

    patch.setattr(Compositor, "render_update", render)
    patch.setattr(Stylesheet, "_parse_rules", parse)
