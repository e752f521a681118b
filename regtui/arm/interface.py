"""What arms and their host are asked to do, told without torch for those who ask from another process."""

from __future__ import annotations

from typing import Any, NamedTuple


class Call(NamedTuple):
    """A method to call on each of `arms`."""

    method: str
    arms: tuple[str, ...]
    args: tuple[Any, ...]
