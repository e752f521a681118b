"""Makes the plan of a study from what was asked for; nothing runs before it is valid."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from regtui.errors import InputError
from regtui.evidence.decided import MATTERS, check_alpha, check_smallest_effect
from regtui.evidence.looks import LOOKS
from regtui.preset.arms import ARM_PATTERN, BASELINE, MOST_ARMS, REGULARIZED, arm_of_setting
from regtui.preset.faults import MAX_VALUE
from regtui.preset.file import to_table, toml_value
from regtui.preset.model import Preset
from regtui.preset.train import SEEDS
from regtui.preset.validation import nearest, validate
from regtui.study.found_runs import identity
from regtui.study.plan import PlannedArm, PlannedCell, StudyPlan, Value, is_of_arm, with_setting
from regtui.tasks import LOSS
from regtui.text import counted, listed, quoted

USUAL_SEEDS = 8
"""Seeds of a study that names none."""
MOST_SEEDS = 100_000
"""Seeds of a study at most."""
MANY_RUNS = 10_000
"""More runs than so many are asked about first."""

Resample = Literal["split", "bootstrap"]


@dataclass(frozen=True)
class Wishes:
    """What was asked for, as it was typed; what is left out has a default.

    Attributes:
        seeds: A number of seeds, '8', or the seeds themselves, '3,5,9'; one text.
        vary: 'KEY=V1,V2' each.
        tune: 'KEY=V1,V2' each.
        sensitivity: Whether half and twice the epochs and the learning rate are tried as well.
        looks: Whether the study may end early, at planned looks.
        resample: How training sets differ from seed to seed.
        metric: What is judged.
        smallest_effect: The smallest difference in it that matters, in its shown unit.
        alpha: The share of studies without any difference that may call one.
        threads: With which each run computes.
    """

    seeds: str | None = None
    vary: Sequence[str] = ()
    tune: Sequence[str] = ()
    sensitivity: bool = False
    looks: bool = False
    resample: str | None = None
    metric: str | None = None
    smallest_effect: float | None = None
    alpha: float | None = None
    threads: int | None = None


def make_plan(preset: Preset, wishes: Wishes) -> StudyPlan:
    """The plan of a study of `preset`.

    Raises:
        InputError: Something asked for can't be done.
    """
    varied = _values("--vary", wishes.vary, preset)
    tuned = _values("--tune", wishes.tune, preset)
    _check_tuned(tuned, varied)
    table, arms = _with_arms(preset, {key: values for key, values in varied.items() if _is_beside(key)})
    resample = _resample(wishes.resample)
    table = _resampled(table, preset, resample)
    cells = _cells({key: values for key, values in varied.items() if not _is_beside(key)})
    if wishes.sensitivity:
        cells += _sensitivity(table, cells)
    looks = list(LOOKS) if wishes.looks else []
    plan = StudyPlan(
        preset=table,
        arms=arms,
        cells=cells,
        seeds=_seeds(wishes.seeds, preset.train.seed, looks),
        metric=_metric(wishes.metric, preset),
        smallest_effect=_smallest_effect(wishes.smallest_effect, wishes.metric or preset.task.metric.name),
        alpha=_alpha(wishes.alpha),
        looks=looks,
        tune=tuned,
        resample=resample,
        threads=wishes.threads or 1,
    )
    _check_cells(plan)
    return plan


def seeds_beyond(plan: StudyPlan, text: str) -> list[int]:
    """The seeds that `--seeds` names beyond a plan, when its study is resumed.

    Raises:
        InputError: It names fewer than were planned, or none that can be.
    """
    named = _seeds(text, min(plan.seeds), [])
    if "," not in text and len(named) < len(plan.seeds):
        raise InputError(
            f"--seeds {text}: the plan has {len(plan.seeds)} seeds, and they all belong to it; name more to add some, "
            "or leave it out"
        )
    return [seed for seed in named if seed not in plan.seeds]


def _values(option: str, texts: Sequence[str], preset: Preset) -> dict[str, list[Value]]:
    """The values of each key that `option` names, checked as far as one can alone."""
    found: dict[str, list[Value]] = {}
    for text in texts:
        key, equals, rest = text.partition("=")
        key = key.strip()
        if not equals or not key or not all(key.split(".")):
            raise InputError(f"{option} {quoted(text, MAX_VALUE)}: write it as KEY=V1,V2, like train.epochs=20,60")
        shown = f"{option} {key}"
        if key in found:
            raise InputError(f"{shown} is there twice; name all its values at once, {key}=V1,V2,V3")
        values = [toml_value(value) for value in _split(rest)]
        if any(isinstance(value, str) and not value for value in values):
            raise InputError(f"{shown}: a value is missing in {quoted(rest, MAX_VALUE)}; separate values by one comma")
        if wrong := [value for value in values if not isinstance(value, get_args(Value))]:
            raise InputError(f"{shown}: {quoted(wrong[0], MAX_VALUE)} is no number, word, true or false")
        _check_key(option, key, preset)
        for value in values:  # so that the fault names what was typed
            validate(_set(shown, to_table(preset), key, value), preset.name, {key: f"{shown}={value}"})
        if twice := next((value for i, value in enumerate(values) if value in values[:i]), None):
            raise InputError(f"{shown}: {quoted(twice, MAX_VALUE)} is there twice")
        if len(values) < 2:
            raise InputError(f"{shown} has one value; name two or more, or set it for all runs: --set {key}={rest}")
        found[key] = values
    return found


def _set(option: str, table: Mapping[str, Any], key: str, value: object) -> dict[str, Any]:
    """The table with a setting that an option asks for.

    Raises:
        InputError: A part of the key is a value.
    """
    try:
        return with_setting(table, key, value)
    except KeyError as error:
        raise InputError(f"{option}: {quoted(error.args[0])} is a value in this preset, not a table") from None


def _split(text: str) -> list[str]:
    """Split at commas, but not in quotes or brackets."""
    parts = re.findall(r"""((?:"[^"]*"|'[^']*'|\[[^\]]*\]|[^,])*)(?:,|$)""", text)
    return [part.strip() for part in (parts[:-1] if len(parts) > 1 and not text.endswith(",") else parts)]


