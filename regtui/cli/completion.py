"""What a shell completes: presets, saved runs, the keys of --set. Somebody waits meanwhile, so it imports little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from regtui.preset.places import available

if TYPE_CHECKING:
    from pydantic import BaseModel

MOST = 1000
"""Names that are offered at most."""


def presets(incomplete: str) -> list[str]:
    """The presets of this name; the shell itself completes files only where there are none."""
    return [name for name in available() if name.startswith(incomplete)]


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """The saved runs whose names begin so, the newest first."""
    from regtui.runs.find import is_run

    folder = _logs(context)
    with suppress(OSError):
        names = sorted((path.name for path in folder.iterdir() if path.name.startswith(incomplete)), reverse=True)
        return [name for name in names[:MOST] if is_run(folder / name)]
    return []


def going_on(context: typer.Context, incomplete: str) -> list[str]:
    """The runs that go on and whose names begin so, the newest first."""
    from regtui.runs import going_on

    with suppress(OSError):
        found = (run.name for run in going_on.going_on(_logs(context)))
        return [name for name in found if name.startswith(incomplete)]
    return []


def with_checkpoint(context: typer.Context, incomplete: str) -> list[str]:
    """The runs that have a folder for a checkpoint to go on from, and whose names begin so, the newest first."""
    folder = _logs(context)
    return [name for name in runs(context, incomplete) if (folder / name / "checkpoint").is_dir()]


def keys(context: typer.Context, incomplete: str) -> list[str]:
    """The dotted keys of a preset, each with '=', also of what it leaves out; arms are those of --preset."""
    if "=" in incomplete:
        return []
    from regtui.models import KINDS
    from regtui.preset.model import Preset
    from regtui.techniques import Techniques

    table = _table(context)
    arms = ["baseline", *(f"arms.{arm}" for arm in table.get("arms", {}))]
    if "arms" not in table:
        arms.append("regularized")
    kind = KINDS.get(table.get("model", {}).get("kind", "mlp"), KINDS["mlp"])
    found = [
        *(f"{arm}.{key}" for arm in arms for key in _fields(Techniques)),
        *(f"model.{key}" for key in _fields(kind)),
    ]
    found += [f"{part}.{key}" for part in ("data", "train") for key in _fields(_model(Preset, part))]
    return [f"{key}=" for key in (*found, "title", "summary") if key.startswith(incomplete)]


def themes(incomplete: str) -> list[str]:
    """The themes."""
    return [name for name in ("auto", "dark", "light", "high-contrast") if name.startswith(incomplete)]


def devices(incomplete: str) -> list[str]:
    """Devices that every machine may have."""
    return [name for name in ("auto", "cpu", "cuda", "mps") if name.startswith(incomplete)]


def formats(incomplete: str) -> list[str]:
    """The formats of an export."""
    return [name for name in ("csv", "tensorboard", "html", "svg", "png") if name.startswith(incomplete)]


def studies(context: typer.Context, incomplete: str) -> list[str]:
    """The studies whose names begin so, the newest first."""
    with suppress(OSError):
        found = [p.name for p in _logs(context).iterdir() if p.name.startswith(incomplete) and "-study-" in p.name]
        return sorted(found, reverse=True)[:MOST]
    return []


def saved(context: typer.Context, incomplete: str) -> list[str]:
    """The saved runs and studies whose names begin so, the newest first."""
    return sorted([*runs(context, incomplete), *studies(context, incomplete)], reverse=True)[:MOST]


def resamples(incomplete: str) -> list[str]:
    """How training sets may differ from seed to seed."""
    return [name for name in ("split", "bootstrap") if name.startswith(incomplete)]


def metrics(incomplete: str) -> list[str]:
    """What a study may judge by."""
    return [name for name in ("accuracy", "r2", "loss") if name.startswith(incomplete)]


def engines(incomplete: str) -> list[str]:
    """What may make the runs of a study."""
    return [name for name in ("local", "ray", "slurm") if name.startswith(incomplete)]


def logged_metrics(context: typer.Context, incomplete: str) -> list[str]:
    """The metrics of the first run that --baseline names."""
    from regtui.errors import RegtuiError
    from regtui.foreign.find import find_runs

    with suppress(RegtuiError, OSError):
        named = context.params.get("baseline") or ()
        runs = find_runs(list(named)[:1], "--baseline") if named else []
        return [name for run in runs[:1] for name in run.series if name.startswith(incomplete)][:MOST]
    return []


def directions(incomplete: str) -> list[str]:
    """Which values of a metric may be better."""
    return [name for name in ("higher", "lower") if name.startswith(incomplete)]


def values_at(incomplete: str) -> list[str]:
    """Which value of each run may count, but for an epoch's number."""
    return [name for name in ("last", "best") if name.startswith(incomplete)]


def _logs(context: typer.Context) -> Path:
    if chosen := context.params.get("log_dir"):
        return Path(chosen)
    from regtui.settings import read_settings

    return read_settings().settings.logs


def _table(context: typer.Context) -> dict[str, Any]:
    """The preset that is named, as it is written; nothing if there is none that can be read."""
    from regtui.files import MAX_PRESET, read_plain, table_of_toml, text_of

    named = context.params.get("preset") or context.params.get("name")
    # An argument is not parsed yet where the option after it lacks its value.
    name = named or next(iter(getattr(context, "args", [])), "")
    with suppress(OSError, ValueError, RecursionError):
        table = table_of_toml(text_of(read_plain(available().get(name) or Path(name), MAX_PRESET)))
        if all(isinstance(table.get(part, {}), Mapping) for part in ("arms", "model")):
            return table
    return {}


def _model(model: type[BaseModel], field: str) -> type[BaseModel]:
    from pydantic import BaseModel

    found = model.model_fields[field].annotation
    assert isinstance(found, type)
    assert issubclass(found, BaseModel)
    return found


def _fields(model: type[BaseModel]) -> Iterator[str]:
    """The dotted names of all values in a model, those of optional tables included."""
    from typing import get_args

    from pydantic import BaseModel

    for name, field in model.model_fields.items():
        inner = [t for t in (field.annotation, *get_args(field.annotation)) if isinstance(t, type)]
        table = next((t for t in inner if issubclass(t, BaseModel)), None)
        if table is None:
            yield field.alias or name
        else:
            yield from (f"{field.alias or name}.{key}" for key in _fields(table))
