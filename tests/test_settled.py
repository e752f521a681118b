"""Who looks at a program after a key sees all that the key does, also where the machine gives it no processor."""

from __future__ import annotations

import asyncio
import time

import pytest
from textual import on
from textual.app import App, ComposeResult
from textual.message import Message
from textual.widgets import Static

from tests.settled import settled

HOPS = 20


class Hopping(App[None]):
    """A key's message leads to the next one, the last to rows of text; before each there is no processor."""

    class Hop(Message):
        """One of them, counted from 1."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def compose(self) -> ComposeResult:
        yield Static("")

    def on_key(self) -> None:
        self.post_message(self.Hop(1))

    @on(Hop)
    async def _hop(self, event: Hop) -> None:
        time.sleep(0.01)
        await asyncio.sleep(0)
        if event.number < HOPS:
            self.post_message(self.Hop(event.number + 1))
        else:
            self.query_one(Static).update("\n" * (HOPS - 1))


async def test_after_a_key_the_last_of_its_messages_is_handled_and_laid_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textual._wait.process_time", lambda: 0.0)
    async with Hopping().run_test() as pilot:
        await pilot.press("x")
        assert pilot.app.query_one(Static).size.height == HOPS
        assert not await settled(pilot.app), "there is nothing more to do"


async def test_after_a_resize_the_program_has_the_new_size() -> None:
    async with Hopping().run_test(size=(80, 24)) as pilot:
        for size in ((40, 12), (120, 36)):
            await pilot.resize_terminal(*size)
            assert pilot.app.screen.size == size
            assert pilot.app.query_one(Static).size.width == size[0]
