"""The user's own settings, in a file of theirs: read at the start, and kept up to date with what is chosen on screen.

The file is REGTUI_CONFIG if that is set, else config.toml in the user's folder for the program's configuration. A fault
in it stops no screen: what is wrong has its default, and the screen says so.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from regtui.errors import InputError
from regtui.files import MAX_PRESET, read_plain, table_of_toml, text_of, write_whole
from regtui.preset.faults import MAX_VALUE, Fault
from regtui.preset.train import Device
from regtui.text import lines, one_line

if TYPE_CHECKING:
    from regtui.preset.model import Preset

ThemeName = Literal["auto", "dark", "light", "high-contrast"]


class Charts(BaseModel):
    """How charts are drawn at first."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    quantity: Literal["loss", "metric", "gap"] = "loss"
    overlay: bool = Field(False, description="All arms in one chart.")
    log: bool = Field(False, description="A logarithmic axis for losses.")
    shared: bool = Field(True, description="The same axes in both charts.")
    log_x: bool = Field(False, description="A logarithmic axis of epochs.")
    smooth: Literal[0, 10, 100, 1000] = Field(0, description="The curve of the steps is the mean of so many.")


class Settings(BaseModel):
    """What lasts from one run to the next."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    theme: ThemeName = Field("auto", description="auto asks the terminal whether its background is light.")
    ascii: bool = Field(False, description="Draw with ASCII characters only.")
    bell: bool = Field(True, description="Ring, and notify the desktop, at the end of a run.")
    log_dir: Annotated[str, Field(min_length=1)] = Field("logs", description="Where runs are kept.")
    device: Device = Field("auto", description="What a preset's 'auto' stands for.")
    charts: Charts = Field(default_factory=Charts)

    @property
    def logs(self) -> Path:
        """The folder in which runs are kept."""
        with suppress(RuntimeError):  # there is no home
            return Path(self.log_dir).expanduser()
        return Path(self.log_dir)

    def applied(self, preset: Preset) -> Preset:
        """The preset on the device of the settings, if it leaves the choice open."""
        if preset.train.device != "auto" or self.device == "auto":
            return preset
        return preset.model_copy(update={"train": preset.train.model_copy(update={"device": self.device})})


class SettingsError(InputError):
    """A file of settings with faults; the message has a line for each."""

    @staticmethod
    def _shown(message: str) -> str:
        return lines(message)


class Known(NamedTuple):
    """What the user's file says.

    Attributes:
        settings: Its values, and defaults where it has none or a wrong one.
        faults: What is wrong with it.
        file: Where it is, or would be; None for a user without a home.
        named: The dotted keys that it sets.
    """

    settings: Settings
    faults: Sequence[Fault] = ()
    file: Path | None = None
    named: Sequence[str] = ()

    def check(self) -> None:
        """See that nothing is wrong; without a screen nobody would read a message and train on.

        Raises:
            SettingsError: Something is.
        """
        if self.faults:
            raise SettingsError("\n".join(map(str, self.faults)))


def settings_file() -> Path | None:
    """The user's file, whether it is there or not; None for a user without a home."""
    if chosen := os.environ.get("REGTUI_CONFIG"):
        return Path(chosen)
    if os.environ.get("XDG_CONFIG_HOME") or os.path.isdir(os.path.expanduser("~")):  # noqa: PTH111, PTH112, they never raise
        from platformdirs import user_config_path

        with suppress(RuntimeError):
            return user_config_path("regtui", appauthor=False) / "config.toml"
    return None


def read_settings() -> Known:
    """What the user's file says; the defaults if there is none."""
    file = settings_file()
    if file is None:
        return Known(Settings())
    origin = one_line(file)
    try:
        text = text_of(read_plain(file, MAX_PRESET))
    except (FileNotFoundError, NotADirectoryError):
        return Known(Settings(), file=file)
    except OSError as error:
        return Known(Settings(), [Fault("", f"can't be read ({error.strerror or error})", origin)], file)
    except ValueError as error:
        return Known(Settings(), [Fault("", str(error), origin)], file)
    try:
        table = table_of_toml(text)
    except (ValueError, RecursionError) as error:
        from regtui.preset import hints

        slip = hints.of_toml(text, error) if isinstance(error, tomllib.TOMLDecodeError) else ""
        return Known(Settings(), [Fault("", slip or f"this is not TOML: {one_line(error, 200)}", origin)], file)
    settings, faults = _valid(table, origin)
    return Known(settings, faults, file, _keys(table))


def _valid(table: dict[str, Any], origin: str) -> tuple[Settings, list[Fault]]:
    """The settings of a table, and its faults, which are passed over."""
    try:
        return Settings.model_validate(table), []
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
    for mistake in mistakes:
        *tables, last = mistake["loc"]
        of: Any = table
        for name in tables:
            of = of[name]
        of.pop(last, None)
    return Settings.model_validate(table), [_fault(mistake, origin) for mistake in mistakes]


def _fault(mistake: Mapping[str, Any], origin: str) -> Fault:
    from regtui.preset.validation import SENTENCES, nearest

    *tables, last = map(str, mistake["loc"])
    model = Charts if tables == ["charts"] else Settings
    kind, given = mistake["type"], mistake["input"]
    if kind == "extra_forbidden":
        known = list(model.model_fields)
        elsewhere = [f"charts.{name}" for name in Charts.model_fields if name == last and not tables]
        instead = f"; write charts.{last}" if elsewhere else nearest(last, known) or f"; known are {', '.join(known)}"
        return Fault(".".join((*tables, last)), f"{SENTENCES[kind]}{instead}", origin)
    if kind == "string_pattern_mismatch":
        sentence = "must be auto, cpu, cuda, cuda:N or mps"
    else:
        sentence = SENTENCES.get(kind, mistake["msg"]).format_map(mistake.get("ctx", {}))
    choices = get_args(model.model_fields[last].annotation) if kind == "literal_error" else ()
    near = nearest(given, choices) if isinstance(given, str) and choices else ""
    shown = str(given).lower() if isinstance(given, bool) else repr(given)
    return Fault(".".join((*tables, last)), f"{sentence}, not {one_line(shown, MAX_VALUE)}{near}", origin)


def _keys(table: Mapping[str, Any]) -> list[str]:
    inner = {name: _keys(value) if isinstance(value, dict) else None for name, value in table.items()}
    return [key for name, of in inner.items() for key in ([name] if of is None else [f"{name}.{one}" for one in of])]


def remember(chosen: Mapping[str, object]) -> None:
    """Write into the user's file what was chosen on screen, by dotted keys; its comments and layout are kept.

    Nothing is written if the file says so already, can't be understood or can't be written: that is no reason to
    disturb anybody.
    """
    file = settings_file()
    if file is None or not chosen:
        return
    import tomlkit  # 40 ms

    with suppress(OSError, ValueError, RuntimeError):
        file = file.resolve()  # a link, as of those who keep such files elsewhere, stays one
        before = text_of(read_plain(file, MAX_PRESET)) if file.exists() else ""
        table_of_toml(before)  # what is nested deeply would take tomlkit minutes
        document = tomlkit.parse(before)
        for key, value in chosen.items():
            *tables, last = key.split(".")
            of: Any = document
            for name in tables:
                of = of.setdefault(name, tomlkit.table())
            if not isinstance(of, MutableMapping):  # a fault, which is the user's to mend
                return
            if of.get(last) != value:
                of[last] = value
        if (text := tomlkit.dumps(document)) != before:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, text.encode())
