"""The command line. At the top only typer is imported, so that --help is fast; each command imports what it needs."""

from __future__ import annotations

import os
import sys
import traceback
from io import StringIO
from typing import TYPE_CHECKING, Any

import typer

from regtui.cli.commands import saved
from regtui.cli.commands.doctor import doctor
from regtui.cli.commands.judge import judge
from regtui.cli.commands.presets import presets_app
from regtui.cli.commands.start import start
from regtui.cli.commands.study import study
from regtui.cli.several_values import SeveralValues

if TYPE_CHECKING:
    from regtui.errors import RegtuiError


app = typer.Typer(
    name="regtui",
    help="Train a baseline and a regularized model as a matched pair, and see what the evidence supports.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage or invalid preset, 3 diverged, 4 stopped and kept, 129+ a signal.",
    rich_markup_mode=None,  # rich would take 0.1 s of a help that should be there in 0.25 s
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback(invoke_without_command=True)(start)
app.add_typer(presets_app, name="presets")
app.command()(saved.review)
app.command()(saved.attach)
app.command()(study)
app.command("runs")(saved.list_runs)
app.command("show")(saved.show_saved)
app.command()(saved.export)
app.command(cls=SeveralValues)(judge)
app.command()(doctor)

_WrongCall: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""Typer's error for wrong usage; newer versions bring their own, older ones use click's."""


def main() -> None:
    """Run the command line; a fault that a person can mend ends as a sentence on stderr."""
    from regtui.console import fall_back_to_ascii, open_closed_streams
    from regtui.errors import InputError, RegtuiError, exhausted, unforeseen
    from regtui.import_path import current_folder

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
        if words := exhausted(error):
            _end_with(RegtuiError(words))
        _end_with(RegtuiError(f"{unforeseen(error)}; 'regtui --debug' and the same shows where"))


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
