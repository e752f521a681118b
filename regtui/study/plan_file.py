"""Writes and reads the files that say what a study runs, study.toml and added.toml, and how: options.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from regtui.errors import InputError
from regtui.files import NotPlainError, TooLargeError, read_plain, table_of_toml, text_of
from regtui.preset.train import SEEDS
from regtui.study.plan import StudyPlan
from regtui.text import quoted

ADDED = "added.toml"
OPTIONS = "options.toml"
LONGEST_PLAN = 2**20
"""Largest plan in bytes; one of 10,000 seeds has a tenth."""


def plan_toml(plan: StudyPlan) -> bytes:
    """The content of study.toml."""
    import tomlkit  # 40 ms

    table = {"fingerprint": plan.fingerprint, **plan.model_dump(by_alias=True, exclude_none=True)}
    note = (
        "# The plan of a study, written before its first run. A plan that is changed afterwards is refused: a verdict\n"
        "# holds for what was decided on before.\n"
    )
    return (note + tomlkit.dumps(table)).encode()


def read_plan(file: Path) -> StudyPlan:
    """The plan in study.toml.

    Raises:
        InputError: It can't be read, is none, or was changed after it was written.
    """
    table = _read_table(file)
    fingerprint = table.pop("fingerprint", None)
    try:
        plan = StudyPlan.model_validate(table)
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        if type(table.get("schema")) is int and table["schema"] > 1:
            raise InputError(f"{quoted(file)} is from a later version of regtui; update regtui to read it") from None
        raise InputError(f"{quoted(file)} is no plan of a study: {key} is not as it was written") from None
    if plan.fingerprint != fingerprint:
        raise InputError(
            f"{quoted(file)} was changed after it was written, and a plan holds only if it was made before; put it "
            "back as it was, or begin a new study"
        )
    return plan


def read_added(file: Path) -> list[int]:
    """The seeds in added.toml, each once; none if there is no such file.

    Raises:
        InputError: It can't be read, or has something else.
    """
    if not file.exists():
        return []
    seeds = _read_table(file).get("seeds")
    if not isinstance(seeds, list) or not all(type(seed) is int and 0 <= seed < SEEDS for seed in seeds):
        raise InputError(f"{quoted(file)} is damaged: it should have a line such as 'seeds = [8, 9]'")
    return list(dict.fromkeys(seeds))


def options_toml(*, checkpoints: bool) -> bytes:
    """The content of options.toml."""
    return (
        "# How the study's runs are made, which changes nothing that they find: it goes on so when it is resumed.\n"
        f"checkpoints = {str(checkpoints).lower()}\n"
    ).encode()


def read_checkpoints(file: Path) -> bool:
    """Whether runs save their weights after each epoch, as options.toml says; they do not if there is no such file.

    Raises:
        InputError: It can't be read, or has something else.
    """
    if not file.exists():
        return False
    checkpoints = _read_table(file).get("checkpoints")
    if not isinstance(checkpoints, bool):
        raise InputError(f"{quoted(file)} is damaged: it should have the line 'checkpoints = true', or false")
    return checkpoints


def _read_table(file: Path) -> dict[str, Any]:
    try:
        return table_of_toml(text_of(read_plain(file, LONGEST_PLAN)))
    except FileNotFoundError:
        raise InputError(f"{quoted(file.parent)} is no study's folder: it has no {file.name}") from None
    except (NotPlainError, IsADirectoryError):
        raise InputError(f"{quoted(file)} is no file") from None
    except TooLargeError:
        raise InputError(f"{quoted(file)} is too large to be a plan") from None
    except OSError as error:
        raise InputError(f"{quoted(file)} can't be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise InputError(f"{quoted(file)} is damaged: it is no TOML") from None
