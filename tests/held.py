"""The command line, whose runs wait for a test at the end of an epoch: what it does meanwhile comes while they go on.

This file is the program as well: `python held.py FOLDER EPOCH WORDS...` is `regtui WORDS...`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Gate:
    """Where each run waits when it has told of an epoch, and has not saved it yet.

    It is passed when it is open, when a process that trains has ended, and when the screen of the program has gone.

    Attributes:
        folder: Where it is kept what is known of it.
        epoch: At whose end it is.
        program: What comes after `python` for the command line whose runs wait.
    """

    def __init__(self, folder: Path, epoch: int = 1) -> None:
        """Make one at the end of an epoch; what is known of it is in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.epoch = folder, epoch
        self.program = ["-P", __file__, str(folder), str(epoch)]

    @property
    def waiting(self) -> int:
        """How many runs have come to it."""
        return len(list(self.folder.glob("*.came")))

    def open(self) -> None:
        """Let all pass."""
        (self.folder / "open").touch()

    def before(self, decide: Callable[[Any, Mapping[str, Any]], None]) -> Callable[[Any, Mapping[str, Any]], None]:
        """What the trainer does after it has measured an epoch, but that it waits here first."""

        def wait_and_decide(trainer: Any, measured: Mapping[str, Any]) -> None:
            if trainer.progress.epoch == self.epoch:
                (self.folder / f"{id(trainer)}.came").touch()
                while not ((self.folder / "open").exists() or getattr(trainer.crew, "has_lost_one", False)):
                    time.sleep(0.01)
            decide(trainer, measured)

        return wait_and_decide

    def hold(self) -> None:
        """Have the runs of this program wait."""
        from regtui.engine.trainer import Trainer

        setattr(Trainer, "_decide", self.before(Trainer._decide))  # noqa: B010
        if "--headless" not in sys.argv:
            from regtui.tui import start, without_screen

            async def open_and_go_on(app: Any, *, debug: bool) -> None:
                self.open()
                await without_screen.go_on_without_screen(app, debug=debug)

            setattr(start, "go_on_without_screen", open_and_go_on)  # noqa: B010


if __name__ == "__main__":
    Gate(Path(sys.argv[1]), int(sys.argv[2])).hold()
    del sys.argv[1:3]
    from regtui.__main__ import main

    main()
