"""Handles keys and clicks one at a time: each waits until everything the one before it caused has been done.

Textual passes a key to the top screen, whose actions send messages. If two keys arrive in one write, the second is
passed on before those messages have opened another screen or moved the focus: pressing enter twice would start two
runs, and the first letters of '/dropout' would be taken as commands.
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
"""Seconds that an input waits at most for the one before it; a widget may be removed before it is done."""


class OneByOne(App[int], inherit_bindings=False):
    """An app that handles inputs one at a time.

    A key that opens or closes a screen counts once, even if it repeats before the new screen is drawn: whoever holds
    enter or escape means one thing. Clicks are ignored until then, because they were meant for the previous screen.
    A question takes nothing that was typed before it could be read.
    """

    class _Passed(Message):
        """A message sent along the path of an input up to the app; when it arrives, everything before it is done."""

        def __init__(self, passed: asyncio.Event) -> None:
            super().__init__()
            self.passed = passed

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[Event] = deque()
        self._settling: asyncio.Task[None] | None = None

    async def on_event(self, event: Event) -> None:
        """Handle an input now, or append it to the waiting ones."""
        if not isinstance(event, Key | Paste | MouseDown | MouseUp) or event.is_forwarded:
            await super().on_event(event)
            return
        self._waiting.append(event)
        if self._settling is None:
            await self._take()

    async def _take(self) -> None:
        """Handle the first waiting input and schedule the next."""
        self._settling = None
        if self._waiting and self.screen_stack:
            event = self._waiting.popleft()
            front, target = self.screen, self._target(event)
            await super().on_event(event)
            self._settling = asyncio.create_task(self._settle(event, front, target))

    def _target(self, event: Event) -> DOMNode:
        """The widget or screen that gets an input first."""
        if isinstance(event, MouseDown | MouseUp):
            return self.get_widget_at(event.x, event.y)[0]
        return self.focused or self.screen

    async def _settle(self, event: Event, front: Screen[Any], target: DOMNode) -> None:
        """Wait until everything an input caused is done, then go on."""
        # Several rounds: the input's action may send messages, whose handlers may send further ones.
        for _ in range(4):
            await self._pass(target, front)
        if self._front is not front and self._front is not None:
            seen = asyncio.Event()
            self._front.call_after_refresh(seen.set)
            with suppress(TimeoutError):
                await asyncio.wait_for(seen.wait(), AT_MOST)
            while self._waiting and _meant_the_same(self._waiting[0], event):
                self._waiting.popleft()
            if getattr(self._front, "DROPS_TYPED_AHEAD", False):
                self._waiting.clear()
        self.call_later(self._take)

    async def _pass(self, target: DOMNode, front: Screen[Any]) -> None:
        """Wait until all nodes from `target` up to the app have handled their messages, or another screen is on top."""
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
    """Whether an input that came before a new screen was drawn repeats the one that opened it."""
    if isinstance(event, Key):
        return isinstance(before, Key) and event.key == before.key
    return isinstance(event, MouseDown | MouseUp)
