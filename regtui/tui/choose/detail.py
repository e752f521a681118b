"""The pane with the selected preset, from its title to its settings."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from regtui.preset.faults import MAX_VALUE
from regtui.preset.model import Preset
from regtui.text import counted, one_line
from regtui.tui.choose.draft import Draft
from regtui.tui.choose.entries import Entry
from regtui.tui.choose.form import Form
from regtui.tui.look import arm_looks


class Detail(VerticalScroll, can_focus=False):
    """Title, summary, facts that follow from the settings, and the settings; for a broken file its faults."""

    DEFAULT_CSS = """
    Detail {
        padding: 1 2 0 2; scrollbar-size-vertical: 1;
        & > Static { height: auto; }
        & > #title { text-style: bold; }
        & > #summary { margin-top: 1; max-width: 90; color: $secondary; }
        & > #facts { margin-top: 1; }
        &.-broken > #title, &.-broken > #summary { color: $error; }
    }
    """

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self._entry = entry
        self._form: Form | None = None

    def compose(self) -> ComposeResult:
        """The texts. The many fields are added after the first drawing, which they would delay."""
        for part in ("title", "summary", "facts"):
            yield Static(id=part, markup=False)

    def on_mount(self) -> None:
        """Show the entry given to the constructor."""
        self.show(self._entry)

    def show(self, entry: Entry) -> None:
        """Show this preset, scrolled to its top."""
        self._entry = entry
        self.set_class(entry.draft is None, "-broken")
        # Without settings to focus, the keys scroll the pane itself.
        self.can_focus = entry.draft is None
        name = one_line(entry.name, MAX_VALUE)
        title, summary = name, entry.words
        if entry.faults:
            title, summary = f"✗ {name} is broken", "\n".join(map(str, entry.faults))
        if entry.draft is not None:
            original = entry.draft.original
            title = one_line(original.title or entry.name, 200)
            summary = "\n".join(one_line(line, 4000) for line in original.summary.splitlines())
        self.query_one("#title", Static).update(title)
        self.query_one("#summary", Static).update(summary)
        self.query_one("#facts").display = entry.draft is not None
        self.scroll_home(animate=False)
        self.show_facts()
        if self._form is None:
            self.call_after_refresh(self._mount_form)
            return
        self._form.display = entry.draft is not None
        if entry.draft is not None:
            self._form.show(entry.draft)

    def show_facts(self) -> None:
        """Update the facts that follow from the settings; while these have faults, tell of the first instead.

        Facts of what was typed on the way there would be of a value that nobody wants: of 1.5 the 1.
        """
        draft = self._entry.draft
        shown = self.query_one("#facts", Static)
        if draft is not None:
            facts = _facts(draft.preset) if draft.preset is not None else _instead(draft)
            if shown.content != facts:
                shown.update(facts)

    def go_to(self, key: str) -> None:
        """Focus the setting of a dotted key, or the first setting for an empty key."""
        if self._entry.draft is None:
            self.focus()
        elif self._form is not None:
            self._form.go_to(key)

    def _mount_form(self) -> None:
        if self._form is None and self._entry.draft is not None:
            self._form = Form(self._entry.draft)
            self.mount(self._form)


def _instead(draft: Draft) -> Content:
    """The first fault, in as many rows as the facts have, so that nothing below moves."""
    fault, *others = draft.faults
    more = f"; and {counted(len(others), 'more fault')}" if others else ""
    return Content.assemble((f"✗ {fault.line}{more}", "$error"), "\n" * len(draft.arms))


def _facts(preset: Preset) -> Content:
    """The sizes of the data, and each arm's techniques."""
    sizes = preset.sizes
    words = (
        f"{preset.dataset.title} {sizes.train:,} / {sizes.val:,}",
        preset.network,
        f"{preset.train.epochs:,} epochs of {preset.steps_per_epoch:,} steps",
    )
    looks = arm_looks(preset.arms())
    arms = [
        (f"\n{looks[arm].mark} {f'{arm} · ' * (arm in preset.named_arms)}{techniques.label()}", f"${looks[arm].colour}")
        for arm, techniques in preset.arms().items()
    ]
    return Content.assemble(" · ".join(words), *arms)
