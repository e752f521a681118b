"""Runs slow work in a thread, so that the screen stays responsive."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from textual import work
from textual.dom import DOMNode
from textual.message import Message
from textual.worker import Worker, active_worker, get_current_worker

_Node = TypeVar("_Node", bound=DOMNode)
_Args = ParamSpec("_Args")


class ThreadFailed(Message):
    """Told to the app: work in a thread has failed unforeseen, of a screen that is still there."""

    def __init__(self, error: Exception) -> None:
        """Take the error, in the thread and while it is handled."""
        super().__init__()
        self.words = f"{type(error).__name__}: {error}"
        self.traceback = traceback.format_exc()


def in_thread(
    group: str, *, exclusive: bool = True
) -> Callable[[Callable[Concatenate[_Node, _Args], None]], Callable[Concatenate[_Node, _Args], Worker[Any]]]:
    """Run a method in a thread; an exclusive one cancels the worker of the same group and node before it.

    An idle thread of the pool keeps a reference to its last worker, and so to a screen that may have been closed long
    ago. That reference is cleared here.
    """

    def decorate(method: Callable[Concatenate[_Node, _Args], None]) -> Callable[..., Worker[Any]]:
        @wraps(method)
        def work_and_forget(node: _Node, *args: _Args.args, **more: _Args.kwargs) -> None:
            try:
                method(node, *args, **more)
            except Exception as error:
                if not get_current_worker().is_cancelled:
                    node.app.post_message(ThreadFailed(error))
                raise
            finally:
                active_worker.set(None)  # type: ignore[arg-type]

        return work(work_and_forget, thread=True, exclusive=exclusive, exit_on_error=False, group=group)

    return decorate
