"""`regtui judge`: a verdict from other programs' logs."""

from __future__ import annotations

from typing import Annotated

import typer

from regtui.cli import completion


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
