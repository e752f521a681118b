"""Draws the README's pictures, or with --all pictures of every screen, from real runs on real data.

    python -m tests.pictures               the README's, into docs/
    python -m tests.pictures --all FOLDER  every screen in every size and look, to be looked at one by one

Nothing is staged: a live run trains `small-data`, a study runs it over eight seeds, and what is reviewed are the sample
runs in logs/.
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from threading import Event
from typing import NamedTuple

import matplotlib
from PIL import Image, ImageDraw, ImageFont
from rich.cells import cell_len
from rich.color_triplet import ColorTriplet
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.pilot import Pilot

from regtui.preset.file import load
from regtui.protocol.control import Stop
from regtui.study.conduct import conduct
from regtui.study.design import Wishes, make_plan
from regtui.study.folder import StudyFolder
from regtui.study.local import LocalEngine
from regtui.tui.app import RegtuiApp
from regtui.tui.run.training import ProcessTraining
from regtui.tui.study.screen import StudyScreen
from regtui.tui.themes import THEMES
from tests.screen_double import until
from tests.test_samples import samples

HOME = Path(__file__).parents[1]
SIZES = ((80, 24), (120, 36), (200, 60))
LOOKS = ("dark", "light", "high-contrast", "no colour", "ascii")
SEVERAL = "techniques"
FONT_SIZE = 15
CELL = (9, 18)
"""Pixels of a cell, across and down, in a font of this size."""
DOTS = [
    (1 << bit, x, y) for bit, (x, y) in enumerate([(1, 2), (1, 6), (1, 10), (5, 2), (5, 6), (5, 10), (1, 14), (5, 14)])
]
"""Of a braille character: the bit of each dot, and where it stands in the cell."""
WHITE = ColorTriplet(0xDD, 0xDD, 0xDD)
"""Of text that has no colour of its own."""


class Scene(NamedTuple):
    """What is done before a picture is drawn.

    Attributes:
        preset: The preset that is trained live; empty for saved runs.
        epochs: Live: paused at this epoch; 0 waits for the end.
        review: Saved runs: the preset of the sample that is opened; empty for the list.
        study: A saved study of `STUDY` is opened.
        keys: Pressed then.
    """

    preset: str = ""
    epochs: int = 0
    review: str | None = None
    study: bool = False
    keys: tuple[str, ...] = ()


STUDY = "small-data", Wishes("8", vary=("regularized.dropout.rate=0.1,0.3,0.5,0.7",))
"""The study that is shown: its preset, and what is asked of it."""
SCENES = {
    "choose": Scene(),
    "choose-filter": Scene(keys=("slash", *"dropout")),
    "run": Scene("small-data", 24),
    "run-focus": Scene("small-data", 12, keys=("tab", "tab")),
    "run-overlay": Scene("small-data", 24, keys=("o",)),
    "run-steered": Scene("small-data", 12, keys=("plus", "plus", "less_than_sign", "space")),
    "run-help": Scene("small-data", 12, keys=("question_mark",)),
    "run-palette": Scene("small-data", 12, keys=("ctrl+p",)),
    "run-stop": Scene("small-data", 12, keys=("s",)),
    "run-about": Scene("small-data", 12, keys=("i",)),
    "run-preset": Scene("small-data", 12, keys=("f",)),
    "verdict": Scene("small-data"),
    "arms": Scene(review=SEVERAL, keys=("right_square_bracket",)),
    "arms-overlay": Scene(review=SEVERAL, keys=("o",)),
    "saved-cursor": Scene(review="dropout", keys=("left", "left", "left")),
    "saved-undecided": Scene(review="dropout"),
    "details": Scene(review="small-data", keys=("d",)),
    "accuracy": Scene(review="small-data", keys=("v",)),
    "gap": Scene(review="small-data", keys=("v", "v")),
    "regression": Scene(review="diabetes"),
    "what-if": Scene(review="early-stopping", keys=("x",)),
    "weights": Scene(review="l1", keys=("w",)),
    "list": Scene(review="", keys=("down", "down")),
    "list-note": Scene(review="", keys=("n",)),
    "study": Scene(study=True, keys=("down", "down", "right")),
    "study-ranking": Scene(study=True, keys=("v",)),
    "study-response": Scene(study=True, keys=("v", "v")),
    "study-details": Scene(study=True, keys=("d",)),
    "study-form": Scene(keys=("R",)),
    "compare": Scene(review="", keys=(*["down"] * 4, "space", *["down"] * 4, "space", "c")),
}
README = {
    "run": ("run", (120, 36)),
    "verdict": ("verdict", (120, 36)),
    "arms": ("arms-overlay", (120, 36)),
    "list": ("list", (120, 36)),
    "study": ("study", (120, 36)),
    "compare": ("compare", (120, 36)),
}
"""The README's pictures: scene and size of each."""


@cache
def study() -> Path:
    """The folder of the study, whose runs are made the first time."""
    preset, wishes = STUDY
    logs = Path(tempfile.mkdtemp(prefix="regtui-study-"))
    atexit.register(shutil.rmtree, logs, ignore_errors=True)
    made = StudyFolder.create(make_plan(load(preset), wishes), logs)
    conduct(made, LocalEngine(os.cpu_count() or 1), Event(), lambda _news: None)
    return made.path


