"""Text for people: text of unknown origin made safe to show, and numbers written in one way everywhere."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

UNKNOWN = "–"
"""Shown in place of a value that is not known."""
NBSP = "\N{NO-BREAK SPACE}"
"""Keeps a number and its unit on one line; whoever wraps text replaces it by a plain blank afterwards."""
DEPTH = 20
"""How deeply tables and lists may be nested; nothing of ours is nested more than five deep."""
MOST = 2000
"""The most characters shown of any text; a caller may set a smaller limit."""
_INVISIBLE = re.compile(r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]")
"""Characters that Unicode counts as letters or marks but that draw nothing. Emoji variation selectors stay allowed."""

_ESCAPED_PERHAPS = re.compile(r"[^ -~]")


def is_shown(character: str) -> bool:
    """Whether a character simply draws itself: no control, format, private-use, unassigned or surrogate character."""
    return (character.isprintable() and not _INVISIBLE.match(character)) or unicodedata.category(character) == "Zs"


def one_line(text: object, limit: int = MOST) -> str:
    """The text on one line, safe to print; at most `limit` characters.

    Control characters, changes of the writing direction, line ends and invisible characters are written as escapes.
    Text of unknown origin passes through here once, where it is read, so that whoever shows it need not think of it.
    Passing through twice does no harm.
    """
    line = str(text)
    if len(line) <= limit and line.isascii() and line.isprintable():  # as nearly all are
        return line
    line = _ESCAPED_PERHAPS.sub(_escape, line[: limit + 1])
    return line if len(line) <= limit else line[: limit - 1] + "…"


def quoted(text: object, limit: int = 200) -> str:
    """The text on one line, in quotes."""
    return f"'{one_line(text, limit)}'"


def lines(text: str, limit: int = MOST) -> str:
    """Like `one_line`, for text of several lines: line ends are kept."""
    return "\n".join(one_line(line, limit) for line in text.split("\n"))


def _escape(match: re.Match[str]) -> str:
    return match[0] if is_shown(match[0]) else match[0].encode("unicode_escape").decode()


def cleaned(value: Any, depth: int = DEPTH) -> Any:
    """A value from JSON or TOML with every text in it, keys included, made safe by `one_line`.

    Raises:
        ValueError: The value is nested deeper than `depth`.
    """
    if isinstance(value, str):
        return one_line(value)
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        raise ValueError("it is nested too deeply")
    if isinstance(value, list):
        return [cleaned(item, depth - 1) for item in value]
    return {one_line(key): cleaned(item, depth - 1) for key, item in value.items()}


def signed(text: str) -> str:
    """A number as Python writes it, with a minus sign in place of the hyphen: '−0.5' of '-0.5'."""
    return text.replace("-", "−")


def number(value: float | None, form: str) -> str:
    """A number in a format such as '+.4f'; from 1,000 on without decimals, from 100,000 on in powers of ten.

    Examples: '0.2500', '1,235', '1.2e+05'. So a loss that grows without bound stays within its column. A dash stands
    for a value that was not measured or is not finite.
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    sign = "+" if form.startswith("+") else ""
    size = abs(value)
    return signed(f"{value:{form if size < 1000 else f'{sign},.0f' if size < 1e5 else f'{sign}.1e'}}")


def loss(value: float | None, form: str = ".4f") -> str:
    """A loss or, as '+.4f', a difference of losses: like `number`, but with three significant digits or more."""
    if value is None or not math.isfinite(value) or abs(value) >= 0.01 or value == 0:
        return number(value, form)
    return ("+" if form.startswith("+") and value > 0 else "") + brief(value)


