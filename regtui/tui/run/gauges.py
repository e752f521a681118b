"""How much of the machine the processes that train use now: sampled once a second, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from regtui.protocol.history import History
from regtui.text import megabytes

if TYPE_CHECKING:
    import psutil

SECONDS = 1.0
"""Between two samples."""
MEMORY_EVERY = 10
"""So many samples share one look at the memory. To count each shared page once costs the system 4 ms a process."""


class Gauges:
    """Processor time and memory of some processes, as last sampled.

    Attributes:
        words: '198 % · 465 MB': of one processor, and of memory that other processes share only their part; empty
            before the second sample.
    """

    def __init__(self, pids: Callable[[], Sequence[int]]) -> None:
        """Sample nothing yet; `pids` tells the process numbers, which may change."""
        self.words = ""
        self._pids = pids
        self._processes: dict[int, psutil.Process] = {}
        self._used: dict[int, float] = {}
        self._sampled_at = 0.0
        self._memory = self._samples = 0

    def sample(self, now: float) -> None:
        """Look at the processes; `now` is the time in seconds."""
        import psutil  # 40 ms

        used: dict[int, float] = {}
        weigh, memory = self._samples % MEMORY_EVERY == 0, 0
        for pid in self._pids():
            with suppress(psutil.Error):  # it has just ended
                if pid not in self._processes:
                    self._processes[pid] = psutil.Process(pid)
                process = self._processes[pid]
                times = process.cpu_times()
                used[pid] = times.user + times.system
                memory += _memory_of(process) if weigh else 0
        self._memory = memory if weigh else self._memory
        busy = sum(used[pid] - self._used[pid] for pid in used if pid in self._used)
        if self._samples and now > self._sampled_at:
            share = 100 * busy / (now - self._sampled_at)
            self.words = f"{share:3.0f} % · {megabytes(self._memory)}" if used else ""  # as wide with two digits
        self._used, self._sampled_at, self._samples = used, now, self._samples + 1

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within this context a thread samples."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(SECONDS):
                self.sample(time.monotonic())

        threading.Thread(target=watch, name="gauges", daemon=True).start()
        try:
            yield
        finally:
            over.set()
            self.words = ""


def machine_words(history: History, gauges: str) -> str:
    """'cpu 198 % · 465 MB', on a GPU with what torch holds of its memory before; empty without a sample."""
    if not gauges or history.started is None:
        return ""
    held = [arm.last.gpu_bytes for arm in history.arms.values() if arm.last is not None and arm.last.gpu_bytes]
    gpu = f"{history.started.device} {megabytes(max(held))} · " if held else ""
    return f"{gpu}cpu {gauges}"


def _memory_of(process: psutil.Process) -> int:
    """Bytes in memory; where the system tells it, of a page that several processes share only their part."""
    import psutil

    if psutil.LINUX:
        with suppress(psutil.AccessDenied):
            return int(process.memory_full_info().pss)
    return int(process.memory_info().rss)
