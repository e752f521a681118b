"""Hints on what to write instead, for common mistakes in TOML and for values of the wrong type."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from regtui.text import one_line

MAX_SHOWN = 60
"""Longest part of a line or a value that is quoted."""
_STRAIGHT = str.maketrans("“”„«»‘’‚", '"""""\'\'\'')
_WORDS = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
_NO_VALUE = {"none", "null", "nil"}
_PART = r"(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')"
_KEY = re.compile(rf"{_PART}(?:\s*\.\s*{_PART})*")
_PARTS = "letters from a to z, digits, '_' and '-', and points between its parts"


@dataclass(frozen=True)
class Slip:
    """A typed value that begins with a quote but is not a valid TOML text; no setting accepts it.

    Attributes:
        text: The value as typed.
        words: What is wrong with it, and what to write.
    """

    text: str
    words: str


_Rule = tuple[str, Callable[[re.Match[str]], str]]

_VALUES: list[_Rule] = [
    (r"", lambda _: "a value is missing after the '='"),
    (r"=+ *(.*)", lambda m: f"one '=' is enough: write = {m[1]}"),
    (r"(\[.*\]|\{.*\}|[^\[{,\s](?:.*[^,\s])?)\s*,", lambda m: f"no comma ends a value: write {m[1]}"),
    (r"([+-]?)(\.\d[\d_]*(?:[eE][+-]?\d+)?)", lambda m: f"a number has a digit before its point: write {m[1]}0{m[2]}"),
    (r"([+-]?\d[\d_]*\.)", lambda m: f"a number has a digit after its point: write {m[1]}0"),
    (r"([+-]?\d+)((?:,\d{3})+)", lambda m: f"a number has no commas: write {m[1]}{m[2].replace(',', '')}"),
    (r"([+-]?\d+),(\d+)", lambda m: f"a number has a point, not a comma: write {m[1]}.{m[2]}"),
    (r"([+-]?)0+(\d+)", lambda m: f"a number does not begin with 0: write {m[1]}{m[2]}"),
    (r"([^\"'\[{]*[^\"'\[{\s]) +(\w+ *=.*)", lambda m: f"one value a line: begin a new one before {m[2]}"),
    (r'"([^"\n]*)', lambda m: f"the text lacks its closing quote: write {_text(m[1])}"),
    (r"'([^'\n]*)", lambda m: f"the text lacks its closing quote: write {_text(m[1])}"),
    (r'"([^"\n]*\\[^"\n]*)"', lambda m: f"a backslash in \"…\" begins an escape: write '{m[1]}', or double it"),
    (r"([A-Za-z_~./\\][^\"'=\[\]{}]*)", lambda m: _bare_word(m[1])),
]
"""Patterns of what stands behind the '=', and what to say about them."""


def of_toml(text: str, error: tomllib.TOMLDecodeError) -> str:
    """The first line of `text` that is not TOML, what is wrong and what to write: 'line 3: …'; empty if unknown."""
    place = re.search(r"\(at line (\d+),", str(error))
    lines = text.splitlines()
    number = int(place[1]) if place else max((n for n, line in enumerate(lines, 1) if line.strip()), default=1)
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    said = _of_line(line, str(error))
    if not said and (opened := _opened(lines[:number])) is not None:
        number, line = opened
        said = f"the list that begins with {_quoted(line)} is not closed: write ] behind its last value"
    return f"line {number}: {said}" if said else ""


def of_typed(text: str, error: tomllib.TOMLDecodeError) -> Slip:
    """What is wrong with a value that begins with a quote, typed after --set or on the screen."""
    words = _of_line(f"value = {text}", str(error))
    return Slip(text, words or "this begins with a quote and is no text of TOML; write it without quotes")


