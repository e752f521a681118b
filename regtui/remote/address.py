"""Where a run listens: a Unix socket in its folder, or, where the disk has none, in the user's runtime folder.

A socket appears under its name only when it listens, so that one on which nobody answers is left over from a process
that was killed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import secrets
import shutil
import socket
import stat
import struct
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from regtui.errors import InputError
from regtui.runs.files import read_json

NAME = "control.sock"
"""The socket in a run's folder."""
SUFFIX = ".sock"
BACKLOG = 128
"""Connections that wait until they are accepted."""
_AGAIN = 0.02
"""Seconds between two attempts to connect where too many wait."""
LONGEST = 104 if sys.platform == "darwin" else 108
"""A socket's path must have fewer bytes; the system's structure for it has no more room."""
_DRAFTS = ".control-"
"""The beginning of the name of a folder in which a socket is made, before it gets its place."""
_OLD = 60.0
"""Seconds after which such a folder is left over."""
_LONGEST_DRAFT = len(f"/{_DRAFTS}12345678/s")


class TakenError(OSError):
    """Another process answers there, or something else than a socket stands there."""


class ForeignError(OSError):
    """The process at the other end belongs to another user."""


class Peer(NamedTuple):
    """The process at the other end of a connection; `pid` is 0 if it can't be told."""

    pid: int
    uid: int

    @property
    def is_trusted(self) -> bool:
        """Whether it may do what this process does: it is of the same user, or of root."""
        return self.uid in {0, os.geteuid()}


class Listening:
    """A socket that listens for viewers of one run.

    Attributes:
        socket: Listens.
        path: Where it was made; a run's folder may have been moved since.
    """

    def __init__(self, folder: Path, name: str) -> None:
        """Listen at `name` in `folder`, with mode 0600 from the first moment; one that nobody listens at is replaced.

        Raises:
            TakenError: Somebody listens there, or something else stands there.
            OSError: There can be no socket there.
        """
        self.path = folder / name
        self._is_open = True
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.socket = _listen(folder, name)
            self._file = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except BaseException:
            os.close(self._folder)
            raise

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is in the user's runtime folder instead of the run's."""
        return self.path.name != NAME

    def is_in_place(self, run: Path) -> bool:
        """Whether the socket is still where viewers look for it, for the run in this folder."""
        try:
            return os.path.samestat(self._file, self._place(run).lstat())
        except OSError:
            return False

    def again(self, run: Path) -> Listening:
        """Listen anew where viewers look for it.

        Raises:
            OSError: There can be no socket there now.
        """
        place = self._place(run)
        if self.is_elsewhere and runtime_folder() != place.parent:  # which is removed when the user logs out
            raise FileNotFoundError(errno.ENOENT, "there is no such folder now", str(place.parent))
        return Listening(place.parent, place.name)

    def _place(self, run: Path) -> Path:
        return self.path if self.is_elsewhere else run / NAME

    def remove(self) -> None:
        """Stop listening, and remove the socket, also if its folder was renamed."""
        if not self._is_open:
            return
        self._is_open = False
        name = self.path.name
        with suppress(OSError):
            if os.path.samestat(self._file, os.stat(name, dir_fd=self._folder, follow_symlinks=False)):
                os.unlink(name, dir_fd=self._folder)
        self.socket.close()
        os.close(self._folder)


def listen(folder: Path) -> Listening:
    """Listen in a run's folder, or else in the user's runtime folder.

    Raises:
        TakenError: Another process answers there already.
        OSError: There can be no socket in either.
    """
    _check_system()
    try:
        return Listening(folder, NAME)
    except TakenError:
        raise
    except OSError as in_the_run:
        try:
            place = runtime_folder()
            remove_left_over(place)
            return Listening(place, f"{_host()}-{secrets.token_hex(8)}{SUFFIX}")
        except OSError as elsewhere:
            why = f"there is no socket in its folder ({in_the_run.strerror or in_the_run}) and none in the user's "
            why += f"runtime folder ({elsewhere.strerror or elsewhere})"
            raise OSError(in_the_run.errno, why) from None


def connect(folder: Path, seconds: float) -> socket.socket:
    """A connection to the process that trains the run in `folder`; each of its operations takes so long at most.

    Raises:
        ForeignError: Who answers there belongs to another user.
        OSError: Nobody answers.
    """
    _check_system()
    try:
        return _connected(folder, NAME, seconds)
    except ForeignError:
        raise
    except OSError as in_the_run:
        elsewhere = _named_in(folder)
        if elsewhere is None:
            raise in_the_run from None
        return _connected(elsewhere.parent, elsewhere.name, seconds)


def peer_of(connection: socket.socket) -> Peer:
    """The process at the other end, as the system knows it.

    Raises:
        OSError: The system does not tell.
    """
    if sys.platform == "linux":
        pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return Peer(pid, uid)
    if sys.platform == "darwin":
        local, credentials, process = 0, 1, 2  # SOL_LOCAL, LOCAL_PEERCRED, LOCAL_PEERPID in sys/un.h
        uid = struct.unpack_from("2I", connection.getsockopt(local, credentials, 76))[1]
        return Peer(struct.unpack("i", connection.getsockopt(local, process, 4))[0], uid)
    raise OSError(errno.ENOTSUP, "this system does not tell who connects")


def runtime_folder() -> Path:
    """The folder for sockets in the user's runtime folder; created if it doesn't exist.

    Raises:
        OSError: There is none, or others may write there.
    """
    folder = _runtime_path()
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    above, own = folder.parent.lstat(), folder.lstat()
    for state in (above, own):
        if not stat.S_ISDIR(state.st_mode) or state.st_uid not in {0, os.geteuid()}:
            raise OSError(errno.EPERM, f"{folder} is not a folder of this user")
    if own.st_uid != os.geteuid() or (above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX):
        raise OSError(errno.EPERM, f"others may write in {folder.parent}")
    folder.chmod(0o700)
    return folder


def clean_runtime_folder() -> None:
    """Remove what killed processes have left in the user's runtime folder, if there is one."""
    with suppress(OSError):
        if _runtime_path().is_dir():
            remove_left_over(runtime_folder())


