"""`regtui judge`: a verdict from the logs of other programs."""

from __future__ import annotations

import json as json_text
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from regtui.console import PROSE, room, say
from regtui.errors import InputError
from regtui.evidence.decided import check_alpha, check_smallest_effect
from regtui.text import quoted

if TYPE_CHECKING:
    from regtui.foreign.counted_value import At
    from regtui.foreign.metric import Better


def print_judged(
    baseline: Sequence[str],
    regularized: Sequence[str],
    *,
    metric: str | None,
    better: str | None,
    at: str | None,
    smallest: float | None,
    alpha: float,
    json: bool,
    markdown: bool,
    verdict_exit: bool,
) -> int:
    """Print what the runs of two sides come to; returns the exit code.

    Raises:
        InputError: An option or a file can't be used.
    """
    if json and markdown:
        raise InputError("--json and --markdown are two forms of one output: leave one out")
    if smallest is not None:
        check_smallest_effect(smallest)
    check_alpha(alpha)
    from regtui.evidence.over_seeds_words import VERDICT_EXIT
    from regtui.foreign import words
    from regtui.foreign.find import find_runs
    from regtui.foreign.judged import JudgeWishes, judge

    wishes = JudgeWishes(metric, _better(better), _at(at), smallest, alpha)
    judged = judge(find_runs(baseline, "--baseline"), find_runs(regularized, "--regularized"), wishes)
    if json:
        say(json_text.dumps(words.to_json(judged), indent=2, allow_nan=False))
    elif markdown:
        say(words.markdown(judged))
    else:
        for line in words.verdict_lines(judged, min(PROSE, room())):
            say(line)
    return VERDICT_EXIT[judged.call] if verdict_exit else 0


def _better(text: str | None) -> Better | None:
    match text:
        case None | "higher" | "lower":
            return text
    raise InputError(f"--better {quoted(text, 40)}: it is higher or lower")


def _at(text: str | None) -> At | None:
    match text:
        case None | "last" | "best":
            return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"--at {quoted(text, 40)}: it is last, best, or the number of an epoch or a step")
    return value
