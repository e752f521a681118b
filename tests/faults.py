"""A layer between the program and the disk: it lets calls fail, and keeps what a loss of power would leave.

All functions of Python that change files below a folder go through `Layer`. It numbers the calls and asks `fault`
before each one whether it is to fail, and with which error. What succeeds becomes an `Operation`, and a `Disk` makes
the files that are there if the power is lost after some of these operations.
"""

from __future__ import annotations

import io
import itertools
import os
import random
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

FOLLOWED = ("open", "replace", "rename", "mkdir", "unlink", "chmod", "stat", "lstat", "listdir", "scandir")
"""Functions of os whose first argument is a path."""
FOLDER = 0
"""Stands for the number of a file where there is a folder."""
BY_DESCRIPTOR = ("fsync", "fstat", "write")


class Call(NamedTuple):
    """One call: its number from 0 on, the name of the function, and the path, relative to the layer's root."""

    number: int
    name: str
    path: Path


class Operation(NamedTuple):
    """Something that has changed the files: on a path, or on the content of a file that is known by its number."""

    what: str
    path: Path = Path()
    to: Path = Path()
    file: int = 0
    data: bytes = b""
    size: int = 0


class Layer:
    """The calls below `root`, as long as the test runs.

    Attributes:
        fault: Asked before each call; returns the error number to fail with, or 0.
        partly: Whether a write that fails has written a part before.
        calls: All calls so far.
        failed: Those that failed.
        operations: What the calls that succeeded have changed.
    """

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root.resolve()
        self.fault: Callable[[Call], int] = lambda _call: 0
        self.partly = False
        self.calls: list[Call] = []
        self.failed: list[Call] = []
        self.operations: list[Operation] = []
        self._numbers: dict[int, int] = {}
        self._counter = itertools.count(1)
        self._own = {name: getattr(os, name) for name in (*FOLLOWED, *BY_DESCRIPTOR, "readlink")}
        self._own_open = io.open
        self._find_what_is_there()
        for name in FOLLOWED:
            monkeypatch.setattr(os, name, self._by_path(name))
        monkeypatch.setattr(os, "fsync", self._fsync)
        monkeypatch.setattr(os, "fstat", self._fstat)
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(io, "open", self._open)

    def _find_what_is_there(self) -> None:
        """Begin the operations with those that make the files that are there, all of them certain."""
        files = [path for path in sorted(self.root.rglob("*")) if path.is_file()]
        for path in files:
            number = self._numbers[path.stat().st_ino] = next(self._counter)
            self.operations.append(Operation("create", path.relative_to(self.root), file=number))
            self.operations.append(Operation("write", file=number, data=path.read_bytes()))
            self.operations.append(Operation("sync", file=number))
        for folder in {path.parent for path in files}:
            self.operations.append(Operation("sync folder", folder.relative_to(self.root)))

    def mark(self, what: str, number: int = 0) -> None:
        """Note among the operations that something happened: 'saved', of epoch 3."""
        self.operations.append(Operation(what, size=number))

    def write(self, descriptor: int, data: bytes) -> int:
        """As os.write."""
        path = self._path_of(descriptor)
        if path is not None:
            try:
                self._meet("write", path)
            except OSError:
                if self.partly:
                    self._wrote(descriptor, data[: self._own["write"](descriptor, data[:7])])
                raise
        written: int = self._own["write"](descriptor, data)
        if path is not None:
            self._wrote(descriptor, bytes(data[:written]))
        return written

    def truncate(self, descriptor: int, size: int) -> None:
        """Called before a file is truncated."""
        if (path := self._path_of(descriptor)) is not None:
            self._meet("truncate", path)
            self.operations.append(Operation("truncate", file=self._number(descriptor), size=size))

    def _wrote(self, descriptor: int, data: bytes) -> None:
        self.operations.append(Operation("write", file=self._number(descriptor), data=bytes(data)))

    def _below(self, path: object) -> Path | None:
        if not isinstance(path, str | os.PathLike):
            return None
        whole = Path(path).absolute()
        return whole.relative_to(self.root) if whole.is_relative_to(self.root) else None

    def _path_of(self, descriptor: int) -> Path | None:
        return self._below(self._own["readlink"](f"/proc/self/fd/{descriptor}").removesuffix(" (deleted)"))

    def _number(self, descriptor: int) -> int:
        return self._numbers[self._own["fstat"](descriptor).st_ino]

    def _meet(self, name: str, path: Path) -> None:
        call = Call(len(self.calls), name, path)
        self.calls.append(call)
        if code := self.fault(call):
            self.failed.append(call)
            raise OSError(code, os.strerror(code), str(self.root / path))

    def _by_path(self, name: str) -> Callable[..., Any]:
        own = self._own[name]

        def call(path: Any, *args: Any, **named: Any) -> Any:
            below = None if named.get("dir_fd") is not None else self._below(path)
            if below is None:
                return own(path, *args, **named)
            self._meet(name, below)
            result = own(path, *args, **named)
            if name in {"mkdir", "unlink"}:
                self.operations.append(Operation(name, below))
            if name in {"replace", "rename"} and (to := self._below(args[0])) is not None:
                self.operations.append(Operation("rename", below, to))
            return result

        return call

    def _fsync(self, descriptor: int) -> None:
        if (path := self._path_of(descriptor)) is None:
            self._own["fsync"](descriptor)
            return
        is_folder = stat.S_ISDIR(self._own["fstat"](descriptor).st_mode)
        about = {"path": path} if is_folder else {"file": self._number(descriptor)}
        try:
            self._meet("fsync", path)
        except OSError:
            self.operations.append(Operation("failed sync", **about))
            raise
        self.operations.append(Operation("sync folder" if is_folder else "sync", **about))  # a real one takes long

    def _fstat(self, descriptor: int) -> os.stat_result:
        if (path := self._path_of(descriptor)) is not None:
            self._meet("fstat", path)
        result: os.stat_result = self._own["fstat"](descriptor)
        return result

    def _open(self, file: Any, mode: str = "r", buffering: int = -1, *args: Any, **named: Any) -> Any:
        path = self._below(file)
        if path is None or set(mode) <= {"r", "b", "t"}:
            return self._own_open(file, mode, buffering, *args, **named)
        self._meet("open", path)
        is_new = not (self.root / path).exists()
        raw = _File(file, mode.replace("b", ""), self)
        if is_new:
            self._numbers[self._own["fstat"](raw.fileno()).st_ino] = number = next(self._counter)
            self.operations.append(Operation("create", path, file=number))
        if buffering == 0:
            return raw
        buffered = io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *args, **named)


