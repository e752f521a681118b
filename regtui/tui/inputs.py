"""Keys and clicks, one after the other: each is taken when what the one before it set off has been done.

Textual hands a key to the screen in front, whose actions send messages; of two keys that come in one write, the second
is handed on before those messages have opened another screen or moved the focus. So enter twice started two runs, and
of '/dropout' the first letters were commands.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import Any

from textual import on
from textual.app import App
from textual.dom import DOMNode
from textual.events import Event, Key, MouseDown, MouseUp, Paste
from textual.message import Message
from textual.screen import Screen

AT_MOST = 2.0
"""Seconds that an input waits for what goes on before it: a widget may have gone with what it had to do."""


class OneByOne(App[int], inherit_bindings=False):
    """An app that takes inputs one by one.

    A key that leads to another screen counts once, however often it comes before that screen is seen: whoever leans on
    enter or escape means one thing. Clicks are dropped until then, for they were meant for what stood there before.
    """

    class _Passed(Message):
        """Goes the way of an input, from where that went up to the app; what the input sent is ahead of it."""

        def __init__(self, passed: asyncio.Event) -> None:
            super().__init__()
            self.passed = passed

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[Event] = deque()
        self._settling: asyncio.Task[None] | None = None

    async def on_event(self, event: Event) -> None:
        """Take an input now, or put it behind those that wait."""
        if not isinstance(event, Key | Paste | MouseDown | MouseUp) or event.is_forwarded:
            await super().on_event(event)
            return
        self._waiting.append(event)
        if self._settling is None:
            await self._take()

    async def _take(self) -> None:
        """Take the first input that waits, and see to it that the next is taken."""
        self._settling = None
        if self._waiting and self.screen_stack:
            event = self._waiting.popleft()
            front, target = self.screen, self._target(event)
            await super().on_event(event)
            self._settling = asyncio.create_task(self._settle(event, front, target))

    def _target(self, event: Event) -> DOMNode:
        """Where an input goes first."""
        if isinstance(event, MouseDown | MouseUp):
            return self.get_widget_at(event.x, event.y)[0]
        return self.focused or self.screen

    async def _settle(self, event: Event, front: Screen[Any], target: DOMNode) -> None:
        """Wait until all is done that an input has set off, then go on."""
        # Once for the input and its action, and again for what that asked of others, who may ask others in their turn.
        for _ in range(4):
            await self._pass(target, front)
        if self._front is not front and self._front is not None:
            seen = asyncio.Event()
            self._front.call_after_refresh(seen.set)
            with suppress(TimeoutError):
                await asyncio.wait_for(seen.wait(), AT_MOST)
            while self._waiting and _meant_the_same(self._waiting[0], event):
                self._waiting.popleft()
        self.call_later(self._take)

    async def _pass(self, target: DOMNode, front: Screen[Any]) -> None:
        """Wait until the way from `target` up to here is free, or there is another screen in front."""
        passed = asyncio.Event()
        if not target.post_message(self._Passed(passed)):
            return
        last = time.monotonic() + AT_MOST
        while not passed.is_set() and self._front is front and time.monotonic() < last:
            with suppress(TimeoutError):
                await asyncio.wait_for(passed.wait(), 0.05)

    @on(_Passed)
    def _has_passed(self, message: _Passed) -> None:
        message.passed.set()

    @property
    def _front(self) -> Screen[Any] | None:
        return self.screen_stack[-1] if self.screen_stack else None


def _meant_the_same(event: Event, before: Event) -> bool:
    """Whether an input that came before a screen was seen goes with the one that led to it."""
    if isinstance(event, Key):
        return isinstance(before, Key) and event.key == before.key
    return isinstance(event, MouseDown | MouseUp)
