"""The settings of a saved run: the values of its preset by dotted key, without its name and texts.

A preset is saved with every value resolved, so that one is missing only where it came later than the run. The run had
then what is the default of it, and is no other experiment for that.
"""

from __future__ import annotations

from functools import lru_cache

from regtui.models import DEFAULT
from regtui.preset.defaults import defaults
from regtui.runs.files import Field, flat_fields
from regtui.runs.list import RunInfo
from regtui.techniques import REGISTRY

TABLES = ("data.", "model.", "train.", "baseline.", "regularized.", "arms.")
"""What the keys of settings begin with, in a preset's order."""


def settings(run: RunInfo) -> dict[str, Field]:
    """All of a run; none where its preset can't be read."""
    own = {key: value for key, value in run.fields.items() if _is_setting(key)}
    if not own:
        return {}
    kind = str(run.fields.get("model.kind", DEFAULT))
    found: dict[str, Field] = {}
    for table in dict.fromkeys(["data", "model", "train", *(key.rpartition(".")[0] for key in own)]):
        found.update(_left_out(table, kind))
    return {**found, **own}


def setting(run: RunInfo, key: str) -> Field | None:
    """A field of a run, whether it is a setting or not; None where there is none of that key."""
    value = run.fields.get(key)
    return settings(run).get(key) if value is None and _is_setting(key) else value


def _is_setting(key: str) -> bool:
    """Whether a field is one; with 'arms.NAME.' an arm's results begin, too."""
    if key.startswith("arms."):
        return key.count(".") > 2 and key.split(".")[2] in REGISTRY
    return key.startswith(TABLES)


@lru_cache(256)
def _left_out(table: str, kind: str) -> dict[str, Field]:
    return flat_fields(defaults(table, kind))
