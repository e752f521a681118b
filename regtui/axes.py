"""The axes of a chart, on the screen or in a report: ends at round numbers, and ticks with their labels."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from regtui.text import signed

FINE = 8
"""An axis ends at multiples of a round step; about this many steps fit on the axis."""
_LARGEST = sys.float_info.max


def limits(values: Sequence[float], *, floor: float | None = None) -> tuple[float, float]:
    """Lower and upper end of an axis that shows all `values`: round numbers, so that it rarely moves as values arrive.

    A flat series lies in the middle, as does one that varies only by rounding errors.

    Args:
        values: Finite numbers.
        floor: The axis does not extend below this value.
    """
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    if _part(low, high, FINE) <= 4 * math.ulp(max(abs(low), abs(high))):
        air = 0.1 * abs(high) if abs(high) > 1e-300 else 0.5
        low, high = max(low - air, -_LARGEST), min(high + air, _LARGEST)
    step = _round_step(_part(low, high, FINE))
    low = max(step * math.floor(low / step + 1e-9), -_LARGEST)
    high = min(step * math.ceil(high / step - 1e-9), _LARGEST)
    return (max(low, floor), high) if floor is not None and floor < high else (low, high)


def ticks(low: float, high: float, count: int, *, whole: bool = False) -> list[tuple[float, str]]:
    """About `count` round numbers between two ends, 1, 2 or 5 times a power of ten apart, with their labels.

    Args:
        low: The lower end.
        high: The upper end; the same as the lower one only with `whole`.
        count: How many ticks there is room for.
        whole: Whether only whole numbers get a tick, as for epochs.
    """
    for finer in (1, 2, 5):
        part = _part(low, high, max(1, count) * finer)
        step = _round_step(max(1.0, part) if whole else part)
        places = [step * k for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
        if len(places) > 1:  # one alone gives no scale
            break
    return [(place, _label(place, step)) for place in places]


def log_ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """Ticks for an axis of log10 values, labelled with the values themselves: 0.1, 0.2, 0.5, 1."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    for multiples in ((1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        places = [d + math.log10(m) for d in decades for m in multiples if low <= d + math.log10(m) <= high]
        if len(places) <= count:
            break
    if len(places) < 2:  # a small part of a decade
        return [(math.log10(value), label) for value, label in ticks(10**low, 10**high, count) if value > 0]
    return [(place, f"{10**place:g}") for place in places[:: -(-len(places) // max(1, count))]]


def _part(low: float, high: float, parts: int) -> float:
    """(high - low) / parts, or the largest float where that is larger."""
    return min(high / parts - low / parts, _LARGEST)


def _round_step(raw: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not below `raw`, which is above 0."""
    power = 10.0 ** math.floor(math.log10(raw))
    return next((power * m for m in (1, 2, 5) if power * m >= raw * 0.999), 10 * power)


def _label(value: float, step: float) -> str:
    """The value with enough digits to tell it from its neighbours, which are a `step` away."""
    exponent = math.floor(math.log10(step) + 1e-9)
    digits = max(0, -exponent)
    if abs(value) < step / 2:
        return f"{0:.{digits}f}" if digits < 6 else "0"
    if abs(value) >= 1e5 or digits > 8:
        digits = max(0, math.floor(math.log10(abs(value)) + 1e-9) - exponent)
        return signed(f"{value:.{digits}e}")
    return signed(f"{value:.{digits}f}")
