"""`regtui show`: what a saved run or study came to, in words, as JSON, or of a study as Markdown to paste."""

from __future__ import annotations

import json as json_text
import shlex
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from regtui.console import PROSE, complain, room, say
from regtui.errors import InputError
from regtui.runs.before import brought_up
from regtui.runs.files import read_json, read_toml
from regtui.runs.find import find_run
from regtui.runs.info import RunInfo
from regtui.runs.read import read_run
from regtui.text import one_line, quoted

if TYPE_CHECKING:
    from regtui.preset.model import Preset
    from regtui.protocol.events import Event
    from regtui.protocol.history import History

WIDEST = 120
"""Tables of a study are as wide as the terminal, but no wider."""


def print_run(run: str, logs: Path, *, json: bool) -> int:
    """Print what a headless run printed, from its log, or its summary as JSON; returns the exit code.

    Args:
        run: A run's folder, or a unique beginning of its name.
        logs: Where runs are looked for by name.
        json: Whether to print the summary instead.

    Raises:
        InputError: There is no such run, or it lacks the summary or the events to print.
    """
    folder = find_run(run, logs)
    with suppress(BrokenPipeError):  # whoever read has seen enough
        if json:
            say(json_text.dumps(_summary(folder), indent=1))
        else:
            _retell(read_run(folder))
    return 0


def _summary(folder: Path) -> dict[str, object]:
    try:
        summary = read_json(folder / "summary.json")
    except FileNotFoundError:
        raise InputError(f"{quoted(folder)} has no summary: the run is {read_run(folder).status}") from None
    except OSError as error:
        raise InputError(f"{quoted(folder)}: summary.json can't be read ({error.strerror})") from None
    try:
        preset = read_toml(folder / "preset.toml")
    except (InputError, OSError):
        preset = {}
    return brought_up(folder, preset, summary)


def _retell(info: RunInfo) -> None:
    """Print header, epochs and verdict from the events."""
    from regtui.epochs import table_lines
    from regtui.evidence.from_history import judge_run  # pydantic, 0.15 s, of which the list has no need
    from regtui.evidence.lines import advice_lines, verdict_lines
    from regtui.evidence.rules import advice_on_run
    from regtui.protocol.history import History

    if info.fault:
        complain(f"regtui: {one_line(info.name)}: {one_line(info.fault)}")
    preset, history = _preset(info.folder), History()
    for event in _events(info.folder):
        if history.add(event):
            preset = _of_this_run(preset, history, info)
            for line in table_lines(event, history, preset, room()):
                say(line)
    if history.started is None:
        raise InputError(f"{quoted(info.folder)}: events.jsonl tells of no run's start; 'regtui runs' has the outcome")
    say()
    try:
        verdicts = judge_run(history, preset)
        advice = advice_lines(advice_on_run(history, verdicts, preset, info.folder), min(PROSE, room()))
        for line in (*verdict_lines(verdicts, min(PROSE, room())), *("" for _ in advice[:1]), *advice):
            say(line)
    except ValueError:  # no end in the log
        how = info.silence if info.status == "silent" else info.status
        for line in textwrap.wrap(f"No verdict: the run is {how}, and its events do not bear one out.", room()):
            say(line)
    say()
    note = textwrap.wrap(f"note {info.note.line}" if info.note.line else "", room())
    for line in (*note, *_resuming(info), f"log  {one_line(info.folder)}"):
        say(line)


def _resuming(info: RunInfo) -> list[str]:
    """How a run that is not at its end goes on, as a command with what it does; why an interrupted one can't."""
    from regtui.runs.resumable import resumable

    if info.status not in ("interrupted", "stopped", "failed"):
        return []
    try:
        place = resumable(info.folder)
    except InputError as error:
        return textwrap.wrap(f"next {error}", room()) if info.status == "interrupted" else []
    return [f"next regtui --resume {shlex.quote(one_line(info.folder))}  # {place.words}"]


def _of_this_run(preset: Preset | None, history: History, info: RunInfo) -> Preset | None:
    """The preset; None, after a message, if the log tells of other arms."""
    from regtui.protocol.applied import own_preset

    own = own_preset(preset, history)
    if own is not preset:
        complain(f"regtui: {one_line(info.name)}: its log has other arms than its preset.toml")
    return own


def _preset(folder: Path) -> Preset | None:
    """The preset as run; None, after a message, if it can't be read. The epochs can be printed without it."""
    from regtui.preset.file import load

    try:
        return load(str(folder / "preset.toml"))
    except InputError as error:
        complain("\n".join(f"regtui: {line}" for line in str(error).splitlines()))
        return None


def _events(folder: Path) -> Iterator[Event]:
    from regtui.runs.events import read_events

    try:
        yield from read_events(folder)
    except FileNotFoundError:
        raise InputError(f"{quoted(folder)} has no events.jsonl to show; 'regtui runs' has the outcome") from None
    except OSError as error:
        raise InputError(f"{quoted(folder)}: events.jsonl can't be read ({error.strerror})") from None


def print_study(folder: Path, *, json: bool = False, markdown: bool = False) -> int:
    """Print what a study came to; returns the exit code.

    Args:
        folder: The study's folder.
        json: Whether to print what study.json has, judged anew.
        markdown: Whether to print a block of Markdown.

    Raises:
        InputError: There is no such study, its plan was changed, or two of its runs are of one job.
    """
    from regtui.study.details import verdict_lines
    from regtui.study.folder import StudyFolder
    from regtui.study.markdown import markdown as as_markdown
    from regtui.study.outcome import outcome_of
    from regtui.study.record import state_of, to_json

    study = StudyFolder.open(folder)
    outcome = outcome_of(study, state_of(study))
    with suppress(BrokenPipeError):  # whoever read has seen enough
        if json:
            say(json_text.dumps(to_json(outcome, study.name), indent=1, ensure_ascii=False, allow_nan=False))
        elif markdown:
            say(as_markdown(outcome, study.name))
        else:
            done, planned = outcome.runs
            say(f"study  {one_line(outcome.plan.preset['name'])}, {outcome.state}: {done} of {planned} runs")
            say()
            for line in verdict_lines(outcome, min(WIDEST, room())):
                say(line)
            say()
            say(f"log    {one_line(study.path)}")
    return 0