def _of_line(line: str, error: str) -> str:
    if any(word in error for word in ("overwrite", "twice", "redefine", "Duplicate")):
        return f"{_quoted(line)} is there a second time; keep one of the two"
    straight = line.translate(_STRAIGHT)
    if straight != line:
        return f"these quotes are not those of a keyboard: write {_quoted(straight)}"
    if line.startswith("["):
        line = re.sub(r"\s+#.*$", "", line)
        name = line.strip("[] ")
        if not line.endswith("]"):
            return f"a table's name stands in brackets: write [{name}]"
        return "" if _KEY.fullmatch(name) else f"{_quoted(name)} is no name of a table; one has {_PARTS}"
    key, equals, value = (part.strip() for part in line.partition("="))
    if not equals:
        named = re.fullmatch(r"([\w.-]+)\s*(?::|\s)\s*(\S.*)", line)
        return (
            f"write it as {named[1]} = {named[2].rstrip(', ')}"
            if named
            else f"{_quoted(line)} has no '=': write key = value"
        )
    if not _KEY.fullmatch(key):
        return f"{_quoted(key)} is no key; one has {_PARTS}"
    bare = re.sub(r"\s+#[^\"']*$", "", value)
    for pattern, say in _VALUES:
        if match := re.fullmatch(pattern, bare):
            return one_line(say(match), 2 * MAX_SHOWN)
    return ""


def _bare_word(word: str) -> str:
    word = word.strip()
    if word.casefold() in _WORDS:
        return f"truth is written small: write {_WORDS[word.casefold()]}"
    if word.casefold() in _NO_VALUE:
        return "TOML has no such value; leave the line out"
    return f"a text stands in quotes: write {_text(word)}"


def _text(word: str) -> str:
    return f"'{word}'" if "\\" in word else f'"{word}"'


def _quoted(line: str) -> str:
    return repr(one_line(line, MAX_SHOWN))


def _opened(lines: list[str]) -> tuple[int, str] | None:
    """The last line that opens a list without closing it, with its number."""
    for number in range(len(lines), 0, -1):
        if re.fullmatch(r"[\w.-]+\s*=\s*\[[^\]]*", lines[number - 1].strip()):
            return number, lines[number - 1].strip()
    return None


def of_value(kind: str, given: object) -> str:
    """What to write instead of a value of the wrong type, as words after it: '; write 3'; empty if unknown.

    Args:
        kind: Pydantic's name of the fault.
        given: The value.
    """
    write = ""
    if kind in ("int_type", "float_type") and str(given).strip().casefold() in _WORDS:
        write = "it in digits"
    elif kind == "int_type":
        number = _as_number(given)
        write = f"{int(number)}" if number is not None and number.is_integer() and abs(number) < 1e15 else ""
    elif kind == "float_type":
        number = _as_number(given)
        write = "" if number is None else f"{number:g}"
    elif kind == "bool_type":
        write = _WORDS.get(str(given).strip().casefold(), "")
    elif kind == "string_type" and isinstance(given, int | float) and not isinstance(given, bool):
        write = f'"{given}"'
    elif kind == "list_type" and isinstance(given, int):
        write = f"[{given}]"
    elif kind == "list_type" and isinstance(given, str) and re.fullmatch(r"[\[\]\d, ]+", given):
        write = f"[{', '.join(re.findall(r'[0-9]+', given))}]"
    return f"; write {write}" if write else ""


def of_table(given: object, key: str, knob: str = "") -> str:
    """What to write instead of a value in place of a table, as words that follow it.

    Args:
        given: The value.
        key: The table's dotted key.
        knob: Its first field that is a number; empty if it has none.
    """
    if knob and isinstance(given, int | float) and not isinstance(given, bool):
        return f"; write {key}.{knob} = {given}"
    return f"; write [{key}] and its values below"


def _as_number(given: object) -> float | None:
    """The number that was probably meant."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    if isinstance(given, str):
        given = given.strip().replace("−", "-")
        if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", given):
            given = given.replace(",", "")
        given = given.replace(",", ".", 1)
    with suppress(ValueError, OverflowError):
        number = float(given)
        return number if abs(number) < float("inf") else None
    return None
