"""What a list shows of a saved run: the figures, and the few words that it has room for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Literal

from regtui.preset.arms import BASELINE
from regtui.runs.files import Field
from regtui.runs.note import Note
from regtui.tasks import METRICS, TASKS, Metric
from regtui.text import UNKNOWN, number, one_line

RunStatus = Literal["finished", "stopped", "diverged", "failed", "running", "silent", "interrupted", "damaged"]

RESULTS = frozenset({
    "epochs", "stop_reason", "best_epoch", "best_val_loss", "final", "kept", "kept_epoch", "at_kept", "test",
    "zero_weights", "weight_norm", "seconds", "parameters",
})  # fmt: skip
"""What a summary tells of an arm: 'arms.NAME.epochs'; all else below 'arms.NAME' is the preset's."""


def is_result(key: str) -> bool:
    """Whether a field is what an arm came to, and no setting of the preset's."""
    parts = key.split(".", 3)
    return parts[0] == "arms" and len(parts) > 2 and parts[2] in RESULTS


@dataclass(frozen=True)
class ArmFigures:
    """What the list shows of an arm; None where it was not measured.

    Attributes:
        best_val_loss: Its lowest validation loss, in whatever epoch.
        test_metric: The task's metric on the test set, of the weights that it kept.
    """

    best_val_loss: float | None
    test_metric: float | None


