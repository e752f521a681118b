"""A run as the process that trains it tells it, which takes the user's commands; several may listen at once."""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable
from pathlib import Path

from regtui.protocol.control import Command
from regtui.protocol.events import Event
from regtui.protocol.history import History
from regtui.remote.address import NAME
from regtui.remote.client import Link
from regtui.runs.alive import is_of_here, is_stopped
from regtui.runs.circumstances import read_circumstances
from regtui.runs.resumable import is_of_study
from regtui.text import one_line
from regtui.tui.review.replay import conclude, without_losses
from regtui.tui.run.session import Session


class Attachment:
    """Tells a run to a session, in the thread of a link to the process that trains it.

    Attributes:
        over: Set when nothing more will be told: the session has ended then, or there is nobody who trains the run.
    """

    def __init__(self, session: Session, folder: Path, say: Callable[[str, bool], object]) -> None:
        """Prepare it; `say` receives sentences for the user, and whether something went wrong."""
        self.over = threading.Event()
        self._session, self._folder, self._say = session, folder, say
        self._shown: History | None = None
        """What has happened before, until all of that is told; then the session shows it at once."""
        self._history = History()  # a second one, because the session's belongs to the screen's thread
        self._link = Link(
            folder,
            self._tell,
            self._end,
            on_begin=self._begin,
            on_present=self._present,
            on_refused=lambda why: say(_sentence(why), True),
            on_wait=self._wait,
        )

    def connect(self) -> None:
        """Connect; from then on the session is told and takes commands.

        Raises:
            InputError: Nobody answers.
        """
        self._link.connect()

    def send(self, command: Command) -> None:
        """Send the user's command to the run."""
        self._link.send(command)

    def close(self) -> None:
        """Leave the run, which goes on."""
        self._link.close()

    # In the link's thread

    def _begin(self, folder: Path) -> None:
        """All events follow, from the first one on."""
        self._session.folder = self._folder = folder
        self._shown, self._history = History(), History()

    def _present(self) -> None:
        """What follows happens now."""
        if self._shown is not None:
            self._session.begin_anew(self._shown)
            self._shown = None

    def _tell(self, event: Event) -> None:
        self._history.add(without_losses(event))
        if self._shown is not None:
            self._shown.add(event)
        else:
            self._session.tell(event)

    def _wait(self, why: str) -> None:
        self._say(_sentence(why) if why else f"The run goes on in {trainer(self._folder)}.", False)

    def _end(self, why: str) -> None:
        self._present()
        if not why:
            conclude(self._session, self._folder, self._history)
        self.over.set()


def unreachable(folder: Path) -> str:
    """Why the process that trains the run in `folder` is not asked, in a sentence; empty if it seems to listen."""
    told = read_circumstances(folder)
    if not is_of_here(told):
        host = told.get("host")
        where = f"on {one_line(host)}" if host != platform.node() else "in another container, or was before a restart"
        return f"This run is trained {where}: here its log is followed, and there 'regtui attach' steers it."
    if isinstance(told.get("socket"), str) or (folder / NAME).exists():
        return ""
    if is_of_study(folder):
        return "This run belongs to a study, and goes on as its plan says: its log is followed."
    return f"{trainer(folder).capitalize()} trains this run and lets nobody attach: its log is followed."


def stands_still(folder: Path) -> str:
    """What to do where a signal has stopped the process that trains the run in `folder`; empty where none has."""
    told = read_circumstances(folder)
    if not is_stopped(told):
        return ""
    return f"{trainer(folder).capitalize()} stands still, as after Ctrl-Z: kill -CONT {told['pid']} lets it go on."


def trainer(folder: Path) -> str:
    """Who trains the run in `folder`, in words: 'process 123'."""
    pid = read_circumstances(folder).get("pid")
    return f"process {pid}" if isinstance(pid, int) else "another process"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
