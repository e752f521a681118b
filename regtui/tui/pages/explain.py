"""Explains the techniques of a run, with the texts from their own files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from regtui.preset.model import Preset
from regtui.protocol.applied import knob_with_changes, labels_with_changes
from regtui.protocol.history import History
from regtui.techniques import REGISTRY
from regtui.techniques.base import Technique
from regtui.text import listed
from regtui.tui.look import arm_looks
from regtui.tui.widgets.dialogs import Page


class ExplainScreen(Page):
    """A chapter on each technique that an arm uses, or on all techniques if no arm uses one."""

    TITLE = "Techniques"
    DEFAULT_CSS = """
    ExplainScreen {
        & > .panel { width: 92; }
        & Static { height: auto; }
        & .title { color: $primary; text-style: bold; }
        & .formula { color: $accent; margin: 1 0 1 3; }
        & .heading { text-style: bold; margin-top: 1; }
        & .body { padding-left: 3; }
        & .source { color: $faint; margin: 1 0; }
        & .rule { color: $border-blurred; height: 1; margin-bottom: 1; }
        &.-short .formula { margin: 0 0 0 1; }
        &.-short .body { padding-left: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("i,q", "dismiss(None)", show=False)]

    def __init__(self, preset: Preset, history: History | None = None, machine: str = "") -> None:
        """Make the chapters.

        Args:
            preset: What is trained.
            history: What has happened by now; None where nothing is trained.
            machine: What their training uses of the machine now, in words; empty where nothing is trained.
        """
        super().__init__()
        self._preset, self._arms = preset, preset.arms()
        self._history = history or History()
        self._machine = machine

    def contents(self) -> ComposeResult:
        """The chapters, separated by rules."""
        if self._machine:
            yield _plain(f"The processes that train use {self._machine}.\n", "machine")
        running = [name for name in REGISTRY if any(name in arm.active() for arm in self._arms.values())]
        if not running:
            yield Static("No technique runs in this preset. These are the ones that there are.\n")
        for index, name in enumerate(running or REGISTRY):
            if index:
                yield Static("─" * 84, classes="rule")
            yield from self._chapter(name)

    def _chapter(self, name: str) -> Iterator[Static]:
        technique = REGISTRY[name]
        about = technique.explanation
        used = {arm: active[name] for arm, techniques in self._arms.items() if name in (active := techniques.active())}
        by_arm = [labels_with_changes(self._preset, self._history, arm) for arm in used]
        labels = ", ".join(dict.fromkeys(of_arm[name] for of_arm in by_arm))
        yield _plain(f"{about.title}: {labels}" if labels else about.title, "title")
        yield _plain(about.idea, "idea")
        yield _plain(about.formula.replace(";   ", "\n"), "formula")
        if used:
            looks = arm_looks(self._arms)
            rows = Table.grid(padding=(0, 2))
            for arm, one in used.items():
                rows.add_row(Text(f"{looks[arm].mark} {arm}", no_wrap=True), Text(self._knobs_of(arm, name, one)))
            yield from _section("In this run", rows)
        yield from _section("While training", about.training)
        yield from _section("At inference", about.inference)
        yield from _section("What to look for", about.look_for)
        yield from _section("Knobs", _knobs(technique))
        fixed = [knob for knob in technique.model_fields if knob not in technique.live]
        if fixed:
            yield _plain(f"{listed(fixed)} can't change while training: {technique.why_not_live}.", "body")
        yield _plain(about.source, "source")

    def _knobs_of(self, arm: str, name: str, technique: Technique) -> str:
        """An arm's values of a technique's knobs, with what was changed while it trained."""
        keys = {knob: "patience" if knob == "patience" else f"{name}.{knob}" for knob in type(technique).model_fields}
        values = {knob: _value(getattr(technique, knob)) for knob in keys}
        if name == "early_stopping":
            keys["min_delta"] = "min_delta"
        told = [f"{knob} {knob_with_changes(self._history, arm, key, values[knob])}" for knob, key in keys.items()]
        return " · ".join(told)


def _plain(text: str, classes: str) -> Static:
    return Static(text, classes=classes, markup=False)


def _section(heading: str, body: str | Table) -> Iterator[Static]:
    yield _plain(heading, "heading")
    yield Static(body, classes="body", markup=False)


def _knobs(technique: type[Technique]) -> Table:
    """Each knob, whether it can change while training, and what it is."""
    rows = Table.grid(padding=(0, 2))
    for knob, field in technique.model_fields.items():
        live = "live" if knob in technique.live else "fixed"
        rows.add_row(Text(knob, no_wrap=True), Text(live, no_wrap=True), Text(field.description or ""))
    return rows


def _value(value: Any) -> str:
    if value is None:
        return "all"
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
