"""`regtui doctor`."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Show versions, devices, data, terminal and folders: what works here, and what to do about the rest."""
    from regtui.cli.doctor import examine

    raise typer.Exit(examine())
