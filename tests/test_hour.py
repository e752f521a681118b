"""An hour of training under a screen that is never left alone: its memory stays, and it shows what the log has.

REGTUI_SOAK_SECONDS makes it shorter or longer. The memory is judged from the epoch on in which the log keeps as many
losses of steps as it ever does; on two cores that have nothing else to do that takes about six minutes.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from regtui.runs.event_file import KEPT
from tests.same_run import assert_whole
from tests.terminal import Terminal
from tests.test_terminal import assert_restored

SECONDS = float(os.environ.get("REGTUI_SOAK_SECONDS", "3600"))
FULL = KEPT // (2 * 750) + 1
"""The epoch, of two arms and 750 steps, from which on the log keeps no more losses of steps."""
FLAT = 0.05
SLOW = 600.0
"""Seconds that a screen may take, for the machine may do other work beside."""
TAIL = 400_000
"""Bytes of the log's end: more than an epoch."""
VIEWERS, SIZES = 3, 6
WIDE, HIGH = 120, 36
LOOKS = ("v", "o", "l", "L", "r", "m", "a", "\x1b[D", "\x1b[C", "\x1b[H", "\x1b[F")
"""Keys that change what is seen."""
PAGES = ("w", "x", "i", "f", "?")
"""Keys that open a page above it."""
STEERS = ("+-", "><", "<>", "-+")
"""Keys that change how it trains, and back."""
ROW = r"{} {}\s[^\n]*?(\d+)/\d+ +([\d.e−]+) +([\d.e−]+) "
ARMS = {"baseline": "●", "regularized": "◆"}


