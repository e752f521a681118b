"""Work that would hold up the screen, in a thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from textual import work
from textual.dom import DOMNode
from textual.worker import Worker, active_worker

_Node = TypeVar("_Node", bound=DOMNode)
_Args = ParamSpec("_Args")


def in_thread(
    group: str, *, exclusive: bool = True
) -> Callable[[Callable[Concatenate[_Node, _Args], None]], Callable[Concatenate[_Node, _Args], Worker[Any]]]:
    """Run a method in a thread; an exclusive one takes the place of what its node has the group do at that time.

    A thread of the pool remembers its last worker, and with it a screen that may have been closed long ago, until it
    gets other work. So it is made to forget.
    """

    def decorate(method: Callable[Concatenate[_Node, _Args], None]) -> Callable[..., Worker[Any]]:
        @wraps(method)
        def work_and_forget(node: _Node, *args: _Args.args, **more: _Args.kwargs) -> None:
            try:
                method(node, *args, **more)
            finally:
                active_worker.set(None)  # type: ignore[arg-type]

        return work(work_and_forget, thread=True, exclusive=exclusive, exit_on_error=False, group=group)

    return decorate
