"""The curves of every preset with several seeds, trained once and kept, so that tests can retell them without training.

`python -m tests.curves FOLDER` takes them anew from the runs that are logged in FOLDER.
"""

from __future__ import annotations

import gzip
import json
import math
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from regtui.protocol.events import (
    ArmInfo,
    ArmScore,
    ArmStopped,
    ControlApplied,
    EpochDone,
    Event,
    LayerWeights,
    RunFinished,
    RunStarted,
    Scored,
    Status,
    StepsDone,
)
from regtui.protocol.history import History
from regtui.runs.events import read_events

FILE = Path(__file__).parent / "data" / "curves.json.gz"
COLUMNS = ("train_loss", "val_loss", "train_metric", "val_metric", "seconds")
ARMS = ("baseline", "regularized")


@dataclass(frozen=True)
class Rule:
    """Early stopping as the design has it, written once more: what it counts, when it stops, what it keeps."""

    patience: int | None = None
    min_delta: float = 0.0
    warmup: int = 0
    monitor: str = "val_loss"

    def follow(self, arm: Curves) -> tuple[list[bool], list[int], int | None]:
        """Which epochs count as improvements, how long each has waited since one, and after which it stops."""
        counted, waits, reference, wait = [], [], math.inf, 0
        values = arm["val_loss"] if self.monitor == "val_loss" else [-a for a in arm["val_metric"]]
        for epoch, value in enumerate(values, start=1):
            usable = value is not None and epoch > self.warmup
            improved = usable and value < reference - self.min_delta
            if improved:
                reference, wait = value, 0
            elif usable:
                wait += 1
            counted.append(improved)
            waits.append(wait)
            if self.patience is not None and wait >= self.patience:
                return counted, waits, epoch
        return counted, waits, None

    def best(self, arm: Curves, end: int) -> int | None:
        """The epoch with the best value after the warm-up, of those up to `end`."""
        values = arm["val_loss"] if self.monitor == "val_loss" else [-a for a in arm["val_metric"]]
        usable = {e: v for e, v in enumerate(values[:end], start=1) if v is not None and e > self.warmup}
        return min(usable, key=lambda epoch: (usable[epoch], epoch), default=None)


Curves = dict[str, list[Any]]
"""An arm's measurements by name, one a whole epoch, and beside them 'zeros', a share, and 'norm'."""


@dataclass(frozen=True)
class CurveRun:
    """One run that was trained: `facts` of the whole, and what was measured of each arm."""

    facts: dict[str, Any]
    arms: dict[str, Curves]

    @property
    def name(self) -> str:
        """'small-data-3'."""
        return f"{self.facts['preset']}-{self.facts['seed']}"

    def events(
        self,
        rule: Rule | None = None,
        *,
        last: int | None = None,
        partial: bool = False,
        status: Status | None = "finished",
        controls: tuple[ControlApplied, ...] = (),
    ) -> list[Event]:
        """The events of the run, one step an epoch.

        Args:
            rule: Stops the regularized arm; None leaves it as it was trained.
            last: The epoch after which the run ends; None for that after which it ended.
            partial: Whether that epoch was cut short.
            status: How the run ends; None where it goes on.
            controls: What the user did in it.
        """
        facts = self.facts
        infos = {arm: ArmInfo(**facts["infos"][arm]) for arm in ARMS}
        events: list[Event] = [RunStarted(t=0, steps_per_epoch=1, arms=infos, **facts["started"])]
        events += [control.model_copy(update={"t": control.epoch - 0.5}) for control in controls]
        ends = {}
        for arm, curves in self.arms.items():
            counted, waits, stops = (rule if rule and arm == "regularized" else Rule()).follow(curves)
            trained = len(curves["val_loss"])
            end = min(stops or trained, last or trained)
            ends[arm] = (
                end,
                stops == end or (rule is None and facts["stopped"][arm] == "early_stopping" and end == trained),
            )
            for number in range(1, end + 1):
                losses = [curves["train_loss"][number - 1]]
                events.append(StepsDone(t=float(number), arm=arm, epoch=number, first_step=number, losses=losses))
                events.append(self._epoch(arm, number, counted, waits, partial=partial and number == last))
        events.sort(key=lambda event: event.t)
        if status is None:
            return events
        for arm, (end, early) in ends.items():
            lowest = min(v for v in self.arms[arm]["val_loss"][:end] if v is not None)
            reason = "early_stopping" if early else "max_epochs" if status == "finished" else "stopped"
            stop = ArmStopped(
                t=float(end), arm=arm, reason=reason, epoch=end, step=end, best_val_loss=lowest,
                best_epoch=1 + self.arms[arm]["val_loss"].index(lowest),
            )  # fmt: skip
            events.append(stop)
        events.sort(key=lambda event: event.t)
        end_t = events[-1].t
        table, scores = facts["scored"]
        arms = {}
        for arm, (end, early) in ends.items():
            best = (rule or Rule()).best(self.arms[arm], end)
            kept = "best" if best is not None and (early or scores[arm]["kept"] == "best") else "last"
            epoch = best if best is not None and kept == "best" else end
            arms[arm] = ArmScore(**{**scores[arm], "kept": kept, "epoch": epoch})
        return [*events, Scored(t=end_t, arms=arms, **table), RunFinished(t=end_t, status=status)]

    def _epoch(self, arm: str, number: int, counted: list[bool], waits: list[int], *, partial: bool) -> EpochDone:
        curves, at = self.arms[arm], number - 1
        weights = LayerWeights(norm=curves["norm"][at], zeros=curves["zeros"][at], size=self.facts["weights"])
        return EpochDone(
            t=float(number), arm=arm, epoch=number, penalties={}, order=str(number), partial=partial,
            best=curves["val_loss"][at] < min(curves["val_loss"][:at], default=math.inf), counted=counted[at],
            wait=waits[at], weights={"all": weights},
            train_metrics={"accuracy": curves["train_metric"][at]}, val_metrics={"accuracy": curves["val_metric"][at]},
            **{name: curves[name][at] for name in COLUMNS if not name.endswith("_metric")},
        )  # fmt: skip


