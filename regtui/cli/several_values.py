"""Options that take several values: what a shell makes of a pattern that is not in quotes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import typer.core


class SeveralValues(typer.core.TyperCommand):
    """A command without arguments, whose repeatable options take all values up to the next option.

    `--baseline a.csv b.csv` is read as `--baseline a.csv --baseline b.csv`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each further value; then as always."""
        several = {name for option in self.params if getattr(option, "multiple", False) for name in option.opts}
        return super().parse_args(ctx, list(_repeated(args, several)))


def _repeated(args: Sequence[str], several: set[str]) -> Iterator[str]:
    option, has_value = "", False
    for arg in args:
        if arg.startswith("-") and arg != "-":
            option, has_value = arg.partition("=")[0], "=" in arg
        elif option in several and has_value:
            yield option
        else:
            has_value = True
        yield arg
