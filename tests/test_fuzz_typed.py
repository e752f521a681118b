"""What a person types, at random: preset text, --set, filters, commands to a run. No fault but a sentence, no hang.

The short form tries some dozens of examples of each; `-m soak` goes on for REGTUI_SOAK_MINUTES, 20 by default.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from regtui.engine.trainer import Trainer
from regtui.errors import InputError
from regtui.preset.file import load, to_table, to_toml
from regtui.preset.places import available
from regtui.preset.validation import validate
from regtui.protocol.control import Command, Control, Resume
from regtui.protocol.events import ControlApplied, Event, Paused
from regtui.protocol.history import History
from regtui.runs.filter import parse_filter
from regtui.runs.info import RunInfo
from regtui.text import one_line
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew

SOAK_SECONDS = 60 * float(os.environ.get("REGTUI_SOAK_MINUTES", "20"))
SLOWEST = 20.0
"""Seconds of processor time that no example comes near, whatever the machine."""
PRESETS = [*(path.read_text() for path in available().values()), to_toml(small_preset(arms={"a": {"l1": {}}, "b": {}}))]
TABLE = to_table(small_preset(baseline={"l1": {}, "l2": {}, "batch_norm": {}}, regularized={"early_stopping": {}}))


def keys(table: dict[str, Any], prefix: str = "") -> list[str]:
    """The dotted keys of all tables and values."""
    deeper = [k for name, value in table.items() if isinstance(value, dict) for k in keys(value, f"{prefix}{name}.")]
    return [*(prefix + name for name in table), *deeper]


# What is tried

numbers = st.one_of(
    st.integers(), st.floats(), st.sampled_from([0, 1, -1, 2**63, 1e308, 5e-324, 10**30]), st.integers(0, 9).map(float)
)
slips = st.sampled_from(
    [".5", "5.", "0,5", "1,000", "True", "None", "“a”", '"C:\\Users"', "3.0", "1e3", "1_000", "0x1F", "nan", "-inf",
     "[", "{", "[1, 2", '"""', "''", "2024-01-01", "01:02", "{a = 1}", "[[]]", "=", "\t", "#", "\\", "'", '"', "\x00"]
)  # fmt: skip
texts = st.text(max_size=40)
values = st.one_of(
    numbers.map(str), numbers.map(repr), slips, texts, texts.map(repr), st.lists(numbers, max_size=4).map(str)
)
ARMS = ["arms", "arms.a", "arms.A", "arms.b.l1", "arms.a.dropout.rate", "arms.baseline", "arms.a.early_stopping"]
dotted = st.one_of(
    st.sampled_from([*keys(TABLE), *ARMS]),
    texts,
    st.lists(st.sampled_from(keys(TABLE)), min_size=2, max_size=9).map(".".join),
)


@st.composite
def preset_texts(draw: st.DrawFn) -> str:
    """A preset with lines and pieces changed, taken away, doubled and put in; or any text."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.text(max_size=500))
    lines = draw(st.sampled_from(PRESETS)).splitlines()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 5)):
            case 0:
                lines[at] = f"{lines[at].partition('=')[0]}= {draw(values)}"
            case 1:
                lines.insert(
                    at, draw(st.one_of(texts, st.builds("{} = {}".format, dotted, values), dotted.map("[{}]".format)))
                )
            case 2:
                lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
            case 3 if len(lines) > 1:
                del lines[at]
            case _:
                cut = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:cut] + draw(st.one_of(slips, texts)) + lines[at][cut + draw(st.integers(0, 3)) :]
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines)


commands = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.one_of(
            st.builds(lambda **own: own, command=st.sampled_from(["stop", "pause", "resume"]), at_once=st.booleans()),
            st.fixed_dictionaries(
                {
                    "command": st.sampled_from(["set_patience", "set_min_delta", "set_strength", "stop", "x"]),
                },
                optional={
                    "arm": st.sampled_from(["baseline", "regularized", "", None, "nobody"]),
                    "patience": st.one_of(st.none(), numbers),
                    "min_delta": numbers,
                    "key": st.one_of(st.sampled_from(keys(TABLE)), texts),
                    "value": st.one_of(numbers, texts),
                    "one_epoch": st.booleans(),
                },
            ),
        ),
    ),
    max_size=12,
)
fields = st.dictionaries(
    st.sampled_from(["seed", "epochs", "test.difference", "preset", "status"]), st.one_of(numbers, texts)
)
filters = st.one_of(
    texts,
    st.lists(
        st.builds(
            "{}{}{}".format,
            st.one_of(st.sampled_from(["seed", "test.difference", "preset", "sed", ""]), texts),
            st.sampled_from(["<", "<=", ">", ">=", "=", "!=", "", "=>", "=="]),
            values,
        ),
        max_size=4,
    ).map(" ".join),
)


# What must hold


def check_preset(text: str) -> None:
    """A preset's text is a preset that is written and read back the same, or faults of one line each, with the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.toml"
        path.write_bytes(text.encode(errors="surrogatepass"))
        try:
            preset = load(str(path))
        except InputError as error:
            assert_lines(error, f"{path}: ")
            return
        path.write_text(to_toml(preset), encoding="utf-8")
        assert load(str(path)) == preset


