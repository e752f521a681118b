"""The filter of the list of runs: words and comparisons like `test.difference>0.5`, all of which must hold."""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from regtui.errors import InputError
from regtui.runs.files import LONGEST, TABLES, Field
from regtui.runs.info import RunInfo
from regtui.text import quoted

_COMPARISON = re.compile(r"([^<>=!~]*)(<=|>=|!=|<|>|=|~)(.*)", re.DOTALL)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
    "~": operator.contains,
}


@dataclass(frozen=True)
class Condition:
    """Compares a field with a value: numbers as numbers, texts as texts, ignoring case; with ~, a part of a text.

    `tag` stands for each of a run's tags: tag=good if it has that one, tag!=good if it lacks it.
    """

    key: str
    sign: str
    value: str

    def matches(self, run: RunInfo) -> bool:
        """Whether the run has the field and the comparison holds."""
        if self.key == "tag" and self.sign in ("=", "!="):
            has = self.value.casefold() in map(str.casefold, run.note.tags)
            return has == (self.sign == "=")
        own = _field(run, "tags" if self.key == "tag" else self.key)
        if own is None:
            return False
        if isinstance(own, str):
            return _OPERATORS[self.sign](own.casefold(), self.value.casefold())
        if self.sign == "~":
            return self.value in str(own)
        number = _number(self.value)
        return self.sign == "!=" if number is None else _OPERATORS[self.sign](own, number)


@dataclass(frozen=True)
class Filter:
    """What a run must match to be listed: each word must be in one of its texts, and each comparison must hold."""

    words: tuple[str, ...]
    comparisons: tuple[Condition, ...]

    def matches(self, run: RunInfo) -> bool:
        """Whether the run matches."""
        if not all(comparison.matches(run) for comparison in self.comparisons):
            return False
        return all(word in run.texts for word in self.words)

    def unknown(self, runs: Sequence[RunInfo]) -> str:
        """A sentence on a key or verdict that no run has, with the nearest that exists; empty if all exist."""
        from regtui.evidence.over_seeds import Call  # which most lists do not need
        from regtui.evidence.verdict import OUTCOMES

        for comparison in self.comparisons:
            several = {"several"} if comparison.key == "verdict" else set[str]()
            verdicts = {*OUTCOMES, *several, *(word for call in get_args(Call) for word in (call, *call.split()))}
            if _is_verdict(comparison.key) and comparison.value.casefold() not in verdicts:
                return (
                    f"{comparison.key}{comparison.sign}{comparison.value}: the verdict of one run is "
                    f"{', '.join(OUTCOMES[:-1])} or {OUTCOMES[-1]}, and of several arms 'several', with each arm's in "
                    "verdict.ARM: how a network did on the test set against the baseline's; that a technique helps or "
                    "hurts, only a study of several seeds can tell"
                )
        for key in dict.fromkeys(comparison.key for comparison in self.comparisons):
            if runs and key not in {"tag", *LONGEST} and all(_field(run, key) is None for run in runs):
                known = sorted(set().union(*(run.fields for run in runs)))
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                return f"no run has a field {quoted(key)}" + (f"; did you mean {quoted(near[0])}?" if near else "")
        return ""

    def select(self, runs: Iterable[RunInfo]) -> list[RunInfo]:
        """The runs that match, in their order."""
        return [run for run in runs if self.matches(run)]


def _is_verdict(key: str) -> bool:
    return key == "verdict" or key.startswith("verdict.")


def parse_filter(text: str) -> Filter:
    """Make a filter from terms separated by blanks: `word`, `key<value`, and the same with <=, >, >=, =, != and ~.

    Raises:
        InputError: A comparison lacks its key or its value.
    """
    words, comparisons = [], []
    for term in text.split():
        match = _COMPARISON.fullmatch(term)
        if match is None:
            words.append(term.casefold())
        elif not match[1] or not match[3]:
            raise InputError(
                f"{quoted(term)} lacks its {'value' if match[1] else 'key'}; write it like test.difference>0.5"
            )
        else:
            comparisons.append(Condition(*match.groups()))
    return Filter(tuple(words), tuple(comparisons))


def _field(run: RunInfo, key: str) -> Field | None:
    if key in run.fields or not key.startswith(TABLES):
        return run.fields.get(key)
    from regtui.runs.settings import setting  # imports pydantic, which most lists do not need

    return setting(run, key)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number
