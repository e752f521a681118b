"""A chart fills its space whatever it is given, in the theme's colours, and is drawn anew only when it must be."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import App, ComposeResult
from textual.color import Color
from textual.geometry import Region

import regtui
from regtui.preset.arms import MARKS
from regtui.tui.charts import chart as chart_module
from regtui.tui.charts.chart import Chart, draw
from regtui.tui.charts.curves import Curves
from regtui.tui.charts.difference import strip
from regtui.tui.charts.plot import RANKS, Curve, Plot, Space, Stroke
from regtui.tui.charts.run_plots import plots
from regtui.tui.charts.view import View
from regtui.tui.look import PlainText, plain
from regtui.tui.themes import DARK, LIGHT
from regtui.tui.widgets.lines import Lines
from tests.conftest import small_preset
from tests.screen_double import until
from tests.telling import Telling

SIZES = [(w, h) for w in (0, 1, 3, 11, 12, 13, 17, 30, 58, 116, 200) for h in (0, 1, 2, 3, 4, 7, 18, 40)]
PALETTE = {"regularized": "#ffb454", "regularized-train": "#b37a32"}
COLOURS = {"faint": "#5d6978", "baseline": "#6cb6ff", "error": "#e5736b"}
PLOT = Plot(
    curves=[
        Curve([0.0, 1.0, 2.0, 3.0], [0.0, 2.0, 1.0, 3.0], "baseline", name=("validation 3.00", "3.00")),
        Curve([0.5, 1.5], [0.3, 0.6], "error", mark="●", line=False),
        Curve([-5.0, 50.0], [-100.0, 1e30], "baseline", "dotted"),
    ],
    x_limits=(0.0, 3.0),
    y_limits=(0.0, 3.0),
    x_ticks=[(0.0, "0"), (1.0, "1"), (3.0, "3")],
    y_ticks=[(0.0, "0.0"), (1.0, "1.0"), (3.0, "3.0")],
    verticals=[(1.0, "baseline"), (99.0, "faint")],
    horizontals=[(2.0, "faint"), (-7.0, "error")],
    words=[("★", 2.0, 1.0, "baseline"), ("✗ not finite", 3.0, 9.0, "error"), ("■ stopped", 0.0, -9.0, "baseline")],
)


def told() -> Telling:
    return Telling(small_preset(train={"epochs": 6})).start().epochs([0.9, 0.5, 0.3, 0.4], [0.8, 0.6, 0.5, 0.4])


def shape(rows: Iterable[Text]) -> list[int]:
    return [row.cell_len for row in rows]


def colours_in(rows: Iterable[Text]) -> set[str]:
    styles = [span.style for row in rows for span in row.spans] + [row.style for row in rows]
    return {style.color.name for style in styles if not isinstance(style, str) and style.color is not None}


# Drawing


@pytest.mark.parametrize("width", sorted({w for w, _ in SIZES}))
def test_a_chart_fills_its_space_exactly(width: int) -> None:
    for height in [h for w, h in SIZES if w == width]:
        rows = draw(PLOT, width, height, COLOURS)
        assert len(rows) == height
        if width >= 12 and height >= 3:
            assert shape(rows) == [width] * height
        else:
            assert all(cells <= width for cells in shape(rows))


def test_words_are_shown_where_there_is_nothing_to_draw() -> None:
    for width, height in SIZES:
        rows = draw(Plot(empty="it comes with the first epoch"), width, height, COLOURS)
        assert len(rows) == height
        assert all(cells <= width for cells in shape(rows))
    assert "first epoch" in draw(Plot(empty="it comes with the first epoch"), 40, 5, COLOURS)[2].plain


def test_a_single_point_and_labels_wider_than_the_chart_can_be_drawn() -> None:
    one = Plot([Curve([1.0], [1.0], "baseline"), Curve([1.0], [1.0], "baseline", mark="●", line=False)], (0, 2), (0, 2))
    assert shape(draw(one, 30, 8, COLOURS)) == [30] * 8
    wide = Plot(one.curves, (0, 2), (0, 2), y_ticks=[(1.0, "1.2345678901e+05")], x_ticks=[(1.0, "x" * 50)])
    assert len(draw(wide, 14, 8, COLOURS)) == 8


def texts(curves: list[Curve], width: int = 38, height: int = 9, *, ascii_only: bool = False, **plot: Any) -> list[str]:
    """What is drawn right of the axis, row by row."""
    drawn = draw(Plot(curves, **plot), width, height, {**COLOURS, **PALETTE}, ascii_only=ascii_only)
    return [row.plain.removeprefix("│") for row in drawn]


def coloured(rows: list[Text], name: str) -> str:
    """All characters of a colour, row after row."""
    wanted = {**COLOURS, **PALETTE}[name]
    return " ".join(
        row.plain[span.start : span.end]
        for row in rows
        for span in row.spans
        if isinstance(span.style, Style) and span.style.color is not None and span.style.color.name == wanted
    )


BRAILLE = re.compile("[\u2801-\u28ff]")


@pytest.mark.parametrize(("sign", "edge", "arrow"), [(1, 0, "↑"), (-1, -1, "↓")])
def test_a_line_that_leaves_the_chart_ends_at_the_edge_with_one_arrow(sign: int, edge: int, arrow: str) -> None:
    xs = [float(x) for x in range(31)]
    steep = [sign * (9.0 if x < 6 else 0.5) for x in xs]
    rows = texts([Curve(xs, steep, "baseline")], x_limits=(0, 30), y_limits=(-1, 1))
    assert "".join(rows).count(arrow) == 1
    assert 5 <= rows[edge].index(arrow) <= 7, "where it comes back, not along the edge"
    assert not BRAILLE.search("".join(row[:5] for row in rows))
    wild = [0.5] * 20 + [sign * 9.0] * 11
    rows = texts([Curve(xs, wild, "baseline")], x_limits=(0, 30), y_limits=(-1, 1))
    assert "".join(rows).count(arrow) == 1
    assert 18 <= rows[edge].index(arrow) <= 24


def test_strokes_differ_in_braille_and_in_ascii_without_any_colour() -> None:
    xs = [0.0, 30.0]
    for ascii_only in (False, True):
        seen = set()
        for stroke in RANKS:
            rows = texts([Curve(xs, [0.0, 0.0], "baseline", stroke)], ascii_only=ascii_only, x_limits=(0, 30))
            (row,) = (row.strip() for row in rows if row.strip())
            assert row.isascii() == ascii_only
            seen.add(row)
        assert len(seen) == len(RANKS)


def test_a_solid_line_in_ascii_follows_its_slope() -> None:
    rows = texts([Curve([0, 10, 20, 30], [0, 1, 1, 0], "baseline")], ascii_only=True, x_limits=(0, 30))
    drawn = "".join(rows)
    assert {"/", "\\", "-"} <= set(drawn)


@pytest.mark.parametrize("apart", [0.0, 0.02, 0.1])
def test_two_lines_within_one_row_are_both_seen_and_named(apart: float) -> None:
    xs = [float(x) for x in range(31)]
    curves = [
        Curve(xs, [0.5 + apart] * 31, "baseline", name=("● baseline 0.510", "● 0.510")),
        Curve(xs, [0.5] * 31, "regularized", name=("◆ regularized 0.500", "◆ 0.500")),
        Curve(xs, [0.5] * 31, "regularized-train", "dotted", name=("◆ training 0.500",)),
    ]
    rows = draw(Plot(curves, (0, 30), reserve=9), 38, 9, {**COLOURS, **PALETTE})
    for curve in curves[:2]:
        shown = coloured(rows, curve.colour)
        assert len(BRAILLE.findall(shown)) >= 10, "its line is hidden"
        assert any(form in shown for form in curve.name)
    plain_text = "\n".join(row.plain for row in rows)
    assert all(any(form in plain_text for form in curve.name) for curve in curves[:2])


def test_nothing_hides_validation() -> None:
    xs = [float(x) for x in range(31)]
    line = Curve(xs, [0.5] * 31, "baseline")
    others = [Curve(xs, [0.5] * 31, "error", stroke) for stroke in ("steps", "dotted")]
    alone, crowded = (draw(Plot(curves, (0, 30)), 38, 9, COLOURS) for curves in ([line], [line, *others]))
    assert coloured(alone, "baseline") == coloured(crowded, "baseline")


def test_names_cover_no_line_no_newest_value_and_no_other_name() -> None:
    rng = random.Random(3)
    for _ in range(40):
        width, height = rng.choice([(30, 7), (38, 9), (57, 18)])
        xs = [float(x) for x in range(rng.choice([2, 12, 31]))]
        strokes: dict[str, Stroke] = {"error": "dotted", "baseline": "solid", "regularized": "solid"}
        named = [
            Curve(xs, [rng.random() for _ in xs], colour, stroke, name=(f"{colour} 0.123", f"{colour[0]} 0.123"))
            for colour, stroke in strokes.items()
        ]
        plain_lines = [dataclasses.replace(curve, name=()) for curve in named]
        palette = {**COLOURS, **PALETTE}
        with_names, without = (
            draw(Plot(curves, (0, 30), reserve=9), width, height, palette) for curves in (named, plain_lines)
        )
        for one, other in zip(with_names, without, strict=True):
            assert all(b in (" ", a) for a, b in zip(one.plain, other.plain, strict=True))
        text = "\n".join(row.plain for row in with_names)
        assert "b 0.123" in text or "baseline 0.123" in text
        assert "r 0.123" in text or "regularized 0.123" in text


def test_marks_along_a_line_stand_far_apart_and_none_covers_its_newest_value() -> None:
    xs = [float(x) for x in range(31)]
    for width in (30, 57, 116):
        curves = [Curve(xs, [h] * 31, c, mark=m) for h, c, m in ((0.2, "baseline", "●"), (0.8, "regularized", "◆"))]
        for mark in "●◆":
            (row,) = (row for row in texts(curves, width, x_limits=(0, 30)) if mark in row)
            places = [n for n, character in enumerate(row) if character == mark]
            assert all(b - a >= 14 for a, b in itertools.pairwise(places))
            assert places[-1] < len(row.rstrip()) - 1


@pytest.mark.parametrize("width", [14, 24, 40, 57, 116])
@pytest.mark.parametrize("text", ["✗ not finite", "■ stopped"])
def test_a_mark_stands_on_its_epoch_and_its_words_are_whole_or_missing(text: str, width: int) -> None:
    mark, _, words = text.partition(" ")
    for x in range(51):
        plot = Plot([Curve([25.0], [0.0], "baseline")], (0, 50), (0, 1), words=[(text, float(x), 1.0, "error")])
        row = draw(plot, width, 8, COLOURS)[0].plain.removeprefix("│")
        assert row.index(mark) == pytest.approx(x / 50 * (width - 2), abs=0.76)
        below = draw(plot, width, 8, COLOURS)[1].plain.removeprefix("│")
        assert row.replace(mark, "").strip() in {words, ""}
        assert below.strip() in {words, ""}
        if width >= 2 * len(text):
            assert words in row


def test_the_words_of_two_marks_do_not_cut_each_other() -> None:
    for x in range(51):
        marks = [
            ("✗ not finite", 25.0, 1.0, "error"),
            ("✗ not finite", float(x), 1.0, "error"),
            ("▼", 30.0, 1.0, "error"),
        ]
        row = draw(Plot([Curve([0.0], [0.0], "baseline")], (0, 50), words=marks), 57, 8, COLOURS)[0].plain
        assert row.count("▼") == 1 or x == 30
        assert row.replace("not finite", "").strip("│ ▼✗") == ""
        assert "not finite" in row


def test_all_is_in_its_place() -> None:
    rising = Plot([Curve([0.0, 2.0], [0.0, 2.0], "baseline", mark="●", line=False)], (0, 2), (0, 2))
    rows = [row.plain for row in draw(rising, 30, 8, COLOURS)]
    first, last = next(r for r in rows if "●" in r), next(r for r in reversed(rows) if "●" in r)
    assert first.rindex("●") > last.index("●")


def test_a_mark_its_star_and_its_epoch_lie_on_the_cell_of_their_line() -> None:
    for step in range(101):
        x, y = step / 10, step / 100
        line, mark = Curve([x, x], [y, y], "baseline"), Curve([x], [y], "baseline", mark="●", line=False)
        star = ("★", x, y, "baseline")
        for height in (5, 12):
            found = []
            for curves, words in (([line], []), ([line, mark], []), ([line], [star])):
                plot = Plot(curves, (0, 10), (0, 1), words=words)
                rows = [row.plain.removeprefix("│") for row in draw(plot, 41, height, COLOURS)]
                found += [(n, m.start()) for n, row in enumerate(rows) for m in re.finditer(r"\S", row)]
            assert len(found) == 3
            assert len(set(found)) == 1
            row, column = found[0]
            across = draw(Plot([line], (0, 10), (0, 1), verticals=[(x, "faint")]), 41, height, COLOURS)
            assert across[0 if row else 1].plain.removeprefix("│").index("│") == column


def test_only_the_palettes_colours_are_used() -> None:
    assert colours_in(draw(PLOT, 60, 20, COLOURS)) <= set(COLOURS.values())
    for theme in (DARK, LIGHT):
        palette = {**theme.variables, "accent": str(theme.accent), "error": str(theme.error), "warning": "#9a6700"}
        history = told().control("regularized", "dropout.rate", 0.3).history
        for view in (View(), View(overlay=True), View("gap")):
            for plot in [*plots(history, view, Space(57, 18)), strip(history, "regularized", view, Space(57, 18))]:
                assert colours_in(draw(plot, 57, 18, palette)) <= set(palette.values())


def test_each_curve_has_its_own_colour() -> None:
    rows = draw(PLOT, 60, 20, COLOURS)
    assert "●" in coloured(rows, "error")
    assert BRAILLE.search(coloured(rows, "baseline"))
    assert {COLOURS["baseline"], COLOURS["error"], COLOURS["faint"]} <= colours_in(rows)


# ASCII


def strings_of(folder: Path) -> Iterable[tuple[str, str]]:
    """Every piece of text in the sources of a folder, but for what is said of a function, with the file it is in."""
    for path in sorted(folder.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        functions = [node.body[0] for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        said = [first.value for first in functions if isinstance(first, ast.Expr)]
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in said:
                yield path.name, node.value


@pytest.mark.parametrize("package", ["tui", "evidence", "techniques"])
def test_every_glyph_that_the_program_writes_has_an_ascii_one_of_its_width(package: str) -> None:
    assert regtui.__file__ is not None
    glyphs = {c: name for name, text in strings_of(Path(regtui.__file__).parent / package) for c in text}
    unknown = {f"{c!r} in {name}" for c, name in glyphs.items() if c != "?" and "?" in plain(c)}
    assert not unknown, "plain.IN_CELLS does not know these"
    assert all(len(plain(c)) == cell_len(c) for c in glyphs if c.isprintable())


def test_every_glyph_of_the_presets_has_an_ascii_one() -> None:
    assert regtui.__file__ is not None
    texts = [path.read_text("utf-8") for path in (Path(regtui.__file__).parents[1] / "presets").glob("*.toml")]
    assert texts
    assert not {c for text in texts for c in text if c != "?" and "?" in plain(c)}


@pytest.mark.parametrize("view", [View(), View(overlay=True), View("metric"), View("gap"), View(log=True)])
def test_a_chart_in_ascii_keeps_its_shape(view: View) -> None:
    history = told().steps("baseline", [0.5, 40.0, None]).stop("regularized", "early_stopping").history
    filtered = PlainText()
    for plot in [*plots(history, view, Space(57, 18)), strip(history, "regularized", view, Space(57, 18))]:
        for row in draw(plot, 57, 18, {**DARK.variables, "accent": "#e6c07b", "error": "#e5736b"}):
            (segment,) = filtered.apply([Segment(row.plain)], Color.parse("black"))
            assert segment.text.isascii()
            assert "?" not in segment.text
            assert len(segment.text) == row.cell_len


def test_what_differs_in_a_chart_differs_in_ascii() -> None:
    marks = [*MARKS.values(), "•", "★", "+", "·", "▚"]
    assert len({plain(mark) for mark in marks}) == len(marks)


def test_what_has_no_ascii_glyph_still_takes_its_cells() -> None:
    assert plain("漢ß") == "???"
    assert plain("as it is") == "as it is"


# Widgets


class Screenful(App[None]):
    """A chart and some lines."""

    def __init__(self) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name
        self.chart = Chart()
        self.lines = Numbered()

    def compose(self) -> ComposeResult:
        yield self.chart
        yield self.lines


class Numbered(Lines):
    """Three rows that a test changes."""

    DEFAULT_CSS = "Numbered { height: auto; }"

    def __init__(self) -> None:
        super().__init__()
        self.words = ["a", "b", "c"]

    def rows(self, width: int, height: int) -> list[Text]:  # noqa: ARG002
        return [Text(word) for word in self.words]


async def test_a_chart_is_drawn_only_when_plot_size_or_theme_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    drawings = []

    def counted(plot: Plot, width: int, height: int, colours: Any, **how: bool) -> list[Text]:
        drawings.append((width, height))
        return draw(plot, width, height, colours, **how)

    monkeypatch.setattr(chart_module, "draw", counted)
    app = Screenful()
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause(0.02)
        app.chart.show(PLOT)
        drawings.clear()
        app.chart.show(PLOT)
        app.chart.show(Plot(**vars(PLOT)))
        app.chart.redraw()
        assert drawings == []
        app.chart.show(Plot(**{**vars(PLOT), "words": []}))
        assert drawings == [(60, 17)]
        await pilot.resize_terminal(50, 20)
        await until(pilot, lambda: len(drawings) > 1)
        assert drawings == [(60, 17), (50, 17)]
        app.theme = LIGHT.name
        await until(pilot, lambda: len(drawings) > 2)
        assert drawings == [(60, 17), (50, 17), (50, 17)]


class OnlyCurves(App[None]):
    """The charts of a run, with nothing around them."""

    def __init__(self, curves: Curves) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name
        self.curves = curves

    def compose(self) -> ComposeResult:
        yield self.curves


async def test_the_ticks_are_those_of_the_rows_that_are_there_when_the_room_changes() -> None:
    telling = told()
    app = OnlyCurves(Curves(telling.preset, telling.history, View()))
    async with app.run_test(size=(120, 40)) as pilot:
        app.curves.fit(120, 40, strip=False)
        app.curves.draw(cursor=2)
        for rows in (9, 25, 12):
            app.curves.styles.height = rows
            chart = app.curves.query_one("#left", Chart)

            def is_as_planned(chart: Chart = chart, rows: int = rows) -> bool:
                space = Space(*chart.content_size)
                planned = plots(telling.history, View(), space, 2)[0]
                shown = [chart.render_line(y).text for y in range(space.height)]
                wanted = [row.plain for row in draw(planned, *space, app.theme_variables)]
                return app.curves.size.height == rows == space.height and shown == wanted

            await until(pilot, is_as_planned)


async def test_a_border_is_set_only_when_its_words_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Screenful()
    async with app.run_test(size=(60, 20)):
        app.chart.entitle("one [b]", "two")
        assert (app.chart.border_title, app.chart.border_subtitle) == (r"one \[b]", "two")
        refreshed: list[Any] = []
        monkeypatch.setattr(app.chart, "refresh", lambda *a, **k: refreshed.append((a, k)))
        app.chart.entitle("one [b]", "two")
        assert refreshed == []


async def test_only_rows_that_changed_are_repainted(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Screenful()
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause(0.02)
        refreshed: list[tuple[Any, ...]] = []
        monkeypatch.setattr(app.lines, "refresh", lambda *regions, **_: refreshed.append(regions))
        app.lines.redraw()
        assert refreshed == []
        app.lines.words[1] = "B"
        app.lines.redraw()
        assert refreshed == [(Region(0, 1, 60, 1),)]
        app.lines.words[:] = ["A", "B", "C"]
        app.lines.redraw()
        assert refreshed[1:] == [(Region(0, 0, 60, 1), Region(0, 2, 60, 1))]
        app.lines.words.append("d")
        app.lines.redraw()
        assert refreshed[2:] == [()]


async def test_rows_are_as_wide_as_the_widget_and_missing_ones_are_blank() -> None:
    app = Screenful()
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause(0.02)
        assert [app.lines.render_line(y).text for y in (0, 2, 9)] == ["a" + " " * 59, "c" + " " * 59, " " * 60]
        app.lines.words = ["long " * 40]
        app.lines.redraw()
        assert app.lines.render_line(0).cell_length == 60


def test_equal_histories_make_equal_plots() -> None:
    assert plots(told().history, View(), Space(57, 18)) == plots(told().history, View(), Space(57, 18))