def remove_left_over(folder: Path) -> None:
    """Remove the sockets and drafts of processes that were killed: those that nobody listens at.

    Sockets of other hosts stay, where the folder is on a disk that they share: nobody can tell from here who listens.
    """
    for path in folder.glob(f"{_host()}-*{SUFFIX}"):
        with suppress(OSError):
            if not _is_answered(path):
                path.unlink()
    _remove_drafts(folder)


def remove_from_run(folder: Path) -> None:
    """Remove the socket that a killed process has left in its run's folder; only for a run that nobody trains."""
    with suppress(OSError):
        if stat.S_ISSOCK((folder / NAME).lstat().st_mode) and not _is_answered(folder / NAME):
            (folder / NAME).unlink()


def _check_system() -> None:
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(errno.ENOTSUP, "this system has no Unix sockets")


def _runtime_path() -> Path:
    """Where the folder for sockets is, or would be."""
    from platformdirs import user_runtime_path

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the system has none, it is one below the folder for temporary files
        return user_runtime_path("regtui", appauthor=False)


def _host() -> str:
    """What the names of this host's sockets begin with."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _named_in(folder: Path) -> Path | None:
    """The socket in the user's runtime folder that a run's run.json names; None if it names none."""
    try:
        named = read_json(folder / "run.json").get("socket")
    except (OSError, InputError):
        return None
    if not isinstance(named, str):
        return None
    path = Path(named)  # a folder from elsewhere can name anything, as the socket of another program
    return path if path.suffix == SUFFIX and path.parent.name == "regtui" and path.is_absolute() else None


def _listen(folder: Path, name: str) -> socket.socket:
    """Make a socket in a folder that only this user may enter, and move it to its place once it listens."""
    _remove_drafts(folder)
    with _short(folder, _LONGEST_DRAFT) as near:
        draft = Path(tempfile.mkdtemp(prefix=_DRAFTS, dir=near))
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            draft.chmod(0o700)  # whatever the umask
            made = draft / "s"
            listener.bind(str(made))
            made.chmod(0o600)
            listener.listen(BACKLOG)
            listener.setblocking(False)
            _check(listener, made)
            if _is_taken(Path(near, name)):
                raise TakenError(errno.EADDRINUSE, f"something else is at {folder / name}")
            made.replace(Path(near, name))
        except BaseException:
            listener.close()
            raise
        finally:
            with suppress(OSError):  # which it raises all the same if the folder's state can't be asked for
                shutil.rmtree(draft, ignore_errors=True)
    return listener


def _check(listener: socket.socket, path: Path) -> None:
    """See that one can connect there: some disks make sockets that can't be used.

    Raises:
        OSError: One can't, or the system does not tell who does.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        attempt.setblocking(False)
        attempt.connect(str(path))
        connection, _ = listener.accept()
        with connection:
            peer_of(connection)


def _is_taken(path: Path) -> bool:
    """Whether another process listens at this path, or something else than a socket stands there."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return True
    except FileNotFoundError:
        return False
    return _is_answered(path)


def _is_answered(path: Path) -> bool:
    """Whether a process listens at this socket.

    Raises:
        OSError: That can't be told.
    """
    with _short(path.parent, len(path.name) + 1) as near, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        attempt.setblocking(False)
        try:
            _has_room(attempt, Path(near, path.name))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
    return True


def _connected(folder: Path, name: str, seconds: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        deadline = time.monotonic() + seconds
        with _short(folder, len(name) + 1) as near:
            while not _has_room(connection, Path(near, name)):
                if time.monotonic() > deadline:
                    raise TimeoutError(errno.ETIMEDOUT, "too many others wait there")
                time.sleep(_AGAIN)
        if os.geteuid() != 0 and not peer_of(connection).is_trusted:
            raise ForeignError(errno.EPERM, "it belongs to another user")
    except BaseException:
        connection.close()
        raise
    return connection


def _has_room(connection: socket.socket, path: Path) -> bool:
    """Connect there, unless too many wait there already."""
    try:
        connection.connect(str(path))
    except BlockingIOError:
        return False
    return True


@contextmanager
def _short(folder: Path, more: int) -> Iterator[str]:
    """A path of `folder` to which `more` bytes can be added for a socket's path.

    Raises:
        OSError: The folder can't be opened, or its path is too long and there is no other.
    """
    if len(os.fsencode(folder)) + more < LONGEST:
        yield str(folder)
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        near = f"/proc/self/fd/{handle}"
        if not Path(near).exists():
            raise OSError(errno.ENAMETOOLONG, "its path is too long for a socket")
        yield near
    finally:
        os.close(handle)


def _remove_drafts(folder: Path) -> None:
    """Remove what a process that was killed in the middle of making a socket has left there."""
    for path in folder.glob(f"{_DRAFTS}*"):
        with suppress(OSError):
            if path.lstat().st_mtime < time.time() - _OLD:  # another process may make one at this moment
                shutil.rmtree(path, ignore_errors=True)
