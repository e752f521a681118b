"""Text that would steer a terminal, a spreadsheet or a browser, put into every place of a run's files."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit
from safetensors.numpy import save_file

from regtui.engine.run import run
from regtui.protocol.control import Control, SetStrength
from regtui.runs.checkpoint import MANIFEST, WEIGHT
from regtui.text import is_shown
from tests.conftest import small_preset
from tests.scripted import ScriptedCrew

HOSTILE = (
    "PWNED\x1b]0;PWNED\x07\x1b]52;c;UFdORUQ=\x07\x1bP+qPWNED\x1b\\\x1b[31mPWNED\x9b31m\x9d0;PWNED\x9c\x00\x08\x0b\x7f\r\n\t"
    "\u202ePWNED\u2066\u200b\u200d\ufeff\u2028\u2029\u061c\U000e0041\ue000\ufff9"
    '[red]m[/red][@click=app.quit]k[/]=cmd()"><script>PWNED</script>'
)
"""Sequences for a terminal, of C0 and of C1, for a text's direction, invisible ones, markup, a formula and a script."""
HARMLESS = "é\u00a0\u202f\u30003日本語 العربية 😀 λ²"
"""What has to stay as it is."""

_ALLOWED = re.compile(
    rb"\x1b\[[0-9;:]*[mHABCDJKGX]"  # colours and places
    rb"|\x1b\[[?>=<][0-9;]*[hlucpnq$]+"  # modes
    rb"|\x1b\[\?[0-9;]*\$p"
    rb"|\x1b\[[0-9;]*[tnc]"
    rb"|\x1b\[\?[0-9]+[su]"
    rb"|\x1b\]22;[a-z-]+\x07"  # the pointer's shape
    rb"|\x1b\]11;\?\x1b\\"  # the question for the background
    rb"|\x1b\]2;[^\x00-\x1f\x7f]*\x07"  # the title, which ends at the first character that could end it
    rb"|\x1b[78=>]|\x1b\([B0]"
)
"""What the screen itself has a terminal obey."""


def toml(text: str) -> str:
    """A text in TOML, every character as its number."""
    return '"' + "".join(f"\\U{ord(c):08X}" for c in text) + '"'


def assert_harmless(written: bytes | str, *, screen: bool = False) -> None:
    """Look that nothing in it does anything but be seen; a screen's own sequences are known."""
    content = written.encode(errors="surrogatepass") if isinstance(written, str) else written
    text = (_ALLOWED.sub(b"", content) if screen else content).decode(errors="surrogateescape")
    bad = [(place, c) for place, c in enumerate(text) if not (is_shown(c) or c == "\n" or (screen and c in "\r\x0f"))]
    assert not bad, [(hex(ord(c)), text[max(0, place - 40) : place + 20]) for place, c in bad[:5]]


def write_run(logs: Path, text: str = HOSTILE) -> Path:
    """A run of three epochs with a changed strength and weights."""
    control = Control()
    control.send(SetStrength(arm="regularized", key="dropout.rate", value=0.25))
    crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.5]})
    folder = run(small_preset(), logs, control, lambda _: None, crew).folder
    draw = np.random.default_rng(0)
    shapes = {"linears.0.weight": (32, 784), "linears.1.weight": (16, 32), "linears.2.weight": (10, 16), text: (2, 2)}
    tensors = {WEIGHT + name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    path = folder / "checkpoint" / MANIFEST
    manifest = json.loads(path.read_text())
    for files in manifest["arms"].values():
        files["best"], files["best_epoch"] = files["last"], 3
        save_file(tensors, path.with_name(files["last"]), {text: text})
    path.write_text(json.dumps(manifest))
    return folder


def texts(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in tables and lists a text stands, and each key of a table, whose path ends with True."""
    if isinstance(value, str):
        yield at
    elif isinstance(value, dict):
        for key, item in value.items():
            yield (*at, key, True)
            yield from texts(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value[:2]):
            yield from texts(item, (*at, index))


def changed(table: Any, at: tuple[Any, ...], text: str) -> Any:
    """The table with a text, or a key, replaced by another that begins as it did."""
    table = copy.deepcopy(table)
    parent = table
    *way, last = at[:-1] if at[-1] is True else at
    for part in way:
        parent = parent[part]
    if at[-1] is True:
        parent[last + text] = parent.pop(last)
    else:
        parent[last] += text
    return table


def variants(folder: Path, text: str = HOSTILE) -> Iterator[tuple[str, Path, str]]:
    """A run's files with each of their texts and keys made hostile in turn: what was changed, the file, its content."""
    for name in ("run.json", "summary.json"):
        table = json.loads((folder / name).read_text())
        for at in texts(table):
            yield f"{name} {at}", folder / name, json.dumps(changed(table, at, text))
    lines = (folder / "events.jsonl").read_text().splitlines()
    kinds: set[str] = set()
    for number, line in enumerate(lines):
        event = json.loads(line)
        if event["kind"] in kinds:
            continue
        kinds.add(event["kind"])
        for at in texts(event):
            content = [*lines[:number], json.dumps(changed(event, at, text)), *lines[number + 1 :]]
            yield f"{event['kind']} {at}", folder / "events.jsonl", "\n".join(content) + "\n"
    preset = tomllib.loads((folder / "preset.toml").read_text())
    for at in texts(preset):
        yield (
            f"preset.toml {at}",
            folder / "preset.toml",
            tomlkit.dumps(changed(preset, at, text.replace("\ud800", ""))),
        )


def spoil_all(folder: Path, text: str = HOSTILE) -> None:
    """Make every text hostile at once that may be any text, so that the run is still shown whole."""
    named = {"kind", "arm", "reason", "status", "kept", "command", "key", "started", "host", "schema", "task"}

    def spoil(value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            return value if key in named else value + text
        if isinstance(value, dict):
            keys = {"penalties", "weights", "versions", "tensors", "sizes"}
            spoiled = {k: v if k == "task" else spoil(v, k) for k, v in value.items()}
            return {k + text if key in keys else k: v for k, v in spoiled.items()}
        return [spoil(item, key) for item in value] if isinstance(value, list) else value

    for name in ("run.json", "summary.json"):
        (folder / name).write_text(json.dumps(spoil(json.loads((folder / name).read_text()))))
    events = [spoil(json.loads(line)) for line in (folder / "events.jsonl").read_text().splitlines()]
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    preset = tomllib.loads((folder / "preset.toml").read_text())
    preset["title"], preset["summary"] = text[:150], f"{text}\n{text}"
    (folder / "preset.toml").write_text(tomlkit.dumps(preset))