class Soaked:
    """A run under its own screen and under screens that come and go."""

    def __init__(self, logs: Path, own: Terminal, chance: random.Random) -> None:
        self.logs, self.own, self.chance = logs, own, chance
        self.viewers: list[Terminal] = []
        self.compared = 0
        self.memory: list[tuple[int, dict[str, float]]] = []
        # Few, since Textual and Rich remember what they have laid out and drawn in each, and forget it late.
        self.sizes = [(chance.randrange(40, 200), chance.randrange(12, 60)) for _ in range(SIZES)]

    @property
    def folder(self) -> Path:
        """The run's folder."""
        (only,) = self.logs.iterdir()
        return only

    @property
    def screens(self) -> list[Terminal]:
        """All that show it."""
        return [self.own, *self.viewers]

    def read(self, seconds: float) -> None:
        """Take in what all screens write, for about so long."""
        for screen in self.screens:
            screen.read(seconds / len(self.screens))
            screen.forget()

    def tail(self, *kinds: str) -> list[dict[str, Any]]:
        """The log's last events of some kinds, in order."""
        with (self.folder / "events.jsonl").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            found = []
            for line in file.read().split(b"\n"):
                with suppress(ValueError):  # cut off before or behind
                    found.append(json.loads(line))
        return [event for event in found if isinstance(event, dict) and event["kind"] in kinds]

    def until(self, condition: Callable[[], object], seconds: float = SLOW) -> None:
        """Take in what screens write until something is true."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, [screen.text[-2000:] for screen in self.screens]
            self.read(0.1)

    def look(self) -> None:
        """Another view, somewhere."""
        self.press(self.chance.choice(self.screens), self.chance.choice(LOOKS))

    def turn(self) -> None:
        """Another page above its own screen, and back."""
        self.open(self.chance.choice(PAGES))

    def open(self, page: str) -> None:
        """A page above its own screen, and back, by a key that leads away from the run where it is only watched."""
        self.press(self.own, page)
        self.press(self.own, "\x1b")
        with suppress(AssertionError):  # there may have been nothing to leave
            self.own.until("space", 20)  # the footer: a key that came together with escape would be another one

    def steer(self) -> None:
        """Change how it trains, and back."""
        self.press(self.chance.choice(self.screens), self.chance.choice(STEERS))

    def resize(self) -> None:
        """Another size of one screen."""
        self.chance.choice(self.screens).resize(*self.chance.choice(self.sizes))

    def come(self) -> None:
        """One more who watches."""
        if len(self.viewers) < VIEWERS:
            self.viewers.append(Terminal("-m", "regtui", "attach", self.folder))
            self.viewers[-1].until("left", SLOW)

    def go(self) -> None:
        """One who watches leaves: by a key, by closing the terminal, or killed."""
        if not self.viewers:
            return
        viewer = self.viewers.pop(self.chance.randrange(len(self.viewers)))
        with viewer:
            match self.chance.choice(("key", "terminal", "kill")):
                case "key":
                    viewer.press("q")
                    code = viewer.wait()
                    assert code == 0, viewer.text[-4000:]
                    assert_restored(viewer)
                case "terminal":
                    viewer.hang_up()
                    assert viewer.all_gone(SLOW)
                case _:
                    viewer.signal(signal.SIGKILL)
                    viewer.wait()

    def compare(self) -> None:
        """Pause it somewhere; then each screen shows of the newest epoch what the log has."""
        self.pause("paused")
        newest = {event["arm"]: event for event in self.tail("epoch_done")}
        for screen in self.screens if newest else ():
            screen.press("\x1b[F")  # to the newest epoch, whatever was looked at
            deadline = time.monotonic() + SLOW
            while not shows(screen, newest):
                assert not screen.has_ended, (screen is self.own, screen.exit_code())
                assert time.monotonic() < deadline, (newest, screen.text[-6000:])
            self.compared += 1
        self.pause("resumed")

    def pause(self, kind: str) -> None:
        """Press the key that pauses or resumes somewhere, until the log has it; a starved screen may not take it."""
        for _ in range(10):
            self.press(self.chance.choice(self.screens), " ")
            with suppress(AssertionError):
                return self.until(
                    lambda: [event["kind"] for event in self.tail("paused", "resumed")][-1:] == [kind], 60
                )
        raise AssertionError(f"it was not {kind}")

    def press(self, screen: Terminal, keys: str) -> None:
        """Type keys, each alone."""
        for key in re.findall(r"\x1b\[.|.", keys, re.DOTALL):
            screen.press(key)
            screen.read(0.2)

    def weigh(self, since: float) -> None:
        """Keep how much memory the program and its workers have."""
        program = self.own.process.memory_info().rss
        workers = sum(one.memory_info().rss for one in self.own.family()) - program
        epoch = max((event["epoch"] for event in self.tail("epoch_done")), default=0)
        self.memory.append((epoch, {"program": program / 1e6, "workers": workers / 1e6}))
        told = f"epoch {epoch}  {self.memory[-1][1]}  {len(self.viewers)} watch, {self.compared} compared"
        print(f"{since:6.0f} s  {told}", flush=True)


def shows(screen: Terminal, newest: dict[str, dict[str, Any]]) -> bool:
    """Whether a screen, drawn anew, has a row with these losses for each arm."""
    screen.forget()
    for width in (WIDE - 1, WIDE):  # another size has it draw all of it
        screen.resize(width, HIGH)
        screen.read(0.5)
    return any(has_rows(screen, newest) or not screen.read(0.5) for _ in range(20)) and has_rows(screen, newest)


def has_rows(screen: Terminal, newest: dict[str, dict[str, Any]]) -> bool:
    """Whether what a screen has drawn since it was last forgotten has a row with these losses for each arm."""
    rows = {arm: re.findall(ROW.format(mark, arm), screen.text)[-1:] for arm, mark in ARMS.items()}
    return all(
        int(epoch) == newest[arm]["epoch"]
        and is_rounded(train, newest[arm]["train_loss"])
        and is_rounded(val, newest[arm]["val_loss"])
        for arm, found in rows.items()
        for epoch, train, val in found or [(-1, "0", "0")]
    )


def is_rounded(shown: str, logged: float) -> bool:
    """Whether a text shows a number, to the digits that it has."""
    shown = shown.replace("−", "-")
    mantissa, _, exponent = shown.partition("e")
    digit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return abs(float(shown) - logged) <= digit / 2 * 1.001


@pytest.mark.soak
def test_an_hour_under_a_screen_that_is_never_left_alone(tmp_path: Path, mnist_file: Path) -> None:
    assert mnist_file.exists()
    chance = random.Random(13)
    options = ("--preset", "dropout", "--start", "--epochs", "100000", "--patience", "10000")
    with Terminal("-m", "regtui", "--log-dir", tmp_path / "logs", *options, columns=WIDE, rows=HIGH) as own:
        own.until("left", SLOW)
        soaked = Soaked(tmp_path / "logs", own, chance)
        for page in PAGES:
            soaked.open(page)  # what it takes to show each page once is needed once
        looks = [soaked.look, soaked.turn, soaked.resize]
        actions = [*looks, soaked.steer, soaked.come, soaked.go, soaked.compare]
        began = time.monotonic()
        try:
            while (since := time.monotonic() - began) < SECONDS:
                if since > len(soaked.memory) * SECONDS / 40:
                    soaked.weigh(since)
                chance.choice(actions)()
                soaked.read(chance.uniform(0, 3))
        finally:
            for viewer in soaked.viewers:
                viewer.__exit__(None, None, None)
        soaked.viewers.clear()
        own.press("s")
        own.until("validate, test, save")
        own.read(1)
        own.press("k")
        own.until("new seed", SLOW)  # a key that there is after the end
        own.press("q")
        assert own.wait(SLOW) == 4
    assert soaked.compared > 0
    assert_whole(soaked.folder)
    for part in ("program", "workers"):
        sizes = [size[part] for epoch, size in soaked.memory if epoch >= FULL]
        middle = sorted(sizes)[len(sizes) // 2] if sizes else 0.0
        assert max((abs(size - middle) for size in sizes), default=0.0) <= FLAT * middle, f"{part}: {sizes}"
