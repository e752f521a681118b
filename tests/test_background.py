"""A light terminal is recognized, a silent one is not waited for, and no answer is ever taken for keys."""

from __future__ import annotations

import signal

import pytest

from regtui.tui.background import hinted
from regtui.tui.terminal import _Patient
from tests.terminal import Terminal

ASK = """
import select, sys, time
from regtui.tui import background
background.PATIENCE = 60.0
question = background.Question()
try:
    if sys.argv[1] == "answered":
        select.select([sys.stdin], [], [])
    elif sys.argv[1] == "late":
        question._asked -= background.PATIENCE
    began = time.monotonic()
    print("said", question.answer(), question.typed, question.open, f"{time.monotonic() - began:.3f}", flush=True)
finally:
    question.close()
"""
"""It is busy until the terminal has answered, or until it is too late for that, or not at all."""
ASKED = "\x1b]11;?"
KIND = "\x1b[?62;22c"
WHITE = "\x1b]11;rgb:ffff/ffff/ffff\x1b\\"
BLACK = "\x1b]11;rgb:00/00/00\x07"


def ask(answer: str, busy: str = "answered", **env: str) -> tuple[str, str, str, float]:
    """What is said, what was typed meanwhile, whether more may come, and the seconds that were waited."""
    with Terminal("-c", ASK, busy, env={"COLORFGBG": "", **env}) as terminal:
        terminal.until(ASKED)
        if answer:
            terminal._type(answer)
        terminal.until("said ")
        assert terminal.wait() == 0
        assert terminal.attributes == terminal.attributes_before
        said, typed, still_open, seconds = terminal.text.split("said ")[1].split()
    return said, typed, still_open, float(seconds)


@pytest.mark.parametrize(
    ("answer", "said"), [(WHITE + KIND, "light"), (BLACK + KIND, "dark"), ("\x1b]11;rgba:f/f/e/f\x07" + KIND, "light")]
)
def test_what_the_terminal_says_counts(answer: str, said: str) -> None:
    assert ask(answer)[:3] == (said, "b''", "False")


def test_what_was_typed_meanwhile_is_kept() -> None:
    assert ask(f"v{WHITE}\x03{KIND}x")[:3] == ("light", r"b'v\x03x'", "False")


def test_a_terminal_that_only_says_what_it_is_is_not_waited_for() -> None:
    said, _, still_open, seconds = ask(KIND)
    assert (said, still_open) == ("dark", "False")
    assert seconds < 30, "of a minute"


def test_a_silent_terminal_is_waited_for_no_longer_than_the_imports_take() -> None:
    said, _, still_open, seconds = ask("", "late")
    assert (said, still_open) == ("dark", "True")
    assert seconds < 30, "of a minute"


def test_the_environment_hints_where_the_terminal_is_silent() -> None:
    assert ask(KIND, COLORFGBG="0;15")[0] == "light"
    assert ask(BLACK + KIND, COLORFGBG="0;15")[0] == "dark"
    assert [hinted({"COLORFGBG": said}) for said in ("15;0", "0;default;7", "x", "")] == [
        "dark",
        "light",
        "dark",
        "dark",
    ]
    assert hinted({}) == "dark"


@pytest.mark.parametrize("kind", ["linux", "dumb", "vt100"])
def test_a_terminal_that_would_print_the_question_is_not_asked(kind: str) -> None:
    with Terminal("-c", ASK, "not", env={"TERM": kind}) as terminal:
        assert terminal.wait() == 0
        assert ASKED.encode() not in terminal.written
        assert "said dark" in terminal.text


def test_whoever_is_killed_meanwhile_leaves_the_terminal_as_it_was() -> None:
    with Terminal("-c", ASK, "answered") as terminal:
        terminal.until(ASKED)
        terminal.signal(signal.SIGTERM)
        assert terminal.wait() == -signal.SIGTERM
        assert terminal.attributes == terminal.attributes_before


@pytest.mark.parametrize(
    "parts",
    [
        [f"a{WHITE}{KIND}b"],
        ["a\x1b]11;rgb:ffff/ff", f"ff/ffff\x1b\\{KIND}b"],
        ["a\x1b]1", "1;rgb:ff/ff/ff\x07", "\x1b[?6", "2cb"],
    ],
)
def test_an_answer_that_comes_late_is_no_keys(parts: list[str]) -> None:
    parser = _Patient()
    assert [getattr(message, "key", message) for part in parts for message in parser.feed(part)] == ["a", "b"]
