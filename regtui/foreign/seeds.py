"""The seed of a run that another program logged: from its name, from the settings beside its log, or not at all."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from regtui.files import read_plain, text_of
from regtui.foreign.series import LoggedRun

NAMED = re.compile(r"(?:^|[^a-z])(?:random[_-]?)?(?:seed|rng)[\s_=:.-]*(\d{1,18})(?!\d)", re.IGNORECASE)
"""'seed_3', 'seed=3', 'base-seed3'."""
LETTER = re.compile(r"(?:^|[^a-z0-9])s[_=-]?(\d{1,9})(?![a-z0-9])", re.IGNORECASE)
"""'s3', 'base_s3'."""
NO_SEED = re.compile(
    r"(?:^|[^a-z])(?:version|v|checkpoint|epochs?|steps?|lr|rate|wd|decay|lambda|alpha|beta|gamma|batch|bs|size|samples|dim"
    r"|layers?|hidden|width|depth)[_=-]?$|\d\.$",
    re.IGNORECASE,
)
"""What stands before a number that is no seed: a setting, a part of a number, Lightning's counter version_1."""
SETTINGS = (
    "hparams.yaml", "hparams.yml", "config.yaml", "config.yml", ".hydra/config.yaml", "run.json", "config.json",
    "params.json", "args.json", "hparams.json",
)  # fmt: skip
"""Files that tell a seed beside a log: Lightning's, W&B's, Hydra's, and those of one's own."""
IN_YAML = re.compile(
    r"^(?:seed|random_seed|rng_seed|seed_everything)[ \t]*:[ \t]*(?:(\d{1,18})[ \t]*(?:#.*)?$"
    r"|\n(?:[ \t]+(?!value).*\n)*[ \t]+value[ \t]*:[ \t]*(\d{1,18})[ \t]*$)",
    re.MULTILINE,
)
"""'seed: 3' at the top level, or W&B's 'seed:' with 'value: 3' below it."""
KEYS = ("seed", "random_seed", "rng_seed", "seed_everything")
MOST_BYTES = 1_000_000


class Joined(NamedTuple):
    """How the runs of two sides belong together.

    Attributes:
        keys: The seed, or the number in its name, of each run, by its name.
        what: What that is: 'seed', or 'number', that in the names.
    """

    keys: Mapping[str, int]
    what: str


def join(baseline: Sequence[LoggedRun], regularized: Sequence[LoggedRun]) -> Joined | None:
    """What tells which run of one side belongs to which of the other; None where not every run has it.

    First what the logs themselves or their names tell as a seed, then the settings beside them, then the one number by
    which the names of a side differ ('base_1', 'base_2'), unless that is a counter such as Lightning's version_1.
    """
    runs = [*baseline, *regularized]
    told = {run.name: run.seed for run in runs if run.seed is not None}
    for seeds in (told, _by_pattern(runs, NAMED), _by_pattern(runs, LETTER), _beside(runs)):
        known = told | seeds
        if len(known) == len(runs):
            return Joined(known, "seed")
    numbers = [_by_number(side) for side in (baseline, regularized)]
    if all(numbers):
        return Joined({name: number for side in numbers for name, number in side.items()}, "number")
    return None


def _by_pattern(runs: Sequence[LoggedRun], pattern: re.Pattern[str]) -> dict[str, int]:
    """The last number in each name that stands there as a seed; nothing where all names have the same, as a folder."""
    found = {run.name: pattern.findall(run.name) for run in runs}
    seeds = {name: int(numbers[-1]) for name, numbers in found.items() if numbers}
    return seeds if pattern is NAMED or len(set(seeds.values())) > 1 else {}


def _beside(runs: Sequence[LoggedRun]) -> dict[str, int]:
    """What settings beside logs tell; those in a folder of several runs are of none of them."""
    shared = Counter(run.folder for run in runs)
    alone = [run for run in runs if shared[run.folder] == 1]
    return {run.name: seed for run in alone if (seed := _seed_beside(run)) is not None}


def _seed_beside(run: LoggedRun) -> int | None:
    for name in SETTINGS:
        with suppress(OSError, ValueError, RecursionError):
            text = text_of(read_plain(run.folder / name, MOST_BYTES))
            if name.endswith("json"):
                table = json.loads(text)
                for key in KEYS if isinstance(table, dict) else ():
                    seed = table.get(key)
                    if isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 10**18:
                        return seed
            elif match := IN_YAML.search(text):
                return int(match[1] or match[2])
    return None


def _by_number(runs: Sequence[LoggedRun]) -> dict[str, int]:
    """The number of each run, where the names are the same but for one number; nothing otherwise."""
    parts = [re.split(r"(\d+)", run.name) for run in runs]
    if len(runs) < 2 or len({len(of) for of in parts}) > 1:
        return {}
    differing = [place for place, at in enumerate(zip(*parts, strict=True)) if len(set(at)) > 1]
    if len(differing) != 1 or differing[0] % 2 == 0:
        return {}
    place = differing[0]
    numbers = [of[place] for of in parts]
    before, after = "".join(parts[0][:place]), "".join(parts[0][place + 1 :])
    if NO_SEED.search(before) or re.match(r"\.\d", after):
        return {}
    if max(map(len, numbers)) > 18 or len(set(map(int, numbers))) < len(runs):
        return {}
    return {run.name: int(number) for run, number in zip(runs, numbers, strict=True)}
