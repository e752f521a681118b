"""The command line. At the top only typer is imported, so that --help is fast; each command imports what it needs."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regtui.cli import completion
from regtui.cli.commands import saved
from regtui.cli.commands.judge import judge
from regtui.cli.commands.options import MOST_THREADS, Ascii, LogDir, Theme, saved_in
from regtui.cli.commands.presets import presets_app
from regtui.cli.commands.study import study
from regtui.cli.several_values import SeveralValues

if TYPE_CHECKING:
    from regtui.engine.resume import Changes
    from regtui.errors import RegtuiError


app = typer.Typer(
    name="regtui",
    help="Train a baseline and a regularized model as a matched pair, and see what the evidence supports.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage or invalid preset, 3 diverged, 4 stopped and kept, 129+ a signal.",
    rich_markup_mode=None,  # rich would take 0.1 s of a help that should be there in 0.25 s
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_WrongCall: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""Typer's error for wrong usage; newer versions bring their own, older ones use click's."""
app.add_typer(presets_app, name="presets")
app.command()(saved.review)
app.command()(saved.attach)
app.command()(study)
app.command("runs")(saved.list_runs)
app.command("show")(saved.show_saved)
app.command()(saved.export)
app.command(cls=SeveralValues)(judge)


@app.callback(invoke_without_command=True)
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
        from regtui.engine.resume import Changes

        changes = Changes(epochs, patience, device)
        raise typer.Exit(
            _resume(
                resume,
                changes,
                log_dir,
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


def _resume(
    run: str,
    changes: Changes,
    log_dir: Path | None,
    *,
    headless: bool,
    json: bool,
    threads: int | None,
    **screen: Any,
) -> int:
    """Go on with a saved run, without a screen or with one as these options want it; returns the exit code."""
    from regtui.cli.find import find_saved
    from regtui.console import can_draw
    from regtui.errors import InputError
    from regtui.runs.find import is_study_folder
    from regtui.runs.resumable import resumable
    from regtui.settings import read_settings
    from regtui.text import quoted

    folder = find_saved(run, log_dir or saved_in())
    if is_study_folder(folder):
        raise InputError(f"{quoted(run)} is a study; 'regtui study --resume' goes on with it")
    if headless or not can_draw(sys.stdout):
        from regtui.cli.headless import resume_headless
        from regtui.signals import survive_hang_ups

        survive_hang_ups()
        return resume_headless(folder, changes, json=json, threads=threads)
    if json:
        raise InputError("--json is for runs without the screen: add --headless")
    resumable(folder, changes.epochs, changes.device)  # what is wrong is said before there is a screen
    from regtui.cli.screen import open_screen

    return open_screen(read_settings(), None, log_dir, threads=threads, resume=(folder, changes), **screen)


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


@app.command()
def doctor() -> None:
    """Show versions, devices, data, terminal and folders: what works here, and what to do about the rest."""
    from regtui.cli.doctor import examine

    raise typer.Exit(examine())


def main() -> None:
    """Run the command line; a fault that a person can mend ends as a sentence on stderr."""
    from regtui.console import fall_back_to_ascii, open_closed_streams
    from regtui.errors import InputError, RegtuiError
    from regtui.import_path import current_folder

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # outside a run there is nothing to keep and nothing to say
    open_closed_streams()
    fall_back_to_ascii()
    if not os.environ.get("NO_COLOR"):
        os.environ.pop("NO_COLOR", None)  # only a non-empty value counts; textual checks merely that it is set
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except _WrongCall as error:
        _show_usage(error)
    except RegtuiError as error:
        _end_with(error)
    except Exception as error:  # a bug: the traceback helps developers only
        if current_folder() is None:  # not a bug: the current folder has been deleted
            _end_with(InputError("the current folder has been deleted; go to one that exists, or name whole paths"))
        _end_with(RegtuiError(f"unforeseen {type(error).__name__}: {error}; 'regtui --debug' and the same shows where"))


def _show_usage(error: Any) -> None:
    """Print typer's message on wrong usage, which quotes what was typed."""
    from regtui.console import complain
    from regtui.text import one_line

    error.message = one_line(error.message)
    words = StringIO()
    error.show(words)
    complain(words.getvalue().rstrip())
    sys.exit(error.exit_code)


def _end_with(error: RegtuiError) -> None:
    from regtui.console import complain

    if "--debug" in sys.argv:
        complain(traceback.format_exc())
    complain("\n".join(f"regtui: {line}" for line in str(error).splitlines()))
    sys.exit(error.exit_code)
