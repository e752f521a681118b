"""The process that hosts arms: receives a method's name and arguments, calls it, and sends back the result.

It imports its host, and with it torch, only after it has set up its streams and signals.
"""

from __future__ import annotations

import gc
import os
import pickle
import queue
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from regtui.errors import RegtuiError
from regtui.heap import keep_freed_memory
from regtui.signals import deadly

if TYPE_CHECKING:
    from regtui.arm.host import Host


class Failure(NamedTuple):
    """Sent in place of a result: an error that a person can fix, or a traceback."""

    error: RegtuiError | None
    traceback: str


def begin(channel: str) -> None:
    """Answer calls, or, given the number of a socket, fork processes that do. Does not return."""
    for number in deadly():  # signals are meant for the run, which decides what to do
        signal.signal(number, signal.SIG_IGN)
    keep_freed_memory()
    if channel:
        host = _attempt(_host)
        _become_forked(socket.socket(fileno=int(channel)))
        _answer(lambda: host)
    else:
        _answer(lambda: _attempt(_host))


def _become_forked(channel: socket.socket) -> None:
    """Fork a process for each pair of streams that comes over the channel; returns in each of these, with its streams.

    Tells of them over the channel, as pickled tuples (word, process number, exit code): "forked", in the order in which
    they were asked for, and "ended". Ends itself when the other end of the channel is closed.
    """
    gc.collect()
    gc.freeze()  # the collector would write to the memory that is shared, and so copy it
    alone = _has_one_thread()

    def tell_ends(*_signal: object) -> None:
        with suppress(ChildProcessError, BrokenPipeError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                channel.send(pickle.dumps(("ended", ended[0], os.waitstatus_to_exitcode(ended[1]))))

    signal.signal(signal.SIGCHLD, tell_ends)
    while True:
        request, streams, _, _ = socket.recv_fds(channel, 1, 2)
        if not request:
            os._exit(0)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # nobody is told of an end before the beginning
        pid = os.fork()
        if pid == 0:
            break
        with suppress(BrokenPipeError):
            channel.send(pickle.dumps(("forked", pid, 0)))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        for stream in streams:
            os.close(stream)
    os.setpgid(0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    channel.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if not alone:  # locks that the other threads held would never be released here
        os.execv(sys.executable, [*sys.orig_argv[: 1 - len(sys.argv)], "", *sys.argv[2:]])


def _has_one_thread() -> bool:
    """Whether this process can be forked. Libraries start threads of their own, as an allocator in LD_PRELOAD may."""
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def _answer(get_host: Callable[[], Host | Failure]) -> None:
    """Answer calls from stdin on stdout until stdin is closed, which means that the caller has ended."""
    calls, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what libraries print must not get between the answers
        os.dup2(null, stream)
    waiting: queue.SimpleQueue[tuple[str, tuple[Any, ...]]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(calls, waiting), name="calls", daemon=True).start()
    host = get_host()  # before the first call
    while True:
        method, args = waiting.get()
        reply = host if isinstance(host, Failure) else _attempt(getattr(host, method), *args)
        replies.write(pickle.dumps(reply))
        replies.flush()


def _host() -> Host:
    """The host of this process; importing torch takes 2 to 4 s."""
    from regtui.arm.host import Host

    return Host()


def _attempt(do: Callable[..., Any], *args: Any) -> Any:
    """The result of `do`, or the failure."""
    try:
        return do(*args)
    except RegtuiError as error:
        return Failure(error, traceback.format_exc())
    except Exception:
        return Failure(None, traceback.format_exc())


def _read(calls: BinaryIO, waiting: queue.SimpleQueue[Any]) -> None:
    """Receive calls while others are carried out; end the process, even in the middle of its work, with its caller."""
    try:
        while True:
            waiting.put(pickle.load(calls))
    finally:
        os._exit(0)  # nothing is left to save, and shutting torch down in order takes half a second
