"""The learning rate of each step, the same in all arms, as planned in a preset's `[train]`."""

from __future__ import annotations

import math
from collections.abc import Iterator

from regtui.preset.faults import Fault
from regtui.preset.train import TrainTable
from regtui.text import counted

STEP_FACTOR = 0.1
"""The default factor of each cut in the schedule `step`."""


class Schedule:
    """The learning rate η_t of step t, counted from 0 over the whole run, for a base rate η.

    constant  η_t = η
    cosine    η_t = η/2 · (1 + cos(π · (t − W) / (T − W))), from η to nearly 0 over the T planned steps
    step      η_t = η · γ^⌊e/n⌋ in epoch e, counted from 0: multiplied by γ after every n epochs
    warm-up   η_t = η · (t + 1) / W in the first W steps, before any of the three

    η may be changed between two steps; the run then goes on as if it had been the new one from the start.

    Source: Loshchilov, Hutter: SGDR: Stochastic Gradient Descent with Warm Restarts. ICLR 2017, equation 5, without
    restarts. He, Zhang, Ren, Sun: Deep Residual Learning. CVPR 2016, section 3.4 (step). Goyal et al.: Accurate, Large
    Minibatch SGD. 2017, section 2.2 (gradual warm-up).
    """

    def __init__(self, train: TrainTable, steps_per_epoch: int, base: float | None = None) -> None:
        """Plan the rates of a run; the base rate is the preset's if it is left out."""
        self.base = train.learning_rate if base is None else base
        self._train = train
        self._steps_per_epoch = steps_per_epoch
        self._steps = train.epochs * steps_per_epoch
        self._warm_up = train.warmup_steps + train.warmup_epochs * steps_per_epoch
        factor = train.step_factor
        self._factor = STEP_FACTOR if factor is None else factor

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        train, base = self._train, self.base
        if step < self._warm_up:
            return base * (step + 1) / self._warm_up
        if train.schedule == "cosine":
            return base / 2 * (1 + math.cos(math.pi * (step - self._warm_up) / (self._steps - self._warm_up)))
        if train.schedule == "step" and train.step_epochs is not None:
            return base * self._factor ** (step // self._steps_per_epoch // train.step_epochs)
        return base


def is_steady(train: TrainTable) -> bool:
    """Whether the rate is the base rate at every step."""
    return train.schedule == "constant" and not train.warmup_epochs and not train.warmup_steps


def words(train: TrainTable) -> str:
    """The learning rate and its schedule: '0.001', '0.001 cosine, warm-up 2 epochs, gradients up to norm 1'."""
    parts = [f"{train.learning_rate:g}"]
    if train.schedule == "cosine":
        parts = [f"{parts[0]} cosine"]
    elif train.schedule == "step":
        factor = STEP_FACTOR if train.step_factor is None else train.step_factor
        parts = [f"{parts[0]} times {factor:g} every {counted(train.step_epochs or 0, 'epoch')}"]
    if train.warmup_epochs:
        parts.append(f"warm-up {counted(train.warmup_epochs, 'epoch')}")
    if train.warmup_steps:
        parts.append(f"warm-up {counted(train.warmup_steps, 'step')}")
    if train.clip_norm is not None:
        parts.append(f"gradients up to norm {train.clip_norm:g}")
    return ", ".join(parts)


def faults(train: TrainTable) -> Iterator[Fault]:
    """Contradictions in a plan."""
    if train.schedule == "step":
        if train.step_epochs is None:
            yield Fault("train.step_epochs", "the schedule 'step' needs it: after how many epochs the rate is cut")
    else:
        for key in ("step_epochs", "step_factor"):
            if getattr(train, key) is not None:
                words = f"belongs to the schedule 'step', and train.schedule is {train.schedule!r}; leave it out"
                yield Fault(f"train.{key}", words)
    if train.warmup_epochs and train.warmup_steps:
        yield Fault("train.warmup_steps", "train.warmup_epochs is set too; set one of them")
