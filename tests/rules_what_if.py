"""What the page on other patience claims, checked by following the rule once more; see `tests.rules`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from tests.curves import Curves, Rule
from tests.rules import Rules, hold, is_loss
from tests.rules_verdict import tells

WHAT_IF = Rules["Past"]()


@dataclass(frozen=True, eq=False)
class Past:
    """An arm's whole epochs, the rule but for its patience, and how many epochs were planned."""

    curves: Curves
    rule: Rule
    planned: int

    @property
    def epochs(self) -> int:
        return len(self.curves["val_loss"])

    @cached_property
    def best(self) -> int | None:
        """The best epoch of all."""
        return self.rule.best(self.curves, self.epochs)

    def value(self, epoch: int) -> float:
        """What is followed; lower is better."""
        if self.rule.monitor == "val_loss":
            return float(self.curves["val_loss"][epoch - 1])
        return -float(self.curves["val_metric"][epoch - 1])

    @lru_cache(1024)  # noqa: B019
    def stops(self, patience: int) -> int | None:
        return replace(self.rule, patience=patience).follow(self.curves)[2]

    @lru_cache(1024)  # noqa: B019
    def keeps(self, patience: int) -> int | None:
        return self.rule.best(self.curves, self.stops(patience) or self.epochs)

    def cost(self, patience: int) -> float:
        keeps, best = self.keeps(patience), self.best
        assert keeps is not None
        assert best is not None
        return self.value(keeps) - self.value(best)


def epochs(text: str) -> int:
    return int(text.split()[0].replace(",", ""))


N = r"([\d,]+ epochs?)"
KEPT = (
    r"epoch (\d+), (?:(?:\+([\d.e−-]+)|−([<\d.]+) points) off )?the best"
    rf"(?: of the {N} that were run)?(?:, epoch (\d+))?"
)


def is_kept(past: Past, patience: int, g: Sequence[Any]) -> None:
    """Epoch, cost in loss or in points, epochs that were run, best epoch."""
    hold(past.keeps(patience) == int(g[0]), f"it keeps {past.keeps(patience)}")
    cost = past.cost(patience)
    if g[1] is None and g[2] is None:
        hold(cost == 0, "it is not the best")
    elif g[1] is not None:
        is_loss(g[1], cost)
    else:
        tells(g[2], 100 * cost)
    hold((g[3] is None) == (past.epochs >= past.planned), "all epochs were run, or not")
    hold(g[3] is None or epochs(g[3]) == past.epochs, "another number was run")
    hold(g[4] is None or int(g[4]) == past.best, "another is the best")


def nothing_shorter(past: Past, patience: int) -> None:
    for shorter in range(1, patience):
        hold(past.keeps(shorter) is None or past.cost(shorter) > past.cost(patience), f"{shorter} comes as near")


@WHAT_IF.rule(rf"Patience (\d+) would have kept {KEPT}, and (?:saved {N}|(stopped with the last epoch))\.")
def _(past: Past, g: Sequence[Any]) -> None:
    patience = int(g[0])
    is_kept(past, patience, g[1:6])
    stops = past.stops(patience)
    assert stops is not None
    hold((0 if g[7] else epochs(g[6])) == past.epochs - stops, "another number is saved")
    nothing_shorter(past, patience)


@WHAT_IF.rule(rf"Only patience (\d+) or more would have reached {KEPT}; (\d+) would have stopped at epoch (\d+)\.")
def _(past: Past, g: Sequence[Any]) -> None:
    patience = int(g[0])
    is_kept(past, patience, g[1:6])
    hold(past.stops(patience) is None, "it stops")
    hold(int(g[6]) == patience - 1, "not the one below")
    hold(past.stops(patience - 1) == int(g[7]), "it stops elsewhere")
    nothing_shorter(past, patience)


@WHAT_IF.rule(rf"Not even patience 1 would have stopped it within the {N} that were run\.")
def _(past: Past, g: Sequence[Any]) -> None:
    hold(past.stops(1) is None, "it stops")
    hold(epochs(g[0]) == past.epochs, "another number was run")


@WHAT_IF.rule(rf"None of the {N} counts: not finite, or within the warmup\.")
def _(past: Past, g: Sequence[Any]) -> None:
    hold(past.best is None, "one counts")
    hold(epochs(g[0]) == past.epochs, "another number was run")


@WHAT_IF.rule(
    rf"\* would not have stopped within the {N} that were run; what the others of the ([\d,]+) planned would have "
    r"brought is not known\."
)
def _(past: Past, g: Sequence[Any]) -> None:
    hold(epochs(g[0]) == past.epochs, "another number was run")
    hold(epochs(g[1]) == past.planned > past.epochs, "another number was planned")
    hold(past.stops(50) is None, "all patience stops")


@WHAT_IF.rule(r"Epoch (\d+) was cut short or is missing in the log; it and later ones do not count\.")
def _(past: Past, g: Sequence[Any]) -> None:
    hold(int(g[0]) == past.epochs + 1, "it is another")


def check_row(past: Past, patience: int, cells: Sequence[str]) -> None:
    """Check a row of the table: where it stops, what it keeps, its value, its cost, what is saved."""
    stops, keeps, value, cost, saved = cells
    stop, keep = past.stops(patience), past.keeps(patience)
    complete = past.epochs >= past.planned
    hold(stops == (str(stop) if stop else "all" if complete else "*"), f"it stops at {stop}")
    hold(keeps == (str(keep) if keep else "–"), f"it keeps {keep}")
    if keep is not None:
        series, shown = ("val_loss", value) if past.rule.monitor == "val_loss" else ("val_metric", value.rstrip("%"))
        number = past.curves[series][keep - 1]
        tells(shown, number if series == "val_loss" else 100 * number)
    if keep is None or (stop is None and not complete):
        hold(cost == "–", "its cost is not known")
    elif cost.removeprefix("★").strip() == "best":
        hold(past.cost(patience) == 0, "not the best")
    else:
        shown = re.sub("^[+−]", "", cost)
        hold(past.cost(patience) > 0, "it is the best")
        tells(shown, past.cost(patience) * (1 if past.rule.monitor == "val_loss" else 100))
    hold((0 if saved == "–" else int(saved)) == (past.epochs - stop if stop else 0), "another number is saved")
