"""Text of unknown origin, from a preset, a log or another program's error, made fit to be shown; and numbers."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

UNKNOWN = "–"
"""Stands where nothing is known."""
NBSP = "\N{NO-BREAK SPACE}"
"""Keeps a number with its unit in one line; whoever breaks text into lines turns it into a plain blank afterwards."""
DEPTH = 20
"""Tables and lists within each other, of which nothing here has more than five."""
MOST = 2000
"""So many characters are shown of a text that has no smaller limit."""
_INVISIBLE = re.compile(r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]")
"""What Unicode counts as letters or marks, yet draws as nothing; variation selectors of emoji are not among them."""

_ESCAPED_PERHAPS = re.compile(r"[^ -~]")


def is_shown(character: str) -> bool:
    """Whether it is drawn where it stands: no control, format, private or unassigned character, and no half of one."""
    return (character.isprintable() and not _INVISIBLE.match(character)) or unicodedata.category(character) == "Zs"


def one_line(text: object, limit: int = MOST) -> str:
    """The text in one line that does nothing but be read; at most `limit` characters.

    What a terminal obeys, what turns the direction of writing, what ends a line and what is not seen is written as an
    escape. Text of unknown origin goes through here where it is read, so that nobody who shows it has to think of it.
    Once is enough, and twice does no harm.
    """
    line = _ESCAPED_PERHAPS.sub(_escape, str(text)[: limit + 1])
    return line if len(line) <= limit else line[: limit - 1] + "…"


def quoted(text: object, limit: int = 200) -> str:
    """The text in one line between quotes."""
    return f"'{one_line(text, limit)}'"


def lines(text: str, limit: int = MOST) -> str:
    """The same for a text of several lines, which stay lines."""
    return "\n".join(one_line(line, limit) for line in text.split("\n"))


def _escape(match: re.Match[str]) -> str:
    return match[0] if is_shown(match[0]) else match[0].encode("unicode_escape").decode()


def cleaned(value: Any, depth: int = DEPTH) -> Any:
    """Tables, lists and texts as JSON and TOML have them, with each text in one line: values and keys.

    Raises:
        ValueError: It is nested deeper than `depth`.
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
    """A number in a form such as '+.4f'; whole from 1000 and in powers of ten from 100,000 on: '1,235', '1.2e+05'.

    A loss on its way to infinity so stays in its column. A dash stands for what was not measured or is not finite.
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    sign = "+" if form.startswith("+") else ""
    size = abs(value)
    return signed(f"{value:{form if size < 1000 else f'{sign},.0f' if size < 1e5 else f'{sign}.1e'}}")


def short(value: float | None, digits: int = 4) -> str:
    """A loss in at most seven cells: '0.3101', '23.10', '1e+04'; NaN stands for whatever is not finite.

    Args:
        value: The loss, or a difference of losses.
        digits: Behind the point, as long as it is below 10.
    """
    if value is None:
        return "NaN"
    size = abs(value)
    return signed(f"{value:.{digits}f}" if size < 10 else f"{value:.2f}" if size < 1000 else f"{value:.0e}")


def loss_in_words(value: float | None) -> str:
    """A loss for a sentence: as `short` writes it, but a small one with two digits that count: '0.00023', '2.3e−05'."""
    return short(value) if value is None or value == 0 or abs(value) >= 0.001 else signed(f"{value:.2g}")


def percent(fraction: float | None, digits: int = 2) -> str:
    """'98.12' of 0.9812; what is not 0, or not all, but would look so in these digits, is '<0.01' or '>99.99'."""
    if fraction is None or not math.isfinite(fraction):
        return UNKNOWN
    text = number(100 * fraction, f".{digits}f")
    if fraction > 0 and text == f"{0:.{digits}f}":
        return f"<{10**-digits:.{digits}f}"
    if fraction < 1 and text == f"{100:.{digits}f}":
        return f">{100 - 10**-digits:.{digits}f}"
    return text


def share(fraction: float | None, digits: int = 1, gap: str = " ") -> str:
    """'25.0 %' of 0.25, '< 0.1 %' and '> 99.9 %' of what is nearly none or all, '0 %' and '100 %' of none and all.

    Args:
        fraction: From 0 to 1.
        digits: Behind the point.
        gap: What stands between number and sign.
    """
    text = f"{100 * fraction:.0f}" if fraction in (0, 1) else percent(fraction, digits)
    return text if text == UNKNOWN else f"{text.replace('<', f'<{gap}').replace('>', f'>{gap}')}{gap}%"


def fitting(fraction: float | None, digits: int, cells: int) -> str:
    """'98.12%', with fewer digits where there is no room for so many: '100.0%', '>99%'."""
    text = f"{percent(fraction, digits)}%"
    return text if len(text) <= cells or digits == 0 else fitting(fraction, digits - 1, cells)


def p_value(p: float) -> str:
    """'p = 0.858', 'p < 0.001'; a no-break space on either side keeps it in one line."""
    return f"p{NBSP}<{NBSP}0.001" if p < 0.001 else f"p{NBSP}={NBSP}{p:.3g}"


def counted(count: int, what: str) -> str:
    """'1 thread', '2 threads'."""
    return f"{count:,} {what}{'s' if count != 1 else ''}"


def seconds(value: float, digits: int = 2) -> str:
    """What something took, without its unit: '0.38'; whole from 100 on: '1,235'."""
    return f"{value:.{digits}f}" if value < 100 else f"{value:,.0f}"


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
