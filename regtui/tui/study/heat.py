"""A map of differences over two settings that vary at once. Uses no widget."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.color import Color

from regtui.evidence.effect_map import EffectMap
from regtui.evidence.over_seeds import Call, Compared
from regtui.text import UNKNOWN
from regtui.tui.study.forest import ArmInCell
from regtui.tui.study.subject import Subject

STRONGEST = 0.45
"""So much of the colour of the largest difference is mixed into the ground: text on it can still be read."""
SIGNS: Mapping[Call, str] = {"helps": "✓", "hurts": "✗", "no difference": "=", "inconclusive": "?"}
"""What is called of a difference, beside its number."""


def heat_rows(
    effects: EffectMap, subject: Subject, chosen: ArmInCell, size: tuple[int, int], colours: Mapping[str, str]
) -> list[Text]:
    """A head, a row for each value of the one setting, and what is drawn."""
    width, height = size
    faint, better = Style(color=colours["faint"]), 1 if subject.metric.better == "higher" else -1
    labels = max(cell_len(effects.row_key), *(len(f"{row:g}") for row in effects.rows))
    labels = min(labels, max(6, width // 3))
    column = max(7, *(len(f"{value:,g}") for value in effects.columns), subject.metric.digits + 6) + 2
    room = max(1, (width - labels - 4) // column)
    column = min(16, max(column, (width - labels - 4) // len(effects.columns)))
    at = next((n for n, value in enumerate(effects.columns) if _is_there(effects, value, chosen)), 0)
    first = max(0, min(at - room // 2, len(effects.columns) - room))
    shown = effects.columns[first : first + room]
    more = "" if len(shown) == len(effects.columns) else f"  {first + 1}–{first + len(shown)} of {len(effects.columns)}"
    rows = [Text(f" {'':{labels}}   {effects.column_key}{more}", faint, end="", no_wrap=True)]
    head = "".join(f"{f'{value:,g}':^{column}}" for value in shown)
    rows.append(Text(f" {effects.row_key[:labels]:{labels}}   {head}", faint, end="", no_wrap=True))
    tall = height == 0 or height >= 2 * len(effects.rows) + 3
    for row in effects.rows:
        line = Text(f" {f'{row:g}':>{labels}}   ", faint, end="", no_wrap=True)
        for value in shown:
            compared, place = effects.effects.get((row, value)), effects.arms.get((row, value))
            line.append(*_cell(compared, subject, column, effects.reach, better, colours, here=place == chosen))
        rows += [line, Text("")] if tall else [line]
    words = (
        f"test {subject.metric.title} minus baseline  ✓ helps  ✗ hurts  = no difference that matters  ? inconclusive"
    )
    rows.append(Text(f" {words}", faint, end="", no_wrap=True))
    for one in rows:
        one.truncate(width)
    return rows[: height or None]


def _is_there(effects: EffectMap, column: float, chosen: ArmInCell) -> bool:
    return any(place == chosen for (_, value), place in effects.arms.items() if value == column)


def _cell(
    compared: Compared | None,
    subject: Subject,
    width: int,
    reach: float,
    sign: int,
    colours: Mapping[str, str],
    *,
    here: bool,
) -> tuple[str, Style]:
    if compared is None or compared.mean is None:
        style = Style(color=colours["background"], bgcolor=colours["accent"]) if here else Style(color=colours["faint"])
        return f"{UNKNOWN:^{width}}", style
    words = f"{subject.signed(compared.mean)} {SIGNS.get(compared.call, ' ')}"
    if here:
        return f"{words:^{width}}", Style(color=colours["background"], bgcolor=colours["accent"], bold=True)
    share = STRONGEST * abs(compared.mean) / reach if reach else 0.0
    towards = colours["success" if sign * compared.mean > 0 else "error"]
    ground = Color.parse(colours["background"]).blend(Color.parse(towards), share).hex
    return f"{words:^{width}}", Style(color=colours["foreground"], bgcolor=ground)
