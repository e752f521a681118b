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
from regtui.cli.several_values import SeveralValues

if TYPE_CHECKING:
    from regtui.engine.resume import Changes
    from regtui.errors import RegtuiError

MOST_THREADS = 256
"""More threads are no faster on any machine, and the system may not grant them to a process."""

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
LogDir = Annotated[
    Path | None,
    typer.Option(metavar="DIR", readable=False, help="Where runs are kept; what the settings name, or 'logs'."),
]
Ascii = Annotated[bool, typer.Option("--ascii", help="Draw with ASCII characters only.")]
Theme = Annotated[
    str | None,
    typer.Option(
        metavar="auto|dark|light|high-contrast",
        help="The colours; auto asks the terminal's background.",
        autocompletion=completion.themes,
    ),
]
presets_app = typer.Typer(rich_markup_mode=None)
app.add_typer(presets_app, name="presets")


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
    from regtui.cli.studies import find_saved
    from regtui.console import can_draw
    from regtui.errors import InputError
    from regtui.runs.list import is_study_folder
    from regtui.runs.resumable import resumable
    from regtui.settings import read_settings
    from regtui.text import quoted

    folder = find_saved(run, log_dir or _logs())
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


@app.command()
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
    from regtui.cli.screen import open_screen
    from regtui.cli.studies import find_saved
    from regtui.console import can_draw
    from regtui.errors import InputError
    from regtui.runs.comparison import AT_MOST
    from regtui.runs.list import check_folder, is_run, is_study_folder
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
            log_dir, named = folder, []
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


@app.command()
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


@app.command()
def study(
    preset: Annotated[
        str | None,
        typer.Argument(metavar="[PRESET]", help="A preset's name, or its file.", autocompletion=completion.presets),
    ] = None,
    seeds: Annotated[
        list[str] | None,
        typer.Option(metavar="N", help="So many seeds, 8 if not said; or the seeds themselves, 3,5,9."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the preset.", autocompletion=completion.keys),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=V1,V2,...",
            help="Each value of a knob is an arm; each value of data, training or network a cell. Repeatable.",
            autocompletion=completion.keys,
        ),
    ] = None,
    tune: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=V1,V2,...",
            help="Each arm has as many trials, and its best on validation is tested. Repeatable.",
            autocompletion=completion.keys,
        ),
    ] = None,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Judge again at half and twice the epochs and the learning rate.")
    ] = False,
    looks: Annotated[
        bool, typer.Option("--looks", help="12 seeds, and an end after 7 or 9 if all is decided.")
    ] = False,
    resample: Annotated[
        str | None,
        typer.Option(
            metavar="split|bootstrap",
            help="What trains at each seed: another split, or a sample drawn with replacement from one.",
            autocompletion=completion.resamples,
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="accuracy|r2|loss", help="What is judged, on the test set.", autocompletion=completion.metrics
        ),
    ] = None,
    smallest_effect: Annotated[
        float | None,
        typer.Option(metavar="X", help="The smallest difference that matters; 0.5 points of accuracy if not said."),
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(metavar="A", help="Share of false calls where nothing differs; 0.05 if not said.")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="STUDY",
            help="Go on with a study; more --seeds than planned are exploratory.",
            autocompletion=completion.studies,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(metavar="N", help="Runs at the same time; as many as processors if not said, one on a GPU."),
    ] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads of each run; 1 if not said.")] = None,
    engine: Annotated[
        str,
        typer.Option(metavar="local|ray|slurm", help="What makes the runs.", autocompletion=completion.engines),
    ] = "local",
    ray_address: Annotated[
        str | None, typer.Option(metavar="A", help="With --engine ray: the cluster; one is started if not said.")
    ] = None,
    slurm: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="With --engine slurm: what jobs ask for, partition=gpu; repeatable."),
    ] = None,
    checkpoints: Annotated[bool, typer.Option("--checkpoints", help="Save the weights of every run.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Begin however many runs there are.")] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="No screen: a line for each run, and the verdict.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    verdict_exit: Annotated[
        bool,
        typer.Option("--verdict-exit", help="Exit code 0 if an arm helps, else 11 if one hurts, else 10."),
    ] = False,
    log_dir: LogDir = None,
) -> None:
    """Run a preset over many seeds, strengths and conditions, and judge what they support together."""
    from dataclasses import replace

    from regtui.cli.study import RunOptions, begin_study, resume_study, run_study, show_study
    from regtui.console import can_draw
    from regtui.errors import InputError
    from regtui.preset.file import load
    from regtui.study.design import Wishes

    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise InputError(f"--threads {threads}: a process computes with 1 to {MOST_THREADS} threads")
    if seeds and len(seeds) > 1:
        raise InputError(f"--seeds is there {len(seeds)} times; name one number, or all seeds at once: 3,5,9")
    named = seeds[0] if seeds else None
    wishes = Wishes(
        named, vary or (), tune or (), sensitivity, looks, resample, metric, smallest_effect, alpha, threads
    )
    running = RunOptions(
        jobs, threads or 1, engine, ray_address, tuple(slurm or ()), checkpoints, yes, headless, json, verdict_exit
    )
    logs = log_dir or _logs()
    if resume is not None:
        if preset is not None or settings or wishes != Wishes(named):
            raise InputError("--resume goes on by the plan that was made: leave the preset and its options out")
        found = resume_study(resume, named, running, logs)
    elif preset is None:
        raise InputError("name a preset, regtui study dropout --seeds 8, or a study to go on with, --resume STUDY")
    else:
        found = begin_study(load(preset, settings or ()), wishes, running, logs)
    running = replace(running, threads=found.plan.threads, device=found.plan.preset["train"]["device"])
    if headless or json or not (can_draw(sys.stdout) and sys.stdin.isatty()):
        from regtui.signals import survive_hang_ups

        survive_hang_ups()
        raise typer.Exit(run_study(found, running))
    raise typer.Exit(show_study(found, running))