def short(value: float | None, digits: int = 4) -> str:
    """A loss in at most seven cells: '0.3101', '23.10', '0.00123', '1.23e−4', '1e+04'; 'NaN' if it is not finite.

    Args:
        value: The loss, or a difference of losses; None if it is not finite.
        digits: Decimals of a value below 10; a small one gets as many as three significant digits need.
    """
    if value is None:
        return "NaN"
    size = abs(value)
    if 0 < size < 10.0 ** (2 - digits):
        return brief(value)
    return signed(f"{value:.{digits}f}" if size < 10 else f"{value:.2f}" if size < 1000 else f"{value:.0e}")


def brief(value: float | None, digits: int = 3) -> str:
    """A loss with so many significant digits, for where there is little room: '0.310', '0.00123', '1.23e−5', '1234'."""
    if value is None or not math.isfinite(value):
        return "NaN"
    if value == 0:
        return "0"
    size = abs(value)
    exponent = math.floor(math.log10(size))
    if -4 < exponent < 4:
        return signed(f"{value:.{max(0, digits - 1 - exponent)}f}")
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return signed(f"{mantissa}e{int(power)}")


def percent(fraction: float | None, digits: int = 2) -> str:
    """'98.12' for 0.9812; '<0.01' or '>99.99' if rounding would make it look like none or all."""
    if fraction is None or not math.isfinite(fraction):
        return UNKNOWN
    text = number(100 * fraction, f".{digits}f")
    if fraction > 0 and text == f"{0:.{digits}f}":
        return f"<{10**-digits:.{digits}f}"
    if fraction < 1 and text == f"{100:.{digits}f}":
        return f">{100 - 10**-digits:.{digits}f}"
    return text


def share(fraction: float | None, digits: int = 1, gap: str = " ") -> str:
    """'25.0 %' for 0.25; '< 0.1 %' or '> 99.9 %' for nearly none or all; '0 %' and '100 %' for exactly none and all.

    Args:
        fraction: From 0 to 1.
        digits: Decimals.
        gap: The text between the number and the percent sign.
    """
    text = f"{100 * fraction:.0f}" if fraction in (0, 1) else percent(fraction, digits)
    return text if text == UNKNOWN else f"{text.replace('<', f'<{gap}').replace('>', f'>{gap}')}{gap}%"


def fitting(fraction: float | None, digits: int, cells: int) -> str:
    """'98.12%', with as many decimals as fit into `cells`, at most `digits`: '100.0%', '>99%'."""
    text = f"{percent(fraction, digits)}%"
    return text if len(text) <= cells or digits == 0 else fitting(fraction, digits - 1, cells)


def p_value(p: float) -> str:
    """'p = 0.858' or 'p < 0.001', with no-break spaces so that it is not split between lines."""
    return f"p{NBSP}<{NBSP}0.001" if p < 0.001 else f"p{NBSP}={NBSP}{p:.3g}"


def counted(count: int, what: str) -> str:
    """'1 thread', '2 threads'."""
    return f"{count:,} {what}{'s' if count != 1 else ''}"


def listed(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def capital(words: str) -> str:
    """The same, with a capital at its beginning."""
    return words[:1].upper() + words[1:]


def capital_the(words: str) -> str:
    """The same, with a capital if it begins with 'the'; the name of an arm or a technique stays as it is written."""
    return capital(words) if words.startswith("the ") else words


def seconds(value: float, digits: int = 2) -> str:
    """Seconds without their unit: '0.38'; without decimals from 100 on: '1,235'."""
    return f"{value:.{digits}f}" if value < 100 else f"{value:,.0f}"


def megabytes(count: int) -> str:
    """A number of bytes as '465 MB' or '1.2 GB'."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def clock(value: float) -> str:
    """Seconds as '0:21', '12:03', '1:02:03'."""
    whole = round(value)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def duration(value: float) -> str:
    """Seconds as '40 s', '12 min', '3 h', '5 days': rounded down, in the largest unit of which there are two."""
    for size, unit in ((24 * 3600, "days"), (3600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value // size:,.0f} {unit}"
    return f"{value:.0f} s" if value >= 1 else "less than 1 s"
