"""Scales of steppers: the allowed values and the steps between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol


class Scale(Protocol):
    """The values that a stepper allows and the steps between them."""

    @property
    def width(self) -> int:
        """Width of its usual values in cells."""

    def up(self, value: float) -> float:
        """The next larger value, or the same at the upper bound."""

    def down(self, value: float) -> float:
        """The next smaller value, or the same at the lower bound."""

    def parse(self, text: str) -> float | None:
        """The value for a typed text; None if it is not allowed."""

    def show(self, value: float) -> str:
        """The value as people read it."""

    def bounds(self) -> str:
        """The allowed values in words that can follow 'must be'."""


@dataclass(frozen=True)
class Counts:
    """Whole numbers, one by one."""

    low: int = 1
    high: int = 1_000_000
    width: int = 3

    def up(self, value: float) -> float:
        """One more, up to the bound; a preset may have set a value above it, which stays."""
        return max(int(value), min(self.high, int(value) + 1))

    def down(self, value: float) -> float:
        """One less."""
        return max(self.low, int(value) - 1)

    def parse(self, text: str) -> float | None:
        """A whole number within the bounds."""
        return int(text) if text.isdecimal() and len(text) < 19 and self.low <= int(text) <= self.high else None

    def show(self, value: float) -> str:
        """'5'."""
        return str(int(value))

    def bounds(self) -> str:
        """The bounds in words."""
        return f"a whole number from {self.low} to {self.high:,}"


@dataclass(frozen=True)
class Shares:
    """A rate, in steps of 0.05."""

    width: int = 4
    HIGH: ClassVar[float] = 0.95

    def up(self, value: float) -> float:
        """The next multiple of 0.05."""
        return max(value, min(self.HIGH, math.floor(value * 20 + 1 + 1e-9) / 20))

    def down(self, value: float) -> float:
        """The multiple of 0.05 before this one."""
        return max(0.0, math.ceil(value * 20 - 1 - 1e-9) / 20)

    def parse(self, text: str) -> float | None:
        """A number within the bounds."""
        value = _number(text)
        return value if value is not None and 0 <= value <= self.HIGH else None

    def show(self, value: float) -> str:
        """'0.50', with more digits where they are needed."""
        return f"{value:.2f}" if math.isclose(value, round(value, 2)) else f"{value:g}"

    def bounds(self) -> str:
        """The bounds in words."""
        return f"a number from 0 to {self.HIGH}"


@dataclass(frozen=True)
class Magnitudes:
    """A strength of any size: 0, then 1, 2 and 5 times a power of ten from 1e-5 on."""

    width: int = 5
    SERIES: ClassVar[tuple[float, ...]] = (0.0, *(float(f"{m}e{e}") for e in range(-5, 4) for m in (1, 2, 5)))

    def up(self, value: float) -> float:
        """The next larger of the series."""
        return next((step for step in self.SERIES if step > value), value)

    def down(self, value: float) -> float:
        """The next smaller of the series."""
        return next((step for step in reversed(self.SERIES) if step < value), value)

    def parse(self, text: str) -> float | None:
        """A number from the series' beginning to its end."""
        value = _number(text)
        return value if value is not None and self.SERIES[0] <= value <= self.SERIES[-1] else None

    def show(self, value: float) -> str:
        """'0.001'."""
        return f"{value:g}"

    def bounds(self) -> str:
        """The bounds in words."""
        return f"a number from {self.SERIES[0]:g} to {self.SERIES[-1]:,.0f}"


@dataclass(frozen=True)
class Rates(Magnitudes):
    """A learning rate: 1, 2 and 5 times a power of ten, never 0."""

    width: int = 6
    SERIES: ClassVar[tuple[float, ...]] = tuple(float(f"{m}e{e}") for e in range(-8, 2) for m in (1, 2, 5))[:-2]


SCALES: dict[str, Scale] = {"share": Shares(), "magnitude": Magnitudes(), "count": Counts()}
"""Scales by the name that a technique's knob uses for its own."""


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
