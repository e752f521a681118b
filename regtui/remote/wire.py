"""What a viewer and the process that trains say to each other: one JSON object a line, of limited length.

A viewer sends requests, and gets one answer for each, in their order:

    {"command": "watch"}                                {"watching": {"folder": "/…/logs/…", "size": 1234}}
    {"command": "set_patience", "patience": 5}          {"taken": "set_patience"}
    anything else                                       {"refused": "why"}

Who watches reads the first `size` bytes of the folder's events.jsonl, and is then sent every event that is not among
them, those that have happened first, as {"event": {…}}. Before the other side ends the connection in order, it says
why: {"bye": "ended"}.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from regtui.protocol.control import Command, HandOver
from regtui.protocol.events import Event
from regtui.text import one_line, quoted

LONGEST_REQUEST = 4096
"""Bytes of the longest line that a viewer may send, its end included."""

Bye = Literal["ended", "handed_over"]
"""Why a connection ends: the run has ended; or another process resumes it, which will listen at the same place."""


class RefusedError(Exception):
    """A request is not carried out; the message says why."""


class WatchRequest(BaseModel):
    """Ask for all events, those that have happened and those to come."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: Literal["watch"] = "watch"


Request = WatchRequest | Command


@cache
def _requests() -> TypeAdapter[Request]:
    """Made when it is first needed, which takes 10 ms."""
    return TypeAdapter(Annotated[Request, Field(discriminator="command")])


class Watching(BaseModel):
    """The answer to who watches.

    Attributes:
        folder: The run's folder, as it is called now.
        size: Bytes of its events.jsonl that hold the run's first events.
    """

    folder: str
    size: int = Field(ge=0)


class FromRun(BaseModel):
    """A line from the process that trains; one of the fields is set."""

    model_config = ConfigDict(defer_build=True)

    watching: Watching | None = None
    event: Annotated[Event, Field(discriminator="kind")] | None = None
    taken: str | None = None
    refused: str | None = None
    bye: Bye | None = None


def request_of(line: bytes) -> Request:
    """A viewer's request from its line.

    Raises:
        RefusedError: It is none, or not for viewers.
    """
    try:
        request = _requests().validate_json(line, strict=True)
    except ValidationError as error:
        raise RefusedError(_what_is_wrong(error.errors(include_url=False)[0])) from None
    if isinstance(request, HandOver):
        raise RefusedError("only the process that trains hands a run over")
    if not isinstance(request, WatchRequest) and request.by is not None:
        raise RefusedError("who sends a command is told by the system, not by the command")
    return request


def line_of(request: Request) -> bytes:
    """The line of a viewer's request."""
    return request.model_dump_json(exclude={"by"}).encode() + b"\n"


def answer_line(**said: Any) -> bytes:
    """The line of one answer: a field of `FromRun` and its value."""
    return FromRun(**said).model_dump_json(exclude_none=True).encode() + b"\n"


def event_line(event: Event) -> bytes:
    """The line of an event."""
    return b'{"event":' + event.model_dump_json().encode() + b"}\n"


def read_line(line: bytes) -> FromRun:
    """What the process that trains said in a line.

    Raises:
        pydantic.ValidationError: It is nothing known to this version.
    """
    return FromRun.model_validate_json(line)


def _what_is_wrong(mistake: Any) -> str:
    """A sentence on the first mistake that pydantic found in a request."""
    kind, where = mistake["type"], ".".join(map(str, mistake["loc"][1:]))
    if kind == "union_tag_invalid":
        return f"{quoted(mistake['ctx']['tag'], 50)} is no command"
    if kind == "union_tag_not_found":
        return "a request is a JSON object with a 'command'"
    if not where:
        return "a request is one JSON object in one line"
    if kind == "extra_forbidden":
        return f"{quoted(where, 50)} is not part of this command"
    if kind == "missing":
        return f"'{where}' is missing"
    return one_line(f"'{where}': {mistake['msg']}", 300)
