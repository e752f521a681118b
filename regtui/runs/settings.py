"""The settings of a saved run: the values of its preset by dotted key, without its name and texts.

A preset is saved with every value resolved. So a value is missing only if its setting was added after the run, which
then had what is now the default; a missing value does not make it another experiment.
"""

from __future__ import annotations

from functools import lru_cache

from regtui.models import DEFAULT
from regtui.preset.arms import arm_of_setting
from regtui.preset.defaults import defaults
from regtui.runs.files import TABLES, Field, flat_fields
from regtui.runs.info import RunInfo, is_result


def settings(run: RunInfo) -> dict[str, Field]:
    """All settings of a run; empty if its preset can't be read."""
    own = {key: value for key, value in run.fields.items() if _is_setting(key)}
    if not own:
        return {}
    kind = str(run.fields.get("model.kind", DEFAULT))
    found: dict[str, Field] = {}
    for table in dict.fromkeys(["data", "model", "train", *(key.rpartition(".")[0] for key in own)]):
        found.update(_left_out(table, kind))
    return {**found, **own}


def settings_by_arm(run: RunInfo) -> dict[str, dict[str, Field]]:
    """The settings of each arm that has some, without its table's name: 'dropout.rate'."""
    found: dict[str, dict[str, Field]] = {}
    for path, value in settings(run).items():
        arm, key = arm_of_setting(path)
        if arm:
            found.setdefault(arm, {})[key] = value
    return found


def setting(run: RunInfo, key: str) -> Field | None:
    """The value of any field of a run, with defaults for missing settings; None if there is none of that key."""
    value = run.fields.get(key)
    return settings(run).get(key) if value is None and _is_setting(key) else value


def _is_setting(key: str) -> bool:
    """Whether a field is a setting; the results of an arm begin with 'arms.NAME.' too."""
    return key.startswith(TABLES) and not is_result(key)


@lru_cache(256)
def _left_out(table: str, kind: str) -> dict[str, Field]:
    return flat_fields(defaults(table, kind))
