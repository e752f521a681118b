"""`regtui` without a command: the screen, or a run without one."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from regtui.cli import completion
from regtui.cli.commands.options import MOST_THREADS, Ascii, LogDir, Theme, saved_in


def start(
    context: typer.Context,
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="A preset's name, or its file.", autocompletion=completion.presets),
    ] = None,
    start_now: Annotated[bool, typer.Option("--start", help="Run the preset at once.")] = False,
    quit_when_done: Annotated[bool, typer.Option("--quit-when-done", help="Leave when the run has ended.")] = False,
    ascii_only: Ascii = False,
    theme: Theme = None,
    headless: Annotated[bool, typer.Option("--headless", help="No screen: a line for each epoch and arm.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --headless: one JSON event a line.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change the preset: regularized.dropout.rate=0.3. Repeatable.",
            autocompletion=completion.keys,
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Passes over the training examples.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="All randomness follows from it.")] = None,
    patience: Annotated[
        int | None,
        typer.Option(metavar="N", help="Early stopping of the arms that have it; of all, if none has."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="auto|cpu|cuda|cuda:N|mps", help="Where to train.", autocompletion=completion.devices),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="For the process of an arm to compute with; its share of the grant, if not said."
        ),
    ] = None,
    log_dir: LogDir = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Go on with a run that was interrupted or stopped; with more --epochs, with one that has finished.",
            autocompletion=completion.with_checkpoint,
        ),
    ] = None,
    no_bell: Annotated[bool, typer.Option("--no-bell", help="Neither ring nor notify at the end of a run.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False,
) -> None:
    """Train a baseline and a regularized model as a matched pair, and see what the evidence supports."""
    if version:
        from regtui import __version__
        from regtui.console import say

        say(f"regtui {__version__}")
        raise typer.Exit
    from regtui.errors import InputError

    if context.invoked_subcommand is not None:
        _refuse_options_before(context, context.invoked_subcommand)
        return
    from regtui.preset.file import load
    from regtui.settings import read_settings

    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise InputError(f"--threads {threads}: a process computes with 1 to {MOST_THREADS} threads")
    if resume is not None:
        if preset is not None or settings or seed is not None or start_now:
            raise InputError("--resume goes on with a run's own preset: leave --preset, --set, --seed and --start out")
        from regtui.cli.resume import resume_run
        from regtui.engine.resume import Changes

        changes = Changes(epochs, patience, device)
        raise typer.Exit(
            resume_run(
                resume,
                changes,
                log_dir or saved_in(),
                headless=headless,
                json=json,
                threads=threads,
                theme=theme,
                ascii_only=ascii_only,
                bell=not no_bell,
                quit_when_done=quit_when_done,
                debug=debug,
            )
        )
    options = {"train.epochs": epochs, "train.seed": seed, "train.device": device}
    chosen = None if preset is None else load(preset, settings or (), options, patience)
    from regtui.console import can_draw

    known = read_settings()
    if headless or not can_draw(sys.stdout):
        from regtui.cli.headless import run_headless
        from regtui.signals import survive_hang_ups

        survive_hang_ups()
        known.check()
        if chosen is None:
            raise InputError("name a preset: regtui --preset dropout --headless; 'regtui presets list' shows them")
        raise typer.Exit(
            run_headless(known.settings.applied(chosen), log_dir or known.settings.logs, json=json, threads=threads)
        )
    if json:
        raise InputError("--json is for runs without the screen: add --headless")
    if chosen is None and (start_now or settings or any(value is not None for value in (*options.values(), patience))):
        raise InputError("these options need a preset: add --preset NAME; 'regtui presets list' shows them")
    from regtui.cli.screen import open_screen

    shown = open_screen(
        known,
        chosen,
        log_dir,
        theme=theme,
        ascii_only=ascii_only,
        bell=not no_bell,
        start=start_now,
        quit_when_done=quit_when_done,
        threads=threads,
        debug=debug,
    )
    raise typer.Exit(shown)


def _refuse_options_before(context: typer.Context, command: str) -> None:
    """Refuse options before a command's name: they would be ignored in silence."""
    from regtui.errors import InputError

    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name != "debug" and source is not None and source.name == "COMMANDLINE":
            raise InputError(
                f"{parameter.opts[0]} does not belong before {command!r}: "
                f"'regtui {command} --help' names the options that go after it"
            )