_TEXTS = ("name", "title", "summary", "schema")


def _check_key(option: str, key: str, preset: Preset) -> None:
    """See that a key can be given several values."""
    shown = f"{option} {key}"
    if key == "train.seed":
        raise InputError(f"{shown}: seeds are what every cell is run over; say how many with --seeds N")
    if key == "data.seed":
        raise InputError(f"{shown}: each seed has its own split anyway; --resample bootstrap keeps one split for all")
    if key == "data.bootstrap":
        raise InputError(f"{shown}: write --resample bootstrap")
    if key in ("train.device", "data.root") or key in _TEXTS:
        raise InputError(f"{shown}: this changes no result; --set can set it for all runs")
    if is_of_arm(key):
        arm, knob = arm_of_setting(key)
        if arm not in preset.arms():
            tables = [preset.table_of(name) for name in preset.arms()]
            near = nearest(f"arms.{arm}" if key.startswith("arms.") else arm, tables) or f"; it has {listed(tables)}"
            raise InputError(f"{shown}: this preset has no arm {quoted(arm, MAX_VALUE)}{near}")
        if "." not in knob:
            raise InputError(f"{shown}: name a knob of a technique, such as {preset.table_of(arm)}.dropout.rate")


def _is_beside(key: str) -> bool:
    """Whether a key is a knob of an arm beside the baseline, so that its values make arms."""
    return is_of_arm(key) and arm_of_setting(key)[0] != BASELINE


def _check_tuned(tuned: Mapping[str, Sequence[Value]], varied: Mapping[str, Sequence[Value]]) -> None:
    made = {arm_of_setting(key)[0] for key in varied if _is_beside(key)}
    for key in tuned:
        if key in varied:
            raise InputError(f"--tune {key}: it is varied as well; either each value is judged, or the best is taken")
        if key.startswith("data."):
            raise InputError(f"--tune {key}: trials with other data can't be compared; tune train.*, model.* or a knob")
        if is_of_arm(key) and (arm := arm_of_setting(key)[0]) in made:
            raise InputError(
                f"--tune {key}: --vary has made several arms of {quoted(arm)}; vary its knobs, or tune them"
            )