def check_set(key: str, value: str) -> None:
    """A --set changes the preset, or is refused in lines that name it."""
    try:
        preset = load("dropout", [f"{key}={value}"])
    except InputError as error:
        assert_lines(error, "", naming="--set")
    else:
        assert validate(to_table(preset), "again") == preset


def check_filter(text: str, own: dict[str, Any]) -> None:
    """A filter chooses of the runs, or is refused in one line."""
    run = RunInfo(Path("logs/a-run"), datetime(2026, 1, 1, tzinfo=UTC), "finished", "", own)
    try:
        chosen = parse_filter(text)
    except InputError as error:
        assert_lines(error, "")
        return
    assert chosen.select([run]) in ([], [run])
    assert "\n" not in chosen.unknown([run])
    if not text.split():
        assert chosen.select([run]) == [run], "nothing asked leaves out nothing"


def check_commands(asked: list[tuple[int, dict[str, Any]]]) -> None:
    """Whatever is sent to a run, and when: it ends, what is a command is answered, and the history has it all."""
    adapter: TypeAdapter[Command] = TypeAdapter(Command)
    control, events = Control(), list[Event]()
    due = sorted(asked, key=lambda one: one[0])
    sent = 0

    def emit(event: Event) -> None:
        nonlocal sent
        events.append(event)
        while due and due[0][0] < len(events):
            try:
                command = adapter.validate_python(due.pop(0)[1])
            except ValidationError:
                continue
            sent += command.command in {"set_patience", "set_min_delta", "set_strength"}
            control.send(command)
        if isinstance(event, Paused):
            control.send(Resume())

    losses = [1.0, 0.9, 0.95, float("nan"), 0.8, 0.85]
    crew = ScriptedCrew({"baseline": losses, "regularized": losses})
    preset = small_preset(train={"epochs": 6}, regularized={"dropout": {}, "early_stopping": {"patience": 3}})
    with tempfile.TemporaryDirectory() as folder:
        status = Trainer(preset, crew, control, emit, lambda: Path(folder)).run()
    history = History.of(events)
    assert status in {"finished", "stopped"}
    was_stopped = any(arm.stopped and arm.stopped.reason == "stopped" for arm in history.arms.values())
    assert (status == "stopped") == (was_stopped or history.scored is None), "one that has finished was tested"
    assert all(arm.stopped is not None for arm in history.arms.values())
    answers = [event for event in events if isinstance(event, ControlApplied) and event.command != "stop"]
    assert len(answers) <= 2 * sent, "one for each arm at most"
    assert [event for event in history.controls if event.command != "stop"] == answers
    assert control.take() is None or status in {"finished", "stopped"}


def assert_lines(error: InputError, begin: str, naming: str = "") -> None:
    lines = str(error).splitlines()
    assert lines
    for line in lines:
        assert line.startswith(begin), line
        assert line == one_line(line), "it is shown as it is"
        assert len(line) < 2500, line
    assert all(naming in line for line in str(error).splitlines())


CHECKS: dict[str, tuple[Callable[..., None], dict[str, st.SearchStrategy[Any]]]] = {
    "preset": (check_preset, {"text": preset_texts()}),
    "set": (check_set, {"key": dotted, "value": values}),
    "filter": (check_filter, {"text": filters, "own": fields}),
    "commands": (check_commands, {"asked": commands}),
}


def bounded(check: Callable[..., None]) -> Callable[..., None]:
    """The check, which takes a bounded time of the processor."""

    def checked(**given: Any) -> None:
        began = time.thread_time()
        check(**given)
        assert time.thread_time() - began < SLOWEST, given

    return checked


@pytest.mark.parametrize("name", CHECKS)
def test_whatever_is_typed_ends_in_a_result_or_a_sentence(name: str) -> None:
    check, tried = CHECKS[name]
    given(**tried)(bounded(check))()


@pytest.mark.soak
@pytest.mark.parametrize("name", CHECKS)
def test_whatever_is_typed_for_long_ends_in_a_result_or_a_sentence(name: str) -> None:
    check, tried = CHECKS[name]
    process, end, rounds = psutil.Process(), time.monotonic() + SOAK_SECONDS / len(CHECKS), 0
    before = 0
    while time.monotonic() < end:
        rounds += 1
        long = settings(
            max_examples=500, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
        )
        long(seed(random.getrandbits(64))(given(**tried)(bounded(check))))()
        before = before or process.memory_info().rss
    print(
        f"{name}: {rounds} rounds of 500, {(process.memory_info().rss - before) / 1e6:.0f} MB more than after the first"
    )
    assert process.memory_info().rss - before < 300e6
