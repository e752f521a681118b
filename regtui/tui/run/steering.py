"""The controls of a run: patience, strengths, pause, stop. They show what the engine has applied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from textual import on
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget

from regtui.preset.arms import BASELINE
from regtui.preset.model import Preset
from regtui.protocol.applied import Applied, steered_arms, stops_now, wait
from regtui.protocol.control import Command, Resume, SetLearningRate, SetMinDelta, SetPatience, SetStrength
from regtui.protocol.history import History
from regtui.techniques.base import Technique
from regtui.text import counted
from regtui.tui.look import arm_looks
from regtui.tui.widgets.dialogs import AskWhileItTrains, Choice
from regtui.tui.widgets.key_bar import tell
from regtui.tui.widgets.scales import SCALES, Counts, Magnitudes, Rates
from regtui.tui.widgets.stepper import Stepper
from regtui.tui.widgets.word import Word

DEFAULT_PATIENCE = 5
"""The patience with which early stopping is turned on if the preset has none."""
RATE = "The learning rate of all arms, from the next step on; a schedule goes on as a share of it."
FEW = 4
"""So many arms are told one by one."""
NARROW, NARROWEST = 72, 50
"""Below the first width min Δ and 'one epoch' are left out, below the second strengths too."""


class SteeringPanel(Widget):
    """One row: patience and min Δ, strengths and learning rate, and at the right pause and stop; two where they fit.

    In one row that is too short, what stands in the middle is slid so that the control with the focus is seen. The
    learning rate is that of all arms, so that they stay a matched pair; with a schedule it is the rate before that.

    One stepper sets the patience of all arms that stop early. If the preset gives them different ones, each arm has its
    own stepper. The same holds for min Δ. Of several arms, only what the baseline and the chosen one have of their own
    is shown.
    """

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    SteeringPanel {
        height: auto; layout: horizontal; layers: base run;
        & > Horizontal { width: auto; height: 1; }
        & > .strengths { width: 1fr; overflow: auto hidden; scrollbar-size: 0 0; }
        & Stepper { margin-right: 2; }
        & .run Word { margin-left: 1; }
        &.-compact Stepper { margin-right: 1; }
        &.-compact > .strengths > :last-child, &.-compact .run Word { margin: 0; }
        &.-compact > .run { margin-left: 1; }
        &.-rows { layout: vertical; }
        &.-rows > .run { layer: run; dock: right; }
        &.-rows > .strengths { width: 100%; }
        &.-narrow .-spare { display: none; }
        &.-narrowest .strengths { display: none; }
        & .-of-another { display: none; }
    }
    """

    @dataclass
    class Steer(Message):
        """The user sends a command to the engine."""

        command: Command

    class PauseAsked(Message):
        """The user wants the run to pause, or to go on."""

    class StopAsked(Message):
        """The user wants to stop; the screen asks how."""

    def __init__(self) -> None:
        super().__init__()
        self._preset, self._history = Preset(), History()
        self._answers = 0
        self._agreed: dict[str, int] = {}
        self._width, self._two_rows = 0, False
        self._asked_off: bool | None = None
        """The last request to switch early stopping, until the engine has answered."""
        self._toggle = Word("Patience off")
        self._patience: dict[Stepper, list[str]] = {}
        self._min_delta: dict[Stepper, list[str]] = {}
        self._rate = Stepper("lr", Preset().train.learning_rate, Rates(), help=RATE)
        self._strengths: dict[Stepper, tuple[str, str]] = {}
        self._of_one: dict[Widget, str] = {}
        """The arm that a control belongs to, of those that belong to one."""
        self._pause, self._one_epoch, self._stop = Word("Pause "), Word("One epoch"), Word("Stop")

    def update_from(self, preset: Preset, history: History, chosen: str = "") -> None:
        """Show the knobs as they are applied now, of several arms those of the chosen one.

        The first call builds the controls.
        """
        self._preset, self._history = preset, history
        if not self.children:
            self._build()
        self._choose(chosen)
        applied = Applied.of(preset, history)
        for stepper, arms in {**self._patience, **self._min_delta}.items():
            settings = applied.arms[self._still_training(arms)[0]]
            value = settings.min_delta if stepper in self._min_delta else settings.patience
            stepper.set_applied(stepper.applied if value is None else value)
            stepper.off, stepper.why_not = settings.patience is None, self._why_not(*arms)
        for stepper, arms in self._patience.items():
            stepper.starts_at = max(stepper.applied, self._longest_wait(arms) + 2)
        self._toggle.say(self._switch(compact=self.has_class("-compact")), self._why_not(*steered_arms(preset)))
        self._rate.set_applied(applied.base_rate)
        self._rate.why_not = self._why_not(*preset.arms())
        for stepper, (arm, key) in self._strengths.items():
            stepper.set_applied(applied.arms[arm].strengths[key])
            stepper.why_not = self._why_not(arm)
        refused = any(not control.accepted for control in history.controls[self._answers :])
        if refused:
            for stepper in (*self._patience, *self._min_delta, self._rate, *self._strengths):
                stepper.take_back()
        if refused or self._asked_off == self.is_off:
            self._asked_off = None
        self._answers = len(history.controls)
        ended = self._why_not(*preset.arms())
        self._pause.say("Resume" if history.paused and not ended else "Pause ", ended)
        alone = "" if history.paused else "Pause first; then this trains one epoch and pauses again."
        self._one_epoch.say(self._one_epoch.text, ended or alone)
        self._stop.say("Stop", "The run has ended." if history.finished is not None else "")

    def _build(self) -> None:
        """The controls, in the order of the tab key."""
        strengths = [
            widget
            for arm, techniques in reversed(self._preset.arms().items())
            for name, technique in techniques.active().items()
            if name != "early_stopping"
            for widget in self._of_technique(arm, name, technique)
        ]
        looks = arm_looks(self._preset.arms())
        at_start = Applied.of(self._preset, History()).arms
        steered = {arm: at_start[arm] for arm in steered_arms(self._preset)}
        for arms, one in _together({arm: settings.patience for arm, settings in steered.items()}):
            value = steered[arms[0]].patience or DEFAULT_PATIENCE
            about = "Epochs without improvement until an arm stops."
            stepper = Stepper("", value, Counts(), arm=looks.get(one), help=about)
            self._patience[stepper] = arms
            self._of_one |= {stepper: one} if one else {}
        for arms, one in _together({arm: settings.min_delta for arm, settings in steered.items()}):
            about = "An improvement must be larger than this."
            stepper = Stepper("min Δ", steered[arms[0]].min_delta, Magnitudes(), arm=looks.get(one), help=about)
            stepper.add_class("-spare")
            self._min_delta[stepper] = arms
            self._of_one |= {stepper: one} if one else {}
        self._one_epoch.add_class("-spare")
        self.mount(
            Horizontal(self._toggle, *self._patience, *self._min_delta),
            Horizontal(*strengths, self._rate, classes="strengths"),
            Horizontal(self._pause, self._one_epoch, self._stop, classes="run"),
        )
        self._arrange()

    def _of_technique(self, arm: str, name: str, technique: Technique) -> Iterator[Widget]:
        """A stepper for each live knob of a technique; without one, a word that says why."""
        knobs = technique.steered(self._preset.sites)
        look = arm_looks(self._preset.arms())[arm]
        if not knobs:
            words = name.replace("_", " ")
            why = f"{technique.explanation.title} can't change while training: {technique.why_not_live}."
            word = Word(f"{look.mark} {words}", why_not=why)
            self._of_one[word] = arm
            yield word
        for knob in knobs:
            how = technique.live[knob]
            description = type(technique).model_fields[knob].description or ""
            value = getattr(technique, knob)
            stepper = Stepper(how.label, value, SCALES[how.scale], arm=look, help=description)
            self._strengths[stepper] = (arm, f"{name}.{knob}")
            self._of_one[stepper] = arm
            yield stepper

    def _choose(self, chosen: str) -> None:
        """Of several arms, show what belongs to all, to the baseline and to the chosen one."""
        if len(self._preset.arms()) == 2:
            return
        for control, arm in self._of_one.items():
            control.set_class(arm not in (BASELINE, chosen), "-of-another")
        self._arrange()

    @property
    def _whose_patience(self) -> str:
        """The marks of several arms' that patience steers, or how many they are; empty where the run has two arms."""
        arms, steered = self._preset.arms(), steered_arms(self._preset)
        if len(arms) == 2:
            return ""
        looks = arm_looks(arms)
        few = "".join(f"{looks[arm].mark} " for arm in steered)
        return "of all " if len(steered) == len(arms) else few if len(steered) <= FEW else f"of {len(steered)} arms "

    def fit(self, width: int, *, two_rows: bool) -> int:
        """Take one row, or a second if the controls need and may have it; returns how many."""
        self._width, self._two_rows = width, two_rows
        self._arrange()
        return 2 if self.has_class("-rows") else 1

    def _arrange(self) -> None:
        """Choose long or short words, one row or two, and in a narrow terminal only the most important controls."""
        width = self._width
        narrow = width < NARROW
        compact = narrow or self._needed(compact=False) > width
        rows = self._two_rows and not narrow and compact and self._needed(compact=True) > width
        for word in (self._toggle, self._one_epoch):
            word.say(self._words(word, compact=compact), word.why_not)
        for stepper in self.query(Stepper):
            stepper.compact = compact
        self.set_class(compact, "-compact")
        self.set_class(rows, "-rows")
        self.set_class(narrow, "-narrow")
        self.set_class(width < NARROWEST, "-narrowest")

    def _needed(self, *, compact: bool) -> int:
        """The cells that all controls take in one row."""
        shown = [control for control in self.query("Stepper, Word") if not control.has_class("-of-another")]
        cells = 0
        for control in shown:
            if isinstance(control, Stepper):
                cells += control.cells(compact=compact) + (1 if compact else 2)
            elif isinstance(control, Word):
                cells += len(self._words(control, compact=compact)) + 2
                cells += not compact and control in (self._pause, self._one_epoch, self._stop)
        return cells

    def _words(self, word: Word, *, compact: bool) -> str:
        """What a word says where there is room and where there is little."""
        if word is self._toggle:
            return self._switch(compact=compact)
        if word is self._one_epoch:
            return "Epoch" if compact else "One epoch"
        return word.text

    def _switch(self, *, compact: bool) -> str:
        """Whose patience it is and, unless the stepper says so, whether it is on."""
        state = "" if compact else "off" if self.is_off else "on "
        return f"Patience {self._whose_patience}{state}".rstrip(" " if compact else "")

    def _still_training(self, arms: list[str]) -> list[str]:
        """The arms that still train; all of them if none does."""
        known = self._history.arms
        return [arm for arm in arms if arm in known and known[arm].stopped is None] or arms

    def _longest_wait(self, arms: list[str]) -> int:
        """Epochs without improvement of the arm that has waited longest, of those that still train."""
        known = self._history.arms
        return max((wait(known[arm]) for arm in self._still_training(arms) if arm in known), default=0)

    @property
    def is_off(self) -> bool:
        """Whether early stopping is off in all steered arms."""
        return all(stepper.off for stepper in self._patience)

    def _why_not(self, *arms: str) -> str:
        """Why none of these arms can be steered now; empty if one can."""
        if self._history.finished is not None:
            return "The run has ended."
        if self._history.started is None:
            return "The run has not begun yet."
        if all(self._history.arms[arm].stopped is not None for arm in arms):
            return f"The {arms[0]} arm has stopped." if len(arms) == 1 else "All arms have stopped."
        return ""

    # Requests of the user

    def nudge_rate(self, direction: int) -> None:
        """Raise or lower the learning rate by a step."""
        self._rate.action_step(direction)

    def nudge_patience(self, direction: int) -> None:
        """Change each arm's patience by one epoch or more.

        Early stopping that is off is turned on, with a patience that ends no arm before it has trained another epoch.
        """
        shown = [stepper for stepper in self._patience if not stepper.has_class("-of-another")]
        if not shown:
            tell(self, "The chosen arm does not stop early, and those that do have each a patience of their own.")
            return
        able = [stepper for stepper in shown if not stepper.why_not]
        if not able:
            self.toggle_patience()
        for stepper in able:
            if self.is_off or not stepper.off:
                stepper.action_step(direction)

    def toggle_patience(self) -> None:
        """Turn early stopping on, with the patience shown, or off."""
        self._toggle.action_press()

    @on(Word.Pressed)
    def _pressed(self, event: Word.Pressed) -> None:
        event.stop()
        if event.word is self._stop:
            self.post_message(self.StopAsked())
        elif event.word is self._pause:
            self.post_message(self.PauseAsked())
        elif event.word is self._one_epoch:
            self.post_message(self.Steer(Resume(one_epoch=True)))
        elif self.is_off if self._asked_off is None else self._asked_off:
            self._asked_off = False
            self._ask_for_patience({arm: int(s.value) for s, arms in self._patience.items() for arm in arms})
        else:
            self._asked_off = True
            self._set_patience(dict.fromkeys(steered_arms(self._preset)))

    @on(Stepper.Changed)
    def _changed(self, event: Stepper.Changed) -> None:
        event.stop()
        if event.stepper in self._patience:
            self._ask_for_patience(dict.fromkeys(self._patience[event.stepper], int(event.value)))
        elif event.stepper in self._min_delta:
            self._set_min_delta(self._min_delta[event.stepper], event.value)
        elif event.stepper is self._rate:
            self.post_message(self.Steer(SetLearningRate(learning_rate=event.value)))
        else:
            arm, key = self._strengths[event.stepper]
            self.post_message(self.Steer(SetStrength(arm=arm, key=key, value=event.value)))

    def _ask_for_patience(self, wanted: Mapping[str, int]) -> None:
        """Set each arm's patience; ask first if that would stop an arm."""
        stopping = [arm for arm, patience in wanted.items() if stops_now(self._preset, self._history, patience, arm)]
        agreed = {arm: len(self._history.arms[arm].epochs) for arm in stopping}
        if all(self._agreed.get(arm) == epoch for arm, epoch in agreed.items()):
            self._set_patience(wanted)
            return

        def answer(value: str | None) -> None:
            if value == "lower":
                self._agreed |= agreed
                self._set_patience(wanted)
            else:
                self._asked_off = None
                for stepper in self._patience:
                    stepper.take_back()

        waited = (
            f"{len(stopping)} arms have waited so long"
            if len(stopping) > FEW
            else " and ".join(f"{arm} has waited {counted(wait(self._history.arms[arm]), 'epoch')}" for arm in stopping)
        )
        patience = " and ".join(dict.fromkeys(str(wanted[arm]) for arm in stopping))
        who = "each ends" if len(stopping) > 1 else "it ends"
        text = f"With patience {patience} {who} with the epoch that it is in, unless that counts as an improvement."
        choices = [Choice("n", "leave", "leave it as it is"), Choice("y", "lower", f"set patience to {patience}")]
        self.app.push_screen(AskWhileItTrains(f"Stops now: {waited}", text, choices), answer)

    def _set_patience(self, wanted: Mapping[str, int | None]) -> None:
        """Send the patience to the arms that still train, with one command if it is the same for all."""
        arms = self._still_training(list(wanted))
        if self._all(arms) and len({wanted[arm] for arm in arms}) == 1:
            self.post_message(self.Steer(SetPatience(arm=None, patience=wanted[arms[0]])))
            return
        for arm in arms:
            self.post_message(self.Steer(SetPatience(arm=arm, patience=wanted[arm])))

    def _set_min_delta(self, arms: list[str], value: float) -> None:
        """Send min Δ to the arms that still train."""
        arms = self._still_training(arms)
        for arm in [None] if self._all(arms) else arms:
            self.post_message(self.Steer(SetMinDelta(arm=arm, min_delta=value)))

    def _all(self, arms: list[str]) -> bool:
        return len(arms) == len(self._preset.arms())


def _together(values: Mapping[str, float | None]) -> list[tuple[list[str], str]]:
    """The arms of each stepper: one stepper for all if their values are equal, else one for each, with its name."""
    if len(set(values.values())) == 1:
        return [(list(values), "")]
    return [([arm], arm) for arm in values]
