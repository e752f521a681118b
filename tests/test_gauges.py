"""What the gauges of a run say, of this process itself."""

from __future__ import annotations

import os
import re
import time

from regtui.protocol.events import RunFinished
from regtui.text import megabytes
from regtui.tui.run.gauges import Gauges, machine_words
from regtui.tui.run.header import header_line
from tests.test_tui_parts import COLOURS, PRESET, telling

NOBODY = 2**22 + 1
"""A process number that Linux does not give."""


def test_the_time_and_memory_of_the_living_are_told_from_the_second_sample_on() -> None:
    gauges = Gauges(lambda: [os.getpid(), NOBODY])
    gauges.sample(10.0)
    assert gauges.words == ""
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    gauges.sample(10.5)
    told = re.fullmatch(r" *(\d+) % · (\d+) MB", gauges.words)
    assert told is not None
    assert int(told[1]) >= 18, "0.1 s of work in half a second, in the system's ticks of 10 ms"
    assert int(told[2]) >= 10


def test_nothing_is_told_where_nothing_trains() -> None:
    gauges = Gauges(lambda: [NOBODY])
    for now in (1.0, 2.0):
        gauges.sample(now)
    assert gauges.words == ""
    with gauges.watched():
        gauges.words = "1 % · 2 MB"
    assert gauges.words == "", "after the end either"


def test_sizes_in_few_cells() -> None:
    assert [megabytes(count) for count in (312_400_000, 999_000_000, 1_250_000_000)] == ["312 MB", "999 MB", "1.2 GB"]


def test_the_line_at_the_top_has_them_in_place_of_the_device_where_there_is_room() -> None:
    told = telling().epochs([0.5, 0.4], [0.5, 0.4])

    def line(width: int, gauges: str = "198 % · 465 MB") -> str:
        return header_line(PRESET, told.history, width, COLOURS, gauges=gauges).plain

    assert " · cpu 198 % · 465 MB · " in line(130)
    for width in range(40, 131):
        shown = line(width)
        assert len(shown) <= width
        assert ("198 %" in shown) == (width >= 102), "below, i tells it"
        assert "lr 0.001" in shown or "198 %" not in shown
    for arm in told.history.arms.values():
        arm.epochs[-1] = arm.epochs[-1].model_copy(update={"gpu_bytes": 1_234_000_000})
    assert machine_words(told.history, "98 % · 2.1 GB") == "cpu 1.2 GB · cpu 98 % · 2.1 GB", "the device's own name"
    assert told.history.add(RunFinished(t=1, status="finished"))
    assert "%" not in line(130, "")