def _with_arms(preset: Preset, varied: Mapping[str, Sequence[Value]]) -> tuple[dict[str, Any], list[PlannedArm]]:
    """The preset's table with an arm for each combination of the varied knobs of an arm; and the arms it has."""
    table = to_table(preset)
    planned: list[PlannedArm] = []
    for arm in list(preset.arms())[1:]:
        knobs = {arm_of_setting(key)[1]: values for key, values in varied.items() if arm_of_setting(key)[0] == arm}
        if knobs:
            planned += [
                PlannedArm(name="", of=arm, settings=dict(zip(knobs, values, strict=True)))
                for values in itertools.product(*knobs.values())
            ]
        else:
            planned.append(PlannedArm(name=arm, of=arm))
    if not varied:
        return table, planned
    if len(planned) > MOST_ARMS:
        raise InputError(
            f"--vary makes {len(planned)} arms, and at most {MOST_ARMS} fit beside the baseline; name fewer values"
        )
    taken = {BASELINE, *(one.name.lower() for one in planned if one.name)}
    tables: dict[str, Any] = {}
    for one in planned:
        own = table["regularized"] if one.of not in preset.named_arms else table["arms"][one.of]
        for knob, value in one.settings.items():
            own = with_setting(own, knob, value)
        if not one.name:
            one.name = _free_name(one, taken)
            taken.add(one.name.lower())
        tables[one.name] = own
    table = {key: value for key, value in table.items() if key not in ("regularized", "arms")} | {"arms": tables}
    return table, planned


def _free_name(arm: PlannedArm, taken: set[str]) -> str:
    """A name for an arm from its settings: 'rate-0_3', 'dropout-0_3'; where that is too long or taken, a number."""
    settings = {knob.rpartition(".")[2]: _word(value) for knob, value in arm.settings.items()}
    words = [f"{knob}-{word}" for knob, word in settings.items()]
    if len(settings) == 1 and arm.of != REGULARIZED:
        words = [f"{arm.of}-{word}" for word in settings.values()]
    brief = [f"{knob[0]}{word}" for knob, word in settings.items()]
    numbered = (f"{arm.of[:18]}-{i}" for i in itertools.count(1))
    names: Iterable[str] = itertools.chain(["-".join(words), "-".join(brief)], numbered)
    return next(name for name in names if re.match(ARM_PATTERN, name) and name.lower() not in taken)


def _word(value: Value) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)


def _cells(varied: Mapping[str, Sequence[Value]]) -> list[PlannedCell]:
    """A cell for each combination of what varies in data, training and network."""
    combinations = [dict(zip(varied, values, strict=True)) for values in itertools.product(*varied.values())]
    return [PlannedCell(name=_cell_name(settings), settings=settings) for settings in combinations]


def _cell_name(settings: Mapping[str, Value]) -> str:
    return ", ".join(f"{key}={_shown(value)}" for key, value in settings.items())


