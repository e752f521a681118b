"""The command that makes the plan of a study again, so that whoever reads a verdict can try it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from regtui.errors import InputError
from regtui.evidence.decided import MATTERS
from regtui.evidence.looks import LOOKS
from regtui.preset.arms import REGULARIZED
from regtui.preset.file import load, to_table
from regtui.preset.model import Preset
from regtui.runs.files import leaves
from regtui.study.design import Wishes, make_plan
from regtui.study.plan import StudyPlan, Value, is_of_arm

_TEXTS = ("title", "summary", "name")
"""Of a preset, what no option sets."""


def command_of(plan: StudyPlan) -> str:
    """The command line that makes this plan; empty if none can, as where the preset's file is not there any more.

    What is returned has been tried: it makes an equal plan.
    """
    name = str(plan.preset["name"])
    try:
        preset = load(name)
        settings = [f"{key}={_typed(value)}" for key, value in _changed(plan, preset)]
        preset = load(name, settings)
        wishes = Wishes(
            _seeds(plan, preset), _varied(plan, preset), [_option(*item) for item in plan.tune.items()],
            any(cell.role == "sensitivity" for cell in plan.cells), bool(plan.looks), plan.resample,
            None if plan.metric == preset.task.metric.name else plan.metric,
            None if plan.smallest_effect == MATTERS.get(plan.metric) else plan.smallest_effect,
            None if plan.alpha == StudyPlan.model_fields["alpha"].default else plan.alpha,
            None if plan.threads == 1 else plan.threads,
        )  # fmt: skip
        if _judged(make_plan(preset, wishes)) != _judged(plan):
            return ""
    except InputError:
        return ""
    words = ["regtui", "study", name, *([] if wishes.seeds is None else ["--seeds", wishes.seeds])]
    for option, values in (("--set", settings), ("--vary", wishes.vary), ("--tune", wishes.tune)):
        words += [word for value in values for word in (option, value)]
    words += [flag for flag, is_set in (("--sensitivity", wishes.sensitivity), ("--looks", wishes.looks)) if is_set]
    for option, value in (
        ("--resample", wishes.resample), ("--metric", wishes.metric),
        ("--smallest-effect", wishes.smallest_effect), ("--alpha", wishes.alpha), ("--threads", wishes.threads),
    ):  # fmt: skip
        words += [option, _typed(value)] if value is not None else []
    return shlex.join(words)


def _judged(plan: StudyPlan) -> dict[str, Any]:
    """A plan without its texts for people, and without the device."""
    table = plan.model_dump(by_alias=True, exclude_none=True)
    preset = {key: value for key, value in table["preset"].items() if key not in _TEXTS}
    preset["train"] = {key: value for key, value in preset["train"].items() if key != "device"}
    return table | {"preset": preset}


def _changed(plan: StudyPlan, preset: Preset) -> Iterator[tuple[str, Value]]:
    """The settings in which the plan's preset differs from the one of its name, by the keys that change them."""
    theirs = dict(leaves(to_table(preset)))
    drawn = ("data.seed", "data.bootstrap") if plan.resample else ()
    for key, value in leaves({key: value for key, value in plan.preset.items() if key not in _TEXTS}):
        if not is_of_arm(key) and theirs.get(key) != value and key not in ("train.device", *drawn):
            yield key, value
    for arm in plan.arms:
        of = preset.table_of(arm.of)
        own = plan.preset[REGULARIZED] if arm.name not in plan.preset.get("arms", {}) else plan.preset["arms"][arm.name]
        for key, value in leaves(own):
            if key not in arm.settings and theirs.get(f"{of}.{key}") != value:
                yield f"{of}.{key}", value
    for key, value in leaves(plan.preset.get("baseline", {})):
        if theirs.get(f"baseline.{key}") != value:
            yield f"baseline.{key}", value


def _varied(plan: StudyPlan, preset: Preset) -> list[str]:
    """What --vary had: the arms' knobs first, then settings of data, training and network."""
    values: dict[str, list[Value]] = {}
    told: list[tuple[str, Value]] = [
        (f"{preset.table_of(arm.of)}.{key}", value) for arm in plan.arms for key, value in arm.settings.items()
    ]
    told += [item for cell in plan.cells if cell.role == "verdict" for item in cell.settings.items()]
    for key, value in told:
        of = values.setdefault(key, [])
        if value not in of:
            of.append(value)
    return [_option(*item) for item in values.items()]


def _seeds(plan: StudyPlan, preset: Preset) -> str | None:
    first, count = preset.train.seed, len(plan.seeds)
    if plan.looks == list(LOOKS):
        return None
    return str(count) if plan.seeds == list(range(first, first + count)) else ",".join(map(str, plan.seeds))


def _option(key: str, values: list[Value]) -> str:
    return f"{key}={','.join(map(_typed, values))}"


def _typed(value: object) -> str:
    """A value as it is typed in a shell."""
    if isinstance(value, list):
        return f"[{','.join(map(_typed, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
