"""A run's folder on disk: written so that it never lies, read so that nothing in it can do harm."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from regtui import SCHEMA, __version__
from regtui.errors import InputError, RegtuiError
from regtui.files import open_events, read_plain, text_of
from regtui.preset.file import to_toml
from regtui.preset.model import Preset
from regtui.protocol.events import Event, Number, Status, StepsDone, StopReason, Text, parse

LONGEST_LINE = 2**23
"""Bytes of the longest line that is read as an event: an epoch of 400,000 steps. It takes some 100 MB of memory."""
LONGEST_SUMMARY = 2**24
"""Bytes of the longest summary: a run of 800,000 epochs."""


class Scores(BaseModel):
    """An arm's newest epoch, in evaluation mode."""

    train_loss: Number
    val_loss: Number
    train_accuracy: float
    val_accuracy: float


class Score(BaseModel):
    """An arm on the test set."""

    loss: Number
    accuracy: float


class ArmSummary(BaseModel):
    """How an arm ended; None where it did not come so far."""

    epochs: int
    stop_reason: StopReason | None
    best_epoch: int | None
    best_val_loss: Number
    final: Scores | None
    kept: Text | None
    test: Score | None
    zero_weights: float | None
    weight_norm: Number
    seconds: float
    parameters: int


class PairedTest(BaseModel):
    """The arms' rights and wrongs on the same test images."""

    both_right: int
    only_baseline: int
    only_regularized: int
    both_wrong: int


class Pairing(BaseModel):
    """The proof that the arms are a matched pair.

    Attributes:
        initial_weights: Hash, for each arm, of the tensors that both have.
        shared_tensors: How many those are.
        tensors: How many each arm has in all.
        order: Hash of each epoch's order of images, equal for both arms.
        unpaired_because: What broke the pair; empty if nothing did.
    """

    initial_weights: dict[Text, Text]
    shared_tensors: int
    tensors: dict[Text, int]
    order: list[Text]
    unpaired_because: Text = ""


class Summary(BaseModel):
    """summary.json: the outcome of a run, for other programs.

    Attributes:
        same_experiment: Whether nothing but chance sets the arms apart; None in a log of before it was told.
    """

    model_config = ConfigDict(extra="ignore")

    schema_version: int = Field(SCHEMA, alias="schema")
    status: Status
    error: Text = ""
    preset: Text
    seed: int
    device: Text
    wall_seconds: float
    train_seconds: float
    arms: dict[Text, ArmSummary]
    paired_test: PairedTest | None
    pairing: Pairing | None
    same_experiment: bool | None = None
    interventions: int


class RunLog:
    """Writes one run's folder. Use it as a context; call it with each event."""

    def __init__(self, logs: Path, preset: Preset) -> None:
        """Create a new folder below `logs` and write the preset and the circumstances into it.

        Raises:
            InputError: The folder can't be written.
        """
        self._made: list[Path] = []
        try:
            self._made = [path for path in (logs, *logs.parents) if not path.exists()]
            self.folder = _new_folder(logs, preset.name)
            self._events = (self.folder / "events.jsonl").open("w", encoding="utf-8")
            (self.folder / "preset.toml").write_text(to_toml(preset), encoding="utf-8")
            _write_json(self.folder / "run.json", _circumstances(preset))
        except (OSError, ValueError) as error:  # ValueError: a null character
            self._remove()
            why = error.strerror if isinstance(error, OSError) else error
            raise InputError(f"{logs}: runs can't be saved here ({why}); name another folder with --log-dir") from None
        except BaseException:  # Ctrl-C
            self._remove()
            raise
        self._steps: dict[str, list[StepsDone]] = {}

    @property
    def checkpoint(self) -> Path:
        """Where the arms keep their weights."""
        return self.folder / "checkpoint"

    def __call__(self, event: Event) -> None:
        """Write an event. The steps of an epoch become one line an arm, so that the log does not depend on timing.

        Raises:
            RegtuiError: It can't be written.
        """
        if isinstance(event, StepsDone):
            self._steps.setdefault(event.arm, []).append(event)
            return
        lines = [*(_joined(steps) for steps in self._steps.values()), event]
        self._steps.clear()
        try:
            self._events.write("".join(line.model_dump_json() + "\n" for line in lines))
            self._events.flush()
        except OSError as error:
            raise self._unwritable(error) from None

    def finish(self, summary: Summary) -> None:
        """Write the outcome, whole or not at all.

        Raises:
            RegtuiError: It can't be written.
        """
        try:
            _write_json(self.folder / "summary.json", summary.model_dump(by_alias=True))
        except OSError as error:
            raise self._unwritable(error) from None

    def discard(self) -> None:
        """Remove the folder of a run that never began, and those above that were made for it."""
        self._events.close()
        self._remove()

    def traceback(self, text: str) -> None:
        """Keep the traceback of a failure for whoever looks into it, if it can be written."""
        with suppress(OSError):
            (self.folder / "traceback.txt").write_text(text, encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # that it can't be written has been said
            self._events.close()

    def _unwritable(self, error: OSError) -> RegtuiError:
        return RegtuiError(f"{self.folder}: the log can't be written any more ({error.strerror}); make room there")

    def _remove(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)
        for path in self._made:
            with suppress(OSError):  # another run has settled there meanwhile
                path.rmdir()


def read_events(folder: Path) -> Iterator[Event]:
    """The events of a run, in order; a torn last line and lines that this version does not know are passed over.

    Raises:
        OSError: They can't be read.
    """
    with open_events(folder) as file:
        for line in whole_lines(file):
            try:
                yield parse(line)
            except ValidationError:
                continue


def read_summary(folder: Path) -> Summary | None:
    """The outcome of a run; None if it has none, because it did not end or goes on."""
    try:
        return Summary.model_validate_json(text_of(read_plain(folder / "summary.json", LONGEST_SUMMARY)))
    except (OSError, ValueError):
        return None


def whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines from where `file` stands, a torn last one left out.

    A line longer than `LONGEST_LINE` comes in pieces, none of which is an event.
    """
    while (line := file.readline(LONGEST_LINE)).endswith(b"\n") or len(line) == LONGEST_LINE:
        yield line


def _joined(parts: list[StepsDone]) -> StepsDone:
    """One event for consecutive steps of one epoch."""
    losses = [loss for part in parts for loss in part.losses]
    return parts[0].model_copy(
        update={"t": parts[-1].t, "losses": losses, "finite": all(part.finite for part in parts)}
    )


def _new_folder(logs: Path, name: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    while True:
        folder = logs / f"{stamp}-{name}-{secrets.token_hex(2)}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not logs.is_dir():
                raise
            continue  # two runs in one second drew the same four digits
        (folder / "checkpoint").mkdir()
        return folder


def _circumstances(preset: Preset) -> dict[str, Any]:
    import platform

    packages = ("torch", "torchvision", "numpy", "scipy", "pydantic", "safetensors")
    return {
        "schema": SCHEMA,
        "preset": preset.name,
        "seed": preset.train.seed,
        "device": preset.train.device,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "host": platform.node(),
        "platform": platform.platform(),
        "pid": os.getpid(),
        "versions": {"regtui": __version__, "python": platform.python_version()}
        | {package: metadata.version(package) for package in packages},
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    # A command line may hold bytes that are no text; as escapes they are valid JSON.
    with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        json.dump(content, file, indent=1, ensure_ascii=False, allow_nan=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