def _shown(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _sensitivity(table: Mapping[str, Any], known: Sequence[PlannedCell]) -> list[PlannedCell]:
    """Cells with half and twice the epochs and the learning rate of the first of those known, but for these."""
    first, names = known[0], {cell.name for cell in known}
    epochs = first.settings.get("train.epochs", table["train"]["epochs"])
    rate = first.settings.get("train.learning_rate", table["train"]["learning_rate"])
    assert isinstance(epochs, int)
    assert isinstance(rate, int | float)
    changes: list[tuple[str, Value]] = [
        *(("train.epochs", n) for n in (epochs // 2, 2 * epochs) if n > 0),
        *(("train.learning_rate", float(f"{factor * rate:.12g}")) for factor in (0.5, 2)),
    ]
    cells = []
    for key, value in changes:
        settings = {**first.settings, key: value}
        cells.append(PlannedCell(name=_cell_name(settings), settings=settings, role="sensitivity"))
    return [cell for cell in cells if cell.name not in names]


def _resample(text: str | None) -> Resample | None:
    choices: tuple[Resample, ...] = get_args(Resample)
    found = next((choice for choice in choices if choice == text), None)
    if text is not None and found is None:
        raise InputError(
            f"--resample {quoted(text, MAX_VALUE)}: it is split or bootstrap{nearest(text, choices).rstrip('?')}"
        )
    return found


def _resampled(table: dict[str, Any], preset: Preset, resample: Resample | None) -> dict[str, Any]:
    """The preset's table with the training sets drawn in this way."""
    if resample is None:
        return table
    data = {key: value for key, value in table["data"].items() if key not in ("seed", "bootstrap")}
    if resample == "bootstrap":
        data |= {"seed": preset.train.seed if preset.data.seed is None else preset.data.seed, "bootstrap": True}
    return {**table, "data": data}


def _seeds(text: str | None, first: int, looks: Sequence[int]) -> list[int]:
    """The seeds that were asked for; a number of seeds counts from the preset's own."""
    if looks:
        if text is not None and text.strip() != str(looks[-1]):
            raise InputError(
                f"--seeds {text}: with --looks a study has {looks[-1]} seeds, and is looked at after "
                f"{listed([str(look) for look in looks])}; leave --seeds out, or --looks"
            )
        return list(range(first, first + looks[-1]))
    if text is None:
        return list(range(first, first + USUAL_SEEDS))
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            f"--seeds {quoted(text, MAX_VALUE)}: how many seeds, such as 8, or the seeds themselves, 3,5,9"
        ) from None
    if len(numbers) > 1:
        if twice := sorted({n for n in numbers if numbers.count(n) > 1}):
            raise InputError(f"--seeds {text}: {listed([f'seed {n}' for n in twice])} twice; each seed is one run")
        if out := [n for n in numbers if not 0 <= n < SEEDS]:
            raise InputError(f"--seeds {text}: {out[0]} is no seed; they are whole numbers from 0 to {SEEDS - 1}")
        return numbers
    [count] = numbers
    if count < 2:
        raise InputError(
            f"--seeds {text}: a study needs two seeds or more, as one tells nothing of how far the next may differ; "
            f"{USUAL_SEEDS} are usual"
        )
    if count > MOST_SEEDS or first + count > SEEDS:
        raise InputError(f"--seeds {text}: at most {MOST_SEEDS:,} seeds, and each below 2^63")
    return list(range(first, first + count))


def _metric(text: str | None, preset: Preset) -> str:
    known = (preset.task.metric.name, LOSS.name)
    if text is None:
        return known[0]
    if text not in known:
        raise InputError(
            f"--metric {quoted(text, MAX_VALUE)}: {preset.dataset.title} is judged by {' or '.join(known)}"
        )
    return text


def _smallest_effect(value: float | None, metric: str) -> float | None:
    if value is None:
        return MATTERS.get(metric)
    check_smallest_effect(value)
    return value


def _alpha(value: float | None) -> float:
    if value is None:
        return 0.05
    check_alpha(value)
    return value


def _check_cells(plan: StudyPlan) -> None:
    """See that every cell's preset is valid, and drop sensitivity cells that are other cells already.

    Raises:
        InputError: One is not valid, or two are the same experiment.
    """
    seen: dict[str, str] = {}
    twice: set[str] = set()
    roles = {cell.name: cell.role for cell in plan.cells}
    for job in plan.jobs(plan.seeds[:1]):
        name = job.cell + (f", trial {job.trial + 1}" if len(plan.trials) > 1 else "")
        same = seen.setdefault(identity(to_table(job.preset)), name)
        if same == name:
            continue
        if roles[job.cell] == "verdict":
            raise InputError(f"{quoted(same)} and {quoted(name)} are the same runs; leave one of the values out")
        twice.add(job.cell)
    plan.cells = [cell for cell in plan.cells if cell.name not in twice]


def describe_size(plan: StudyPlan) -> str:
    """How much a study is: '8 seeds × 3 cells × 2 trials = 48 runs of 3 arms each'."""
    factors = [counted(len(plan.seeds), "seed")]
    factors += [counted(len(plan.cells), "cell")] if len(plan.cells) > 1 else []
    factors += [counted(len(plan.trials), "trial")] if len(plan.trials) > 1 else []
    runs = len(plan.seeds) * len(plan.cells) * len(plan.trials)
    equals = f" = {runs:,} runs" if len(factors) > 1 else ""
    return f"{' × '.join(factors)}{equals}, each of {counted(1 + len(plan.arms), 'arm')}"