class _File(io.FileIO):
    """A file whose writes go through a layer."""

    def __init__(self, file: Any, mode: str, layer: Layer) -> None:
        super().__init__(file, mode)
        self._layer = layer

    def write(self, data: Any) -> int:
        return self._layer.write(self.fileno(), bytes(data))

    def truncate(self, size: int | None = None) -> int:
        self._layer.truncate(self.fileno(), self.tell() if size is None else size)
        return super().truncate(size)


class Loss(NamedTuple):
    """How a loss of power treats what was not synced.

    Attributes:
        names: Whether a change of a folder that was not synced has happened.
        kept: How much of the content that was not synced is there, from 0 to 1.
    """

    names: Callable[[], bool]
    kept: Callable[[], float]


KILLED = Loss(lambda: True, lambda: 1.0)
"""Only the program has ended: all that it did is there."""
NOTHING_MORE = Loss(lambda: False, lambda: 0.0)
"""What was not synced has never happened."""
EMPTY_FILES = Loss(lambda: True, lambda: 0.0)
"""The names have reached the disk, and what is in the files has not."""


def by_chance(seed: int) -> Loss:
    """Each change of a name and each content has its own fate."""
    chance = random.Random(seed)
    return Loss(lambda: chance.random() < 0.5, chance.random)


class _Content:
    def __init__(self) -> None:
        self.data = self.synced = b""
        self.lost = False
        """Whether a sync has failed: the system drops what it could not write, and later ones succeed for nothing."""

    def sync(self) -> None:
        if not self.lost:
            self.synced = self.data

    def left(self, loss: Loss) -> bytes:
        """What is there after a loss of power."""
        if not self.data.startswith(self.synced):  # cut short meanwhile
            return self.data if loss.kept() > 0.5 else self.synced
        return self.data[: len(self.synced) + int(loss.kept() * (len(self.data) - len(self.synced)))]


class Disk:
    """Files as a program has changed them, and which of that is certain to outlive a loss of power."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        """The disk after these operations; it was empty before."""
        self._contents: dict[int, _Content] = {}
        self._seen: dict[Path, int] = {}
        """The file at each path, as the program sees it."""
        self._certain: dict[Path, int] = {}
        self._uncertain: list[Operation] = []
        """Changes of names since their folders were synced."""
        for operation in operations:
            self._do(operation)

    def _do(self, operation: Operation) -> None:
        match operation.what:
            case "write":
                self._contents[operation.file].data += operation.data
            case "truncate":
                content = self._contents[operation.file]
                content.data = content.data[: operation.size]
            case "sync":
                self._contents[operation.file].sync()
            case "failed sync" if operation.file:
                self._contents[operation.file].lost = True
            case "sync folder":
                for change in self._uncertain:
                    if change.path.parent == operation.path:
                        _change(self._certain, change)
                self._uncertain = [change for change in self._uncertain if change.path.parent != operation.path]
            case "create" | "mkdir":
                self._contents[operation.file] = _Content()
                self._name(operation)
            case "rename" | "unlink" if operation.path in self._seen:  # a socket is no file, and does not outlive it
                self._name(operation._replace(file=self._seen[operation.path]))

    def _name(self, change: Operation) -> None:
        self._uncertain.append(change)
        _change(self._seen, change)

    def leave(self, loss: Loss, folder: Path) -> None:
        """Make in `folder` what is there if the power is lost now; a folder that has a file is there in any case."""
        names = dict(self._certain)
        for change in self._uncertain:
            if loss.names():
                _change(names, change)
        for path, number in names.items():
            if number == FOLDER:
                (folder / path).mkdir(parents=True, exist_ok=True)
                continue
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(self._contents[number].left(loss))


def _change(names: dict[Path, int], change: Operation) -> None:
    """Create, rename or remove a name."""
    if change.what in {"create", "mkdir"}:
        names[change.path] = change.file
        return
    if names.get(change.path) == change.file:
        del names[change.path]
    if change.what == "rename":
        names[change.to] = change.file
