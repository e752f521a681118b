"""`regtui doctor`: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from regtui import __version__
from regtui.console import say
from regtui.data.cache import cache_dir, cache_file
from regtui.data.facts import DATASETS, DatasetName
from regtui.data.source import ensure, is_at_hand
from regtui.errors import RegtuiError
from regtui.text import one_line

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
    yield Finding("regtui", "ok", f"{__version__}, Python {platform.python_version()} on {platform.platform()}")
    for package in _PACKAGES:
        try:
            yield Finding("package", "ok", f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            yield Finding("package", "fault", f"{package} is not installed; install regtui again")
    yield from _devices()
    yield from _data()
    yield _terminal()
    yield _folder("logs", Path("logs"))
    cache = _folder("cache", cache_dir())
    if cache.state == "fault" and cache_file("mnist").exists():
        cache = cache._replace(state="note")  # what is in it can be used all the same
    yield cache


def _devices() -> Iterator[Finding]:
    try:
        import torch  # 2 to 4 s
    except Exception as error:
        yield Finding("device", "fault", f"PyTorch can't be imported: {error}")
        return
    from regtui.arm.device import resolve

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("device", "ok", f"cpu: {cores} core{'s' if cores != 1 else ''}")
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        yield Finding("device", "ok", f"cuda:{index}: {properties.name}, {properties.total_memory / 2**30:.0f} GiB")
    if not torch.cuda.is_available():
        why = "this PyTorch is built for the CPU only" if torch.version.cuda is None else "no GPU or driver answers"
        yield Finding("device", "note", f"no CUDA: {why}")
    if torch.backends.mps.is_available():
        yield Finding("device", "ok", "mps: Apple's GPU")
    yield Finding("device", "ok", f"auto means {resolve('auto')}")


def _data() -> Iterator[Finding]:
    names: tuple[DatasetName, ...] = get_args(DatasetName)
    for name in names:
        title = DATASETS[name].title
        if not is_at_hand(name):
            yield Finding("data", "note", f"{title}: not here yet; it is downloaded when first used")
            continue
        try:
            ensure(name)
        except RegtuiError as error:
            yield Finding("data", "fault", str(error))
        else:
            yield Finding("data", "ok", f"{title}: at hand")


def _terminal() -> Finding:
    encoding = sys.stdout.encoding or "unknown"
    if not sys.stdout.isatty():
        return Finding("terminal", "note", f"stdout is no terminal, so runs are headless; encoding {encoding}")
    columns, rows = shutil.get_terminal_size()
    colours = "no colours (NO_COLOR)" if os.environ.get("NO_COLOR") else os.environ.get("COLORTERM") or "basic colours"
    words = f"{columns}×{rows}, TERM={os.environ.get('TERM', 'unset')}, {colours}, encoding {encoding}"
    if "utf" not in encoding.lower():
        return Finding("terminal", "note", f"{words}; set a UTF-8 locale to see curves in full")
    return Finding("terminal", "ok", words)


def _folder(topic: str, folder: Path) -> Finding:
    shown = one_line(folder)
    # A folder that isn't there yet is made by the first run: what counts is the nearest one that is.
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        option = "--log-dir" if topic == "logs" else "the environment variable REGTUI_CACHE"
        return Finding(topic, "fault", f"{shown}: can't be written ({error.strerror}); name another with {option}")
    free = shutil.disk_usage(nearest).free / 2**30
    return Finding(topic, "ok", f"{shown}: can be written, {free:.0f} GiB free")
