"""`regtui doctor`: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from importlib import metadata
from json import dumps
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from regtui import __version__
from regtui.arm.interface import HostCalls
from regtui.console import can_draw, has_glyphs, say
from regtui.data.cache import cache_dir, cache_file
from regtui.data.facts import DATASETS, DatasetName
from regtui.data.source import ensure, is_at_hand
from regtui.engine.child import Spawned
from regtui.engine.process import Process
from regtui.errors import RegtuiError
from regtui.memory import free_memory
from regtui.processors import grant
from regtui.settings import read_settings
from regtui.text import megabytes, one_line

_EXTRAS = {"ray": "ray", "submitit": "slurm", "tensorboard": "tensorboard", "matplotlib": "figures"}
"""Packages that regtui can do without, and the extras that bring them."""
_PACKAGES = ("torch", "torchvision", "textual", "plotext", "pydantic", "numpy", "scipy", "safetensors")


class Finding(NamedTuple):
    """One thing that was looked at: 'ok', 'note' (works, but worth knowing) or 'fault' (a run would fail)."""

    topic: str
    state: Literal["ok", "note", "fault"]
    words: str


def examine() -> int:
    """Print what was found, one line each; returns 0, or 1 if something would make a run fail."""
    fault = False
    for finding in _findings():
        mark = {"ok": "✓", "note": "·", "fault": "✗"}[finding.state]
        say(f"{mark} {finding.topic:<9}  {finding.words}")
        fault = fault or finding.state == "fault"
    return 1 if fault else 0


def _findings() -> Iterator[Finding]:
    """All findings. A probe that fails is a finding too, and does not keep the others from being made."""
    probes: dict[str, Callable[[], Iterable[Finding]]] = {
        "regtui": _program,
        "package": _packages,
        "device": _devices,
        "memory": _memory,
        "data": _data,
        "terminal": lambda: [_terminal()],
        "settings": _settings,
        "logs": lambda: [_folder("logs", read_settings().settings.logs)],
        "cache": _cache,
    }
    for topic, probe in probes.items():
        try:
            yield from probe()
        except Exception as error:
            words = str(error) if isinstance(error, RegtuiError) else f"it can't be told: {one_line(repr(error))}"
            yield Finding(topic, "fault", words)


def _program() -> Iterator[Finding]:
    yield Finding("regtui", "ok", f"{__version__}, Python {platform.python_version()} on {platform.platform()}")


def _packages() -> Iterator[Finding]:
    for package in _PACKAGES:
        try:
            yield Finding("package", "ok", f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            yield Finding("package", "fault", f"{package} is not installed; install regtui again")
    for package, extra in _EXTRAS.items():
        try:
            yield Finding("extra", "ok", f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            yield Finding("extra", "note", f"{package} is not installed; regtui[{extra}] brings it")


def _cache() -> Iterator[Finding]:
    cache = _folder("cache", cache_dir())
    if cache.state == "fault" and os.path.exists(cache_file("mnist")):  # noqa: PTH110, it never raises
        cache = cache._replace(state="note")  # its content can be used anyway
    yield cache


def _devices() -> Iterator[Finding]:
    yield Finding("device", "ok", _processors())
    process = Process(
        lambda stdin, stdout: Spawned(1, (stdin, stdout))
    )  # as in a run; importing torch may even kill the process
    try:
        for state, words in process.ask(HostCalls.devices):
            yield Finding("device", state, words)
    finally:
        process.hang_up()
        process.wait()


def _memory() -> Iterator[Finding]:
    granted = free_memory()
    yield Finding("memory", "ok", f"{granted.owner} grants {megabytes(granted.amount)} now")


def _processors() -> str:
    granted = grant()
    used = f"all {granted.machine}" if granted.threads == granted.machine else f"{granted.threads} of {granted.machine}"
    limit = f", limited by {granted.limit}" if granted.limit else ""
    return f"cpu: trains with {used} processors{limit}; --threads sets it"


def _data() -> Iterator[Finding]:
    names: tuple[DatasetName, ...] = get_args(DatasetName)
    for name in names:
        title = DATASETS[name].title
        try:
            if not is_at_hand(name):
                yield Finding("data", "note", f"{title}: not here yet; it is downloaded when first used")
                continue
            ensure(name)
        except Exception as error:
            words = str(error) if isinstance(error, RegtuiError) else one_line(repr(error))
            yield Finding("data", "fault", f"{title}: {words}")
        else:
            yield Finding("data", "ok", f"{title}: at hand")


def _terminal() -> Finding:
    encoding = sys.stdout.encoding or "unknown"
    if not can_draw(sys.stdout):
        why = f"TERM={os.environ.get('TERM', 'unset')}" if sys.stdout.isatty() else "stdout is no terminal"
        return Finding("terminal", "note", f"{why}, so runs are headless; encoding {encoding}")
    columns, rows = shutil.get_terminal_size()
    colours = "no colours (NO_COLOR)" if os.environ.get("NO_COLOR") else os.environ.get("COLORTERM") or "basic colours"
    words = f"{columns}×{rows}, TERM={os.environ.get('TERM', 'unset')}, {colours}, encoding {encoding}"
    if not has_glyphs(sys.stdout):
        return Finding("terminal", "note", f"{words}; set a UTF-8 locale to see curves in full")
    return Finding("terminal", "ok", words)


def _settings() -> Iterator[Finding]:
    known = read_settings()
    if known.file is None:
        yield Finding("settings", "note", "none: there is no home to keep them in; REGTUI_CONFIG names a file for them")
        return
    for fault in known.faults:
        yield Finding("settings", "fault", str(fault))
    shown = one_line(known.file)
    if known.named:
        of = known.settings.model_dump()
        values = [(key, reduce(lambda table, name: table[name], key.split("."), of)) for key in known.named]
        yield Finding("settings", "ok", f"{shown} sets {', '.join(f'{k} = {dumps(v)}' for k, v in values)}")
    elif not known.faults:
        state = "sets nothing" if os.path.exists(known.file) else "not there, so the defaults hold"  # noqa: PTH110
        yield Finding("settings", "ok", f"{shown}: {state}")


def _folder(topic: str, folder: Path) -> Finding:
    shown = one_line(folder)
    try:
        # The first run creates a folder that doesn't exist yet, so the nearest existing one above it counts.
        whole = folder.absolute()
        nearest = next(path for path in (whole, *whole.parents) if os.path.exists(path))  # noqa: PTH110, it never raises
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        option = "--log-dir" if topic == "logs" else "the environment variable REGTUI_CACHE"
        return Finding(topic, "fault", f"{shown}: can't be written ({error.strerror}); name another with {option}")
    free = shutil.disk_usage(nearest).free / 2**30
    return Finding(topic, "ok", f"{shown}: can be written, {free:.0f} GiB free")