@cache
def runs() -> tuple[CurveRun, ...]:
    """All that are kept."""
    with gzip.open(FILE, "rt", encoding="utf-8") as file:
        return tuple(CurveRun(**run) for run in json.load(file))


def _take(folder: Path) -> dict[str, Any]:
    """What is kept of a logged run."""
    history = History.of(read_events(folder))
    started, scored = history.started, history.scored
    assert started is not None
    assert scored is not None
    scores = {arm: score.model_dump(include={"loss", "metrics", "kept"}) for arm, score in scored.arms.items()}
    facts = {
        "preset": started.preset,
        "seed": started.seed,
        "started": started.model_dump(exclude={"t", "kind", "arms", "steps_per_epoch"}),
        # Without the hashes of data and split: runs that were taken before there were any belong to the others.
        "infos": {name: info.model_dump(exclude={"data", "split"}) for name, info in started.arms.items()},
        "stopped": {name: arm.stopped.reason for name, arm in history.arms.items() if arm.stopped},
        "weights": sum(layer.size for layer in history.arms["baseline"].epochs[0].weights.values()),
        "scored": [scored.model_dump(exclude={"t", "kind", "arms"}), scores],
    }
    arms = {}
    for name, arm in history.arms.items():
        columns: Curves = {key: [getattr(epoch, key) for epoch in arm.epochs] for key in COLUMNS}
        columns["zeros"] = [sum(layer.zeros for layer in epoch.weights.values()) for epoch in arm.epochs]
        columns["norm"] = [epoch.weight_norm for epoch in arm.epochs]
        arms[name] = {key: [_short(value) for value in values] for key, values in columns.items()}
    return {"facts": facts, "arms": arms}


def _short(value: Any) -> Any:
    return float(f"{value:.7g}") if isinstance(value, float) else value


def main() -> None:
    """Take the curves of all finished runs below a folder."""
    folders = [path.parent for path in Path(sys.argv[1]).rglob("summary.json")]
    folders = [
        folder for folder in folders if json.loads((folder / "summary.json").read_bytes())["status"] == "finished"
    ]
    taken = sorted(
        (_take(folder) for folder in folders), key=lambda run: (run["facts"]["preset"], run["facts"]["seed"])
    )
    with FILE.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as file:
        file.write(json.dumps(taken, separators=(",", ":")).encode())


if __name__ == "__main__":
    main()
