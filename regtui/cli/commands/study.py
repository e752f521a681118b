"""`regtui study`: a preset over many seeds, strengths and conditions."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from regtui.cli import completion
from regtui.cli.commands.options import MOST_THREADS, LogDir, saved_in


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
    checkpoints: Annotated[
        bool | None,
        typer.Option(
            "--checkpoints/--no-checkpoints",
            help="Save the weights of every run, so that it can go on where it was cut off; a study remembers that.",
        ),
    ] = None,
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

    from regtui.cli.study import RunOptions, as_planned, begin_study, resume_study, run_study, show_study
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
    logs = log_dir or saved_in()
    if resume is not None:
        if preset is not None or settings or wishes != Wishes(named):
            raise InputError("--resume goes on by the plan that was made: leave the preset and its options out")
        found = resume_study(resume, named, running, logs)
    elif preset is None:
        raise InputError("name a preset, regtui study dropout --seeds 8, or a study to go on with, --resume STUDY")
    else:
        found = begin_study(load(preset, settings or ()), wishes, running, logs)
    running = replace(as_planned(running, found.plan), checkpoints=found.checkpoints)
    if headless or json or not (can_draw(sys.stdout) and sys.stdin.isatty()):
        from regtui.signals import survive_hang_ups

        survive_hang_ups()
        raise typer.Exit(run_study(found, running))
    raise typer.Exit(show_study(found, running))