async def picture(scene: Scene, size: tuple[int, int], look: str = "dark") -> Image.Image:
    """The screen of a scene."""
    os.environ.pop("NO_COLOR", None)
    if look == "no colour":
        os.environ["NO_COLOR"] = "1"
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        logs, review = Path("logs"), None
        if scene.review is not None:
            for sample in samples():
                shutil.copytree(sample, logs / sample.name)
            review = [run for run in sorted(logs.iterdir()) if scene.review and run.name[16:-5] == scene.review]
        if scene.study:
            review = [study()]
        preset, training = load(scene.preset) if scene.preset else None, ProcessTraining()
        app = RegtuiApp(logs, preset, start=bool(preset), ascii_only=look == "ascii", training=training, review=review)
        async with app.run_test(size=size) as pilot:
            if look in THEMES:
                app.theme = THEMES[look].name
            await _reach(app, pilot, scene)
            for key in scene.keys:
                await pilot.press(key)
                await pilot.pause(0.1)
            await pilot.pause(1)
            rows = app.screen._compositor.render_strips()
            if (session := app.session) is not None and not session.ended:
                session.control.send(Stop(at_once=True))
                await until(pilot, lambda: session.ended)
            training.close()
            app.exit()
    return drawn(rows, app.ansi_theme.background_color)


async def _reach(app: RegtuiApp, pilot: Pilot[int], scene: Scene) -> None:
    """Wait until the live run is where it should be, or the saved runs are there."""
    if scene.study:
        await until(pilot, lambda: isinstance(app.screen, StudyScreen))
    if scene.preset:
        await until(pilot, lambda: app.session is not None and app.session.history.epochs >= 1, 300)
        assert app.session is not None
        session = app.session
        if scene.epochs:
            await until(pilot, lambda: session.history.epochs >= scene.epochs, 300)
            await pilot.press("space")
            await until(pilot, lambda: session.history.paused, 60)
        else:
            await until(pilot, lambda: session.ended, 600)
    await pilot.pause(2)


def headless() -> Image.Image:
    """What a headless run prints."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["regtui", "--preset", "smoke", "--headless"]
        run = [sys.executable, "-m", *command, "--log-dir", folder]
        told = subprocess.run(run, check=True, capture_output=True, text=True, cwd=HOME).stdout
    words = Text(f"$ {' '.join(command)}\n{told.replace(folder, 'logs')}", "#dddddd on #111417")
    console = Console(width=84, color_system="truecolor")
    return drawn(console.render_lines(words), ColorTriplet(0x11, 0x14, 0x17))


def drawn(rows: Sequence[Iterable[Segment]], ground: ColorTriplet) -> Image.Image:
    """Rows of text as a terminal shows them."""
    fonts = Path(matplotlib.get_data_path(), "fonts", "ttf")
    plain, bold = (ImageFont.truetype(fonts / f"DejaVuSansMono{weight}.ttf", FONT_SIZE) for weight in ("", "-Bold"))
    rows = [list(row) for row in rows]
    columns = max(sum(segment.cell_length for segment in row) for row in rows)
    image = Image.new("RGB", (columns * CELL[0], len(rows) * CELL[1]), ground)
    pen = ImageDraw.Draw(image)
    for y, row in enumerate(rows):
        x = 0
        for text, style, _ in row:
            style = style or Style()
            front, back = (
                default if colour is None or colour.is_default else colour.get_truecolor()
                for colour, default in ((style.color, WHITE), (style.bgcolor, ground))
            )
            if style.reverse:
                front, back = back, front
            for letter in text:
                left, top = x * CELL[0], y * CELL[1]
                pen.rectangle((left, top, left + CELL[0] - 1, top + CELL[1] - 1), back)
                if "\u2800" <= letter <= "\u28ff":  # the font has no braille
                    for bit, across, down in DOTS:
                        if ord(letter) & bit:
                            pen.rectangle((left + across, top + down, left + across + 1, top + down + 1), front)
                else:
                    pen.text((left, top), letter, front, bold if style.bold else plain)
                x += cell_len(letter)
    return image


def all_of(everything: bool) -> dict[str, tuple[str, tuple[int, int], str]]:
    """Scene, size and look of each picture, by its name."""
    if not everything:
        return {name: (scene, size, LOOKS[0]) for name, (scene, size) in README.items()}
    return {
        f"{scene}-{size[0]}x{size[1]}-{look.replace(' ', '-')}": (scene, size, look)
        for scene in SCENES
        for size in SIZES
        for look in (LOOKS if size == SIZES[0] else LOOKS[:2])
    }


def main() -> None:
    """Draw."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--all", type=Path, metavar="FOLDER", help="every screen in every size and look")
    options.add_argument("--only", default="", metavar="TEXT", help="only pictures with this in their names")
    given = options.parse_args()
    folder = given.all or HOME / "docs"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (scene, size, look) in all_of(given.all is not None).items():
        if given.only in name:
            asyncio.run(picture(SCENES[scene], size, look)).save(folder / f"{name}.png", optimize=True)
            print(f"{name}.png", flush=True)
    if given.all is None and given.only in "headless":
        headless().save(folder / "headless.png", optimize=True)


if __name__ == "__main__":
    main()
