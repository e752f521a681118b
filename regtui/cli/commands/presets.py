"""`regtui presets`: lists, shows and checks presets."""

from __future__ import annotations

from typing import Annotated

import typer

from regtui.cli import completion

presets_app = typer.Typer(rich_markup_mode=None)


@presets_app.callback(invoke_without_command=True)
def presets(context: typer.Context) -> None:
    """List, show and check presets; list them when no more is said."""
    if context.invoked_subcommand is None:
        presets_list()


@presets_app.command("list")
def presets_list() -> None:
    """List the presets by name."""
    from regtui.cli.presets import list_presets

    list_presets()


@presets_app.command("show")
def presets_show(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME|FILE", help="A preset's name, or its file.", autocompletion=completion.presets),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the preset.", autocompletion=completion.keys),
    ] = None,
) -> None:
    """Print a preset with every value resolved; what is printed is a preset itself."""
    from regtui.console import say
    from regtui.preset.file import load, to_toml

    say(to_toml(load(name, settings or ())).rstrip())


@presets_app.command("check")
def presets_check(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Presets' files.", autocompletion=completion.presets)
    ],
) -> None:
    """Check preset files: one line a fault, exit code 2 if there is any."""
    from regtui.cli.presets import check_presets

    raise typer.Exit(check_presets(files))


@presets_app.command("schema")
def presets_schema() -> None:
    """Print the JSON Schema of a preset, for editors."""
    from regtui.cli.presets import print_schema

    print_schema()