@dataclass(frozen=True)
class RunInfo:
    """What the list shows of a run.

    Attributes:
        folder: Where it is.
        started: When it began, in UTC.
        status: How it ended; of a run without summary that of `regtui.runs.alive.Standing`; `damaged` if its files do
            not say.
        fault: What is wrong with its files, in a word; empty if nothing is.
        fields: The fields of preset and summary by their dotted keys, except long texts and hashes, and `status`,
            `arms` (their names), `verdict` and `test.difference`. Of several arms beside the baseline, `verdict.ARM`
            and `test.difference.ARM` are those of each, and `verdict` is "several", or "none" if none was compared.
            `note` and `tags` (with blanks between them) are the user's.
        silence: Of a run that is trained elsewhere, for how long it has told nothing, if that is worth a word.
    """

    folder: Path
    started: datetime
    status: RunStatus
    fault: str = ""
    fields: Mapping[str, Field] = field(default_factory=dict)
    silence: str = ""

    @property
    def name(self) -> str:
        """The folder's name."""
        return one_line(self.folder.name or self.folder.absolute().name)

    @property
    def may_go_on(self) -> bool:
        """Whether more of it may come, so that it is worth following."""
        return self.status in ("running", "silent")

    @cached_property
    def preset(self) -> str:
        """The preset's name; empty if unknown, as are all texts."""
        return self._text("preset")

    @property
    def device(self) -> str:
        """The device it was trained on; of a run without summary, the one that was asked for."""
        return self._text("device")

    @property
    def seed(self) -> int | None:
        """Its seed."""
        return self._whole("seed")

    @property
    def epochs(self) -> int | None:
        """The epochs trained, of the arm that trained longest; None until the run has ended."""
        trained = [self._whole(f"arms.{arm}.epochs") for arm in (BASELINE, *self.others)]
        return max((epochs for epochs in trained if epochs is not None), default=None)

    @cached_property
    def others(self) -> list[str]:
        """The arms beside the baseline, in order; empty until the run has ended."""
        return [arm for arm in self._text("arms").split() if arm != BASELINE]

    @cached_property
    def metric(self) -> Metric:
        """The metric that the run's scores are of; accuracy where that is not known."""
        return METRICS.get(self._text("task.metric"), TASKS["classification"].metric)

    @cached_property
    def baseline(self) -> ArmFigures:
        """What the baseline came to."""
        return self.figures(BASELINE)

    @cached_property
    def other(self) -> ArmFigures:
        """What the one arm beside the baseline came to; nothing where there are several."""
        return self.figures(self.others[0]) if len(self.others) == 1 else ArmFigures(None, None)

    @cached_property
    def difference(self) -> float | None:
        """The one other arm's metric on the test set minus the baseline's, as it is shown: percentages in points."""
        return self._number("test.difference")

    @property
    def verdict(self) -> str:
        """One of `evidence.verdict.OUTCOMES`, or "several"; empty until the run has ended."""
        return self._text("verdict")

    @cached_property
    def verdicts(self) -> dict[str, str]:
        """The outcome of each arm beside the baseline; empty until the run has ended."""
        if len(self.others) > 1:
            return {arm: self._text(f"verdict.{arm}") for arm in self.others}
        return dict.fromkeys(self.others, self.verdict)

    @cached_property
    def differences(self) -> dict[str, float]:
        """Each other arm's metric on the test set minus the baseline's, as it is shown, where both were tested."""
        keys = {arm: f"test.difference.{arm}" if len(self.others) > 1 else "test.difference" for arm in self.others}
        return {arm: value for arm, key in keys.items() if (value := self._number(key)) is not None}

    @property
    def shown_verdict(self) -> str:
        """The verdict in few cells: 'more'; of several arms, how many did better, worse, or neither: '2+ 3− 1?'."""
        if self.verdict != "several":
            return self.verdict or UNKNOWN
        signs = {"more": "+", "closer": "+", "fewer": "−", "farther": "−", "undecided": "?", "same": "="}
        found = Counter(signs[verdict] for verdict in self.verdicts.values() if verdict in signs)
        return " ".join(f"{found[sign]}{sign}" for sign in dict.fromkeys(signs.values()) if found[sign])

    @cached_property
    def clouds(self) -> list[str]:
        """What keeps the run from a clean comparison, each in a word: 'steered', 'stopped', 'diverged', 'unpaired'."""
        words = ["steered"] if self.fields.get("interventions") else []
        words += [self.status] if self.status in ("stopped", "diverged") else []
        return words + (["unpaired"] if self.fields.get("pairing.unpaired_because") else [])

    def verdict_in(self, cells: int) -> str:
        """The verdict in so many cells, with what clouds it: 'more, steered', or in fewer cells 'steered'.

        Where nothing is compared because the arms are not a matched pair, it is 'not comparable', or 'unpaired'.
        """
        shown, clouds = self.shown_verdict, self.clouds
        if self.verdict == "none" and "unpaired" in clouds:
            told = ["not comparable", "unpaired"]
        elif clouds and self.verdict not in ("", "none"):
            told = [f"{shown}, {' and '.join(clouds)}", f"{shown}, {clouds[0]}", clouds[0]]
        else:
            told = [shown]
        return next((text for text in told if len(text) <= cells), told[-1])

    @cached_property
    def points(self) -> str:
        """The difference and what it rests on: '+1.50 (one seed)'; of several arms, how many there are."""
        known = len(self.others) > 1 or self.difference is not None
        return f"{self.shown_difference} ({self.caveats})" if known else UNKNOWN

    @property
    def shown_difference(self) -> str:
        """The difference with the digits of its metric: '+1.50'; of several arms, how many there are: '7 arms'."""
        if len(self.others) > 1:
            return f"{len(self.others)} arms"
        return self.signed(self.difference)

    def signed(self, difference: float | None) -> str:
        """A difference in the run's metric, as it is shown: '+1.50'."""
        return number(difference, f"+.{self.metric.digits}f")

    @property
    def caveats(self) -> str:
        """What the difference rests on, in a few words: 'one seed', and what keeps the run from a clean comparison."""
        words = ["one seed"]
        words += ["steered"] if self.fields.get("interventions") else []
        words += ["not paired"] if self.fields.get("pairing.unpaired_because") else []
        return ", ".join(words)

    @property
    def note(self) -> Note:
        """What the user wrote of it."""
        return Note(self._text("note"), tuple(self._text("tags").split()))

    @cached_property
    def texts(self) -> str:
        """The texts in which a filter looks for words, in lower case; of several arms also names and verdicts."""
        arms = (text for arm in self.verdicts.items() for text in arm) if len(self.others) > 1 else ()
        texts = (
            self.name,
            self.preset,
            self.status,
            self.device,
            self.verdict,
            self.fault,
            self.note.line,
            *self.clouds,
            *arms,
        )
        return "\n".join(texts).casefold()

    def figures(self, arm: str) -> ArmFigures:
        """What an arm came to."""
        test = self._number(f"arms.{arm}.test.{self.metric.name}")
        return ArmFigures(self._number(f"arms.{arm}.best_val_loss"), test)

    def _text(self, key: str) -> str:
        value = self.fields.get(key, "")
        return value if isinstance(value, str) else ""

    def _number(self, key: str) -> float | None:
        value = self.fields.get(key)
        return None if value is None or isinstance(value, str) else float(value)

    def _whole(self, key: str) -> int | None:
        value = self.fields.get(key)
        return value if isinstance(value, int) else None
