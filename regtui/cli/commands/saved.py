"""The commands on saved runs and studies: review, attach, runs, show, export."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from regtui.cli import completion
from regtui.cli.commands.options import Ascii, LogDir, Theme, saved_in


def review(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DIR | RUN...]", help="A folder of runs, or runs.", autocompletion=completion.saved),
    ] = None,
    log_dir: LogDir = None,
    ascii_only: Ascii = False,
    theme: Theme = None,
) -> None:
    """Look at saved runs on screen, and follow those that go on."""
    from regtui.cli.find import find_saved
    from regtui.cli.screen import open_screen
    from regtui.console import can_draw
    from regtui.errors import InputError
    from regtui.files import by_its_name
    from regtui.runs.comparison import AT_MOST
    from regtui.runs.find import check_folder, is_run, is_study_folder
    from regtui.settings import read_settings
    from regtui.text import quoted

    known = read_settings()
    log_dir = log_dir or known.settings.logs
    named = runs or []
    if len(named) > AT_MOST:
        raise InputError(
            f"{len(named)} runs are named, and at most {AT_MOST} fit in one comparison; name fewer, or their folder"
        )
    if len(named) == 1 and named[0] and os.path.isdir(named[0]):  # noqa: PTH112
        folder = Path(named[0])
        if not is_run(folder) and not is_study_folder(folder):
            log_dir, named = by_its_name(folder), []
    if not named:
        check_folder(log_dir)
    folders = [find_saved(run, log_dir) for run in named]
    if len(folders) > 1 and (studies := [folder for folder in folders if is_study_folder(folder)]):
        raise InputError(f"{quoted(studies[0].name)} is a study, and curves of runs are compared; name it alone")
    if not can_draw(sys.stdout):
        raise InputError(
            "saved runs are shown on a screen, and this is no terminal that has one; 'regtui runs' lists them"
        )
    raise typer.Exit(open_screen(known, None, log_dir, theme=theme, ascii_only=ascii_only, review=folders))


def attach(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="Its folder, or the beginning of its name; the only one that goes on, if left out.",
            autocompletion=completion.going_on,
        ),
    ] = None,
    log_dir: LogDir = None,
    ascii_only: Ascii = False,
    theme: Theme = None,
) -> None:
    """See and steer a run that goes on in another process, with all controls; leaving does not end it."""
    from regtui.cli.attach import find_attachable
    from regtui.cli.screen import open_screen
    from regtui.console import can_draw
    from regtui.errors import InputError
    from regtui.settings import read_settings

    known = read_settings()
    log_dir = log_dir or known.settings.logs
    folder = find_attachable(run, log_dir)
    if not can_draw(sys.stdout):
        raise InputError("a run is steered on a screen, and this is no terminal that has one; 'regtui show' prints it")
    raise typer.Exit(open_screen(known, None, log_dir, theme=theme, ascii_only=ascii_only, review=[folder]))


def list_runs(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", readable=False, help="Where runs are kept; as with --log-dir if left out."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    filter_by: Annotated[str, typer.Option("--filter", metavar="TEXT", help="'dropout test.difference>0.5'.")] = "",
) -> None:
    """List the saved runs and studies, newest first; a study's own runs, if its folder is named."""
    from regtui.cli.runs import print_runs

    raise typer.Exit(print_runs(folder or saved_in(), json=json, filter=filter_by))


def show_saved(
    saved: Annotated[
        str,
        typer.Argument(
            metavar="RUN|STUDY",
            help="A run's or a study's folder, or the beginning of its name.",
            autocompletion=completion.saved,
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="The summary, or all numbers of a study, as JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Of a study: its verdict as a block to paste.")] = False,
    log_dir: LogDir = None,
) -> None:
    """Print a saved run, its header, epochs and verdict; or a saved study, its verdict and what that rests on."""
    from regtui.cli.find import find_saved
    from regtui.cli.show import print_study
    from regtui.errors import InputError
    from regtui.runs.find import is_study_folder

    logs = log_dir or saved_in()
    folder = find_saved(saved, logs)
    if json and markdown:
        raise InputError("--json and --markdown are two ways to print the same; choose one")
    if is_study_folder(folder):
        raise typer.Exit(print_study(folder, json=json, markdown=markdown))
    if markdown:
        raise InputError("--markdown is for studies; a run of one seed has no verdict to paste")
    from regtui.cli.show import print_run

    raise typer.Exit(print_run(str(folder), logs, json=json))


def export(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|STUDY...",
            help="Folders, or the beginnings of their names.",
            autocompletion=completion.saved,
        ),
    ],
    to: Annotated[
        str,
        typer.Option(metavar="csv|tensorboard|html|svg|png", help="The format.", autocompletion=completion.formats),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", readable=False, help="A folder; or the file of one report.")
    ] = None,
    log_dir: LogDir = None,
) -> None:
    """Write saved runs and studies as CSV, a report or a figure; runs as TensorBoard event files as well."""
    from regtui.cli.export import export_runs
    from regtui.cli.find import find_saved

    logs = log_dir or saved_in()
    raise typer.Exit(export_runs([find_saved(run, logs) for run in runs], to, out))