@app.command("runs")
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

    raise typer.Exit(print_runs(folder or _logs(), json=json, filter=filter_by))


@app.command("show")
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
    from regtui.cli.studies import find_saved, print_study
    from regtui.errors import InputError
    from regtui.runs.list import is_study_folder

    logs = log_dir or _logs()
    folder = find_saved(saved, logs)
    if json and markdown:
        raise InputError("--json and --markdown are two ways to print the same; choose one")
    if is_study_folder(folder):
        raise typer.Exit(print_study(folder, json=json, markdown=markdown))
    if markdown:
        raise InputError("--markdown is for studies; a run of one seed has no verdict to paste")
    from regtui.cli.runs import print_run

    raise typer.Exit(print_run(str(folder), logs, json=json))


@app.command()
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
    from regtui.cli.studies import find_saved

    logs = log_dir or _logs()
    raise typer.Exit(export_runs([find_saved(run, logs) for run in runs], to, out))


@app.command(cls=SeveralValues)
def judge(
    baseline: Annotated[
        list[str],
        typer.Option(metavar="FILES", help="Logs of the baseline: files, folders, 'base_*/metrics.csv'."),
    ],
    regularized: Annotated[
        list[str], typer.Option(metavar="FILES", help="Logs of what is compared with it; FILE::RUN is a run in a file.")
    ],
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What is judged, such as val_acc; what is plainly meant, if left out.",
            autocompletion=completion.logged_metrics,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="last|best|N",
            help="Which value of each run: its last, its best, or that at epoch (or step) N.",
            autocompletion=completion.values_at,
        ),
    ] = None,
    better: Annotated[
        str | None,
        typer.Option(
            metavar="higher|lower",
            help="Where the metric's name does not tell it.",
            autocompletion=completion.directions,
        ),
    ] = None,
    smallest_effect: Annotated[
        float | None,
        typer.Option(metavar="X", help="The smallest difference that matters; 0.5 points of accuracy, else none."),
    ] = None,
    alpha: Annotated[float, typer.Option(metavar="A", help="The share of false calls where nothing differs.")] = 0.05,
    json: Annotated[bool, typer.Option("--json", help="All of it as one JSON object.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="A block to paste.")] = False,
    verdict_exit: Annotated[
        bool, typer.Option("--verdict-exit", help="Exit code 0 helps, 11 hurts, 10 neither is shown.")
    ] = False,
) -> None:
    """Judge other programs' logs: Lightning, Hugging Face, TensorBoard, W&B, CSV, JSONL. Not proven paired."""
    from regtui.cli.judge import print_judged

    raise typer.Exit(
        print_judged(
            baseline,
            regularized,
            metric=metric,
            better=better,
            at=at,
            smallest=smallest_effect,
            alpha=alpha,
            json=json,
            markdown=markdown,
            verdict_exit=verdict_exit,
        )
    )


@app.command()
def doctor() -> None:
    """Show versions, devices, data, terminal and folders: what works here, and what to do about the rest."""
    from regtui.cli.doctor import examine

    raise typer.Exit(examine())


def _logs() -> Path:
    """The folder of runs that the settings name; what is wrong with them is said."""
    from regtui.console import complain
    from regtui.settings import read_settings

    known = read_settings()
    for fault in known.faults:
        complain(f"regtui: {fault}")
    return known.settings.logs


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
