"""How much memory a run takes at least; one that surely does not fit is refused before it begins.

What is counted: of each arm its weights, their gradients, Adam's two moments and the copy of the best weights, all
float32; in the arms that compute at the same time the values that a step's backward pass needs; on a GPU the data,
which on a CPU are mapped from their file. What is not: torch itself, and what its operators need in between. So a run
takes more than this, and what is close to the limit is tried.
"""

from __future__ import annotations

from typing import NamedTuple

from regtui.errors import InputError
from regtui.memory import Memory
from regtui.models.base import flat
from regtui.preset.model import Preset
from regtui.text import megabytes

FLOAT = 4
"""Bytes of a float32."""
EVALUATION_BATCH = 256
"""Examples in a batch when nothing is learned from it; larger ones leave the processor's cache and gain nothing."""


class Need(NamedTuple):
    """Bytes that a run takes at least.

    Attributes:
        networks: Weights and what belongs to each of them, in all arms together.
        steps: What a step computes, in the arms that compute at the same time.
        data: The data set, where it is copied.
    """

    networks: int
    steps: int
    data: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self)


def needed(preset: Preset, at_once: int, *, on_gpu: bool) -> Need:
    """What a run takes at least.

    Args:
        preset: The run.
        at_once: How many arms compute at the same time.
        on_gpu: Whether it computes on a device with memory of its own.
    """
    arms = len(preset.arms())
    copies = 3 if preset.train.optimizer == "sgd" else 5  # weights, gradients, the best weights; Adam's two moments
    networks = arms * copies * FLOAT * preset.model.parameters(preset.shape, preset.dataset.outputs)
    return Need(networks, min(at_once, arms) * _step(preset), _data(preset) if on_gpu else 0)


def check(preset: Preset, granted: Memory, at_once: int, *, on_gpu: bool = False, runs: int = 1) -> None:
    """Refuse a run that takes more memory than there is, or so many runs at the same time.

    Raises:
        InputError: They do; the sentence has both numbers, and what to do.
    """
    need = needed(preset, at_once, on_gpu=on_gpu)
    if need.total * runs <= granted.amount:
        return
    if runs > 1:
        raise InputError(
            f"{runs} runs at the same time take at least {megabytes(need.total * runs)} of memory, "
            f"{megabytes(need.total)} each, but {granted.owner} grants {megabytes(granted.amount)}; take fewer at a "
            "time with --jobs, or a smaller network"
        )
    arms, batch = len(preset.arms()), min(preset.train.batch_size, preset.sizes.train)
    parameters = preset.model.parameters(preset.shape, preset.dataset.outputs)
    parts = {
        need.networks: (
            f"for {arms} arms of {parameters:,} parameters",
            f"take a smaller network{' or fewer arms' if arms > 2 else ''}",
        ),
        need.steps: (f"for the steps, of {batch:,} examples each", "take a smaller train.batch_size"),
        need.data: (f"for {preset.dataset.title}", "take another device"),
    }
    largest = max(parts)
    what, remedy = parts[largest]
    raise InputError(
        f"this run takes at least {megabytes(need.total)} of memory, {megabytes(largest)} of it {what}, but "
        f"{granted.owner} grants {megabytes(granted.amount)}; {remedy}"
    )


def _step(preset: Preset) -> int:
    """Bytes of values in one arm, in a step of training or of evaluation, whichever takes more.

    In the backward pass of an activation there are its output, the outputs of those before it, and the gradients of
    what comes out of it and of what goes in.
    """
    train, val, _, _ = preset.sizes
    widths = [flat(site.shape) for site in preset.sites if site.kind == "after"]
    learning = max((sum(widths[: n + 1]) + 2 * width for n, width in enumerate(widths)), default=0)
    largest = max([*widths, preset.dataset.outputs])
    learned = min(preset.train.batch_size, train) * (flat(preset.shape) + max(learning, largest))
    return FLOAT * max(learned, min(EVALUATION_BATCH, val) * (flat(preset.shape) + largest))


def _data(preset: Preset) -> int:
    train, val, test, _ = preset.sizes
    of_one = flat(preset.shape) * (1 if len(preset.dataset.shape) > 1 else FLOAT)  # pixels are bytes
    return (train + val + test) * of_one
