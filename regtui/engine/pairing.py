"""What is known of the arms before the first step; hashes prove that they start from equal weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from regtui.arm.reports import Built
from regtui.preset.model import Preset
from regtui.protocol.events import ArmInfo, RunStarted, SiteInfo, TaskInfo


def run_started(preset: Preset, built: Mapping[str, Built], threads: int, t: float) -> RunStarted:
    """The event that begins a run.

    The hashes of the arms cover only the tensors that all arms have. Batch norm, for example, adds tensors of its own
    to one arm; the common tensors start equal nevertheless.
    """
    common = sorted(set.intersection(*(set(report.tensors) for report in built.values())))
    shared = [name for name in common if len({report.tensors[name] for report in built.values()}) == 1]
    return RunStarted(
        t=t,
        preset=preset.name,
        title=preset.title,
        dataset=preset.dataset.title,
        task=TaskInfo.of(preset.task),
        examples=preset.dataset.examples,
        sizes=preset.sizes._asdict(),
        network=preset.network,
        sites=[SiteInfo(kind=s.kind, number=s.number, name=s.name, shape=s.shape) for s in preset.sites],
        epochs=preset.train.epochs,
        steps_per_epoch=preset.steps_per_epoch,
        batch_size=preset.train.batch_size,
        seed=preset.train.seed,
        device=next(iter(built.values())).device,
        arms={
            name: ArmInfo(
                techniques=preset.arms()[name].label(),
                is_plain=not preset.arms()[name].active(),
                parameters=report.parameters,
                initial_weights=_hash(report.tensors[tensor] for tensor in common),
                tensors=len(report.tensors),
                data=report.data,
                split=report.split,
            )
            for name, report in built.items()
        },
        shared_tensors=len(shared),
        threads=threads,
    )


def _hash(hashes: Iterable[str]) -> str:
    return hashlib.blake2b("".join(hashes).encode(), digest_size=8).hexdigest()
