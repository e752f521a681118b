"""The list of saved runs, and a saved run on the screen of a run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from textual.message import Message

from regtui.engine.run import run
from regtui.preset.file import load
from regtui.protocol.control import Control
from regtui.runs.note import Note, write_note
from regtui.runs.read import read_run
from regtui.runs.trash import discard
from regtui.tui.app import RegtuiApp
from regtui.tui.choose.screen import ChooseScreen
from regtui.tui.pages.help import HelpScreen
from regtui.tui.review.columns import FIELDS, NARROW
from regtui.tui.review.compare_screen import CompareScreen
from regtui.tui.review.saved_run import OpenRun
from regtui.tui.review.screen import ReviewScreen
from regtui.tui.run.screen import RunScreen
from regtui.tui.widgets.dialogs import Ask
from regtui.tui.widgets.row_list import Cell, Column, RowList
from tests.conftest import small_preset
from tests.screen_double import ScriptedTraining, said, text_of, until
from tests.scripted import ScriptedCrew


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: two seeds of one preset and one of another name."""
    logs = tmp_path_factory.mktemp("saved") / "logs"
    for name, seed in (("small", 0), ("small", 1), ("other", 0)):
        crew = ScriptedCrew({"baseline": [1.0, 0.5, 0.6], "regularized": [1.0, 0.6, 0.4]})
        preset = small_preset(train={"seed": seed}).model_copy(update={"name": name})
        run(preset, logs, Control(), lambda _: None, crew)
    return logs


@pytest.fixture
def logs(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "logs"))


def app_on(logs: Path, *runs: Path) -> RegtuiApp:
    return RegtuiApp(logs, training=ScriptedTraining(), review=runs)


def rows(app: RegtuiApp) -> int:
    return app.screen.query_one(RowList).virtual_size.height - 1


async def test_the_runs_are_listed_sorted_and_filtered(logs: Path) -> None:
    app = app_on(logs)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        assert "3 of 3 runs" in text_of(app)
        await pilot.press("slash", *"other")
        await until(pilot, lambda: rows(app) == 1)
        assert " other" in text_of(app).splitlines()[-3], "what is typed is seen"
        await pilot.press("escape")
        await until(pilot, lambda: rows(app) == 3)
        await pilot.press("slash", *"seed=1")
        await until(pilot, lambda: rows(app) == 1)
        await pilot.press("escape")
        for field in FIELDS[1:]:
            await pilot.press("s")
            assert f"by {field.column.title}" in text_of(app)
        await pilot.press("S")
        await until(pilot, lambda: "↑" in text_of(app))
        await pilot.press("slash", *"nonsense=1")
        await until(pilot, lambda: "nonsense" in str(app.screen.query_one("#words").render()))


async def test_a_saved_run_is_shown_as_it_was_and_leads_back(logs: Path) -> None:
    app = app_on(logs)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "one seed (" in text_of(app))
        shown = text_of(app)
        assert "finished" in shown
        assert "Pause" not in shown
        screen = app.screen
        assert isinstance(screen, RunScreen)
        assert screen.check_action("stop", ()) is False
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        await pilot.press("q")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value == 0


async def test_a_saved_run_can_be_run_again_and_its_preset_changed(logs: Path) -> None:
    app = app_on(logs)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        await pilot.press("enter")
        await until(pilot, lambda: "one seed (" in text_of(app))
        assert isinstance(app.screen, RunScreen)
        opened = app.screen.session.preset
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        assert isinstance(app.screen, ChooseScreen)
        assert app.screen.entry.name == opened.name
        await pilot.press("q")


async def test_the_presets_open_on_that_of_the_saved_run_whatever_was_chosen_before(logs: Path) -> None:
    app = RegtuiApp(logs, training=ScriptedTraining())
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        app.post_message(OpenRun(next(logs.glob("*-other-*"))))
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and "one seed (" in text_of(app))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        assert isinstance(app.screen, ChooseScreen)
        assert app.screen.entry.name == "other"
        for _ in range(2):
            await pilot.press("b")
            await until(pilot, lambda: isinstance(app.screen, ReviewScreen) and rows(app) == 3)
            await pilot.press("b")
            await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        assert len(app.screen_stack) == 3, "the list is closed on the way back"


async def test_a_run_that_is_opened_twice_at_once_is_there_once(logs: Path) -> None:
    app = app_on(logs)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        folder = next(logs.glob("*-other-*"))
        for _ in range(3):
            app.screen.post_message(OpenRun(folder))
        await until(pilot, lambda: "one seed (" in text_of(app))
        assert sum(isinstance(screen, RunScreen) for screen in app.screen_stack) == 1


async def test_help_on_a_saved_run_lists_no_key_that_steers(logs: Path) -> None:
    app = app_on(logs, next(logs.glob("*-other-*")))
    async with app.run_test(size=(120, 50)) as pilot:
        await until(pilot, lambda: "one seed (" in text_of(app))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        shown = text_of(app)
    assert "What another patience" in shown
    assert "Stop the run" not in shown
    assert "Pause" not in shown


async def test_a_run_that_goes_on_is_followed_to_its_end(saved: Path, tmp_path: Path) -> None:
    (whole,) = sorted(saved.glob("*-other-*"))
    folder = tmp_path / "logs" / whole.name
    shutil.copytree(whole, folder)
    lines = (whole / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "summary.json").unlink()
    (folder / "events.jsonl").write_bytes(b"".join(lines[:5]))  # written by this process, which lives
    app = app_on(tmp_path / "logs")
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: rows(app) == 1)
        assert "running" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: "1/3" in text_of(app))
        with (folder / "events.jsonl").open("ab") as file:
            file.write(b"".join(lines[5:]))
        shutil.copy(whole / "summary.json", folder)
        await until(pilot, lambda: "one seed (" in text_of(app))


async def test_an_interrupted_run_and_a_broken_one_say_so(logs: Path) -> None:
    first, second, _ = sorted(logs.iterdir())
    (first / "summary.json").unlink()
    (first / "run.json").unlink()
    events = (first / "events.jsonl").read_bytes()
    (first / "events.jsonl").write_bytes(events[: len(events) // 2])
    (second / "preset.toml").write_text("schema = 99\n[red]x = 1\n")
    for other in set(logs.iterdir()) - {first, second}:
        shutil.rmtree(other)
    app = app_on(logs)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: rows(app) == 2)
        for _ in range(2):
            await pilot.press("enter")
            assert not isinstance(app.screen, ReviewScreen)
            await until(pilot, lambda: isinstance(app.screen, Ask) or "interrupted" in text_of(app))
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
            await pilot.press("down")


@pytest.mark.parametrize("spoil", ["removed", "empty", "garbled"])
async def test_a_run_without_events_is_shown_as_one_that_has_ended(logs: Path, spoil: str) -> None:
    folder = min(logs.iterdir())
    (folder / "events.jsonl").unlink()
    if spoil != "removed":
        (folder / "events.jsonl").write_bytes(b"" if spoil == "empty" else b"\x1b[2J\x00\n" * 9)
    app = app_on(logs, folder)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "Test accuracy by its summary" in text_of(app))
        assert text_of(app).splitlines()[0].rstrip().endswith("finished")
        assert " Finished ─" in text_of(app)
        assert text_of(app).count("no usable events in the log") == 2
        await pilot.press("d")
        await until(pilot, lambda: "The log has no usable events" in text_of(app))
        assert "oading" not in text_of(app)


@pytest.mark.parametrize("summary", [True, False])
async def test_a_run_whose_log_breaks_off_does_not_go_on(logs: Path, summary: bool) -> None:
    folder = min(logs.iterdir())
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "events.jsonl").write_bytes(b"".join(lines[: 2 * len(lines) // 3]))
    (folder / "run.json").unlink()
    if not summary:
        (folder / "summary.json").unlink()
    app = app_on(logs, folder)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "there is no verdict" in text_of(app))
        top = text_of(app).splitlines()[0]
        assert (" finished · " if summary else " interrupted · ") in top
        assert "left" not in top
        assert ("Test accuracy by its summary" in text_of(app)) == summary
        await pilot.press("left")
        await until(pilot, lambda: "· cursor" in text_of(app))
        assert "going on" not in text_of(app)


async def test_an_empty_folder_is_an_empty_list(tmp_path: Path) -> None:
    app = app_on(tmp_path)
    async with app.run_test(size=(40, 12)) as pilot:
        await until(pilot, lambda: "0 of 0 runs" in text_of(app))
        await pilot.press("enter", "s", "u")
        assert isinstance(app.screen, ReviewScreen)


def column(app: RegtuiApp, title: str) -> list[str]:
    """What the rows in sight have below a title."""
    lines = text_of(app).splitlines()
    header = next(line for line in lines if "preset" in line)
    begin = header.index(title)
    return [line[begin : begin + len(title) + 2].strip() for line in lines[2 : 2 + rows(app)]]


async def test_sorting_keeps_the_cursor_on_its_run_and_a_click_on_a_header_sorts(logs: Path) -> None:
    app = app_on(logs)
    async with app.run_test(size=(240, 30)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        screen = app.screen
        assert isinstance(screen, ReviewScreen)
        await pilot.press("down")
        before = screen.at_cursor
        header = text_of(app).splitlines()[1]
        await pilot.click(RowList, offset=(header.index("seed") + 1, 0))
        assert sorted(column(app, "seed"), reverse=True) == column(app, "seed") == ["1", "0", "0"]
        await pilot.click(RowList, offset=(header.index("seed") + 1, 0))
        assert column(app, "seed") == ["0", "0", "1"]
        assert screen.at_cursor == before
        other = 0 if screen.listing.shown[2] == before else 2
        await pilot.click(RowList, offset=(20, 1 + other))
        assert screen.at_cursor == screen.listing.shown[other]
        await pilot.click(RowList, offset=(20, 1 + other))
        await until(pilot, lambda: isinstance(app.screen, RunScreen))


@pytest.mark.slow
async def test_marked_runs_are_compared_and_lead_to_one_of_them(logs: Path) -> None:
    app = app_on(logs)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        await pilot.press("c")
        assert isinstance(app.screen, ReviewScreen), "nothing is marked"
        await pilot.press("slash", *"small", "enter", "a", "escape")
        await until(pilot, lambda: rows(app) == 3)
        assert " 2 marked · " in text_of(app)
        await pilot.press("c")
        await until(pilot, lambda: "differ in train.seed" in text_of(app))
        assert isinstance(app.screen, CompareScreen)
        await until(pilot, lambda: "small, 2 seeds" in text_of(app))
        for key, words in [("v", "Δ validation loss"), ("b", "by step"), ("b", "by seconds"), ("l", "validation loss")]:
            await pilot.press(key)
            assert words in text_of(app)
        await pilot.press("o")
        assert "A ─ the other" not in text_of(app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen))
        await pilot.press("escape")
        assert " marked · " not in text_of(app)


async def test_several_runs_named_are_compared_at_once_and_one_is_opened(logs: Path) -> None:
    several = app_on(logs, *sorted(logs.iterdir()))
    async with several.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(several.screen, CompareScreen) and "3 runs" in text_of(several))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(several.screen, ReviewScreen) and rows(several) == 3)
    one = app_on(logs, min(logs.iterdir()))
    async with one.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "one seed (" in text_of(one))


async def test_a_comparison_follows_a_run_that_goes_on_and_bears_with_broken_ones(saved: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    shutil.copytree(saved, logs)
    whole, broken, _ = sorted(saved.iterdir())
    folder = logs / whole.name
    lines = (whole / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "summary.json").unlink()
    (folder / "events.jsonl").write_bytes(b"".join(lines[:5]))
    (logs / broken.name / "events.jsonl").unlink()
    (logs / broken.name / "preset.toml").write_bytes(b"\x1b[31m")
    app = app_on(logs, *sorted(logs.iterdir()))
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "running" in text_of(app))
        assert "\x1b" not in text_of(app)
        with (folder / "events.jsonl").open("ab") as file:
            file.write(b"".join(lines[5:]))
        shutil.copy(whole / "summary.json", folder)
        await until(pilot, lambda: "running" not in text_of(app))


async def test_a_name_with_markup_and_escape_codes_is_shown_as_text(logs: Path) -> None:
    first = min(logs.iterdir())
    summary = (first / "summary.json").read_text()
    hostile = "[red]x\\u001b[31m\\u202e"
    (first / "summary.json").write_text(summary.replace('"device": "cpu"', f'"device": "{hostile}"'))
    app = app_on(logs)
    async with app.run_test(size=(280, 20)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        assert "[red]x" in text_of(app)
        assert "\x1b" not in text_of(app)
        assert "\u202e" not in text_of(app)


async def test_ten_thousand_rows_are_made_only_where_they_are_seen(tmp_path: Path) -> None:
    made: list[int] = []

    def cells(row: int) -> list[Cell]:
        made.append(row)
        return [Cell(str(row))]

    app = app_on(tmp_path)
    async with app.run_test(size=(40, 12)) as pilot:
        shown = RowList()
        await app.screen.mount(shown, before=0)
        shown.fill([Column("row", 6)], 10_000, cells)
        shown.focus()
        await pilot.press("pagedown", "end", "up", "home", "down")
        assert shown.cursor == 1
        assert len(set(made)) < 60


TABLE = [
    Column("", 1),
    Column("name", 6),
    Column("first", 8),
    Column("● val", 8),
    Column("◆ val", 8, joined=True),
    Column("last", 8),
]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (60, ["    name    first     ● val     ◆ val     last"]),
        (
            44,
            [
                "    name    first     ● val     ◆ val      →",
                "    name  ← ● val     ◆ val     last",
            ],
        ),
        (
            37,
            [
                "    name    first                 +3 →",
                "    name  ← ● val     ◆ val       +1 →",
                "    name  ← last",
            ],
        ),
    ],
)
async def test_whole_columns_slide_beside_those_that_stay(tmp_path: Path, width: int, expected: list[str]) -> None:
    app = app_on(tmp_path)
    async with app.run_test(size=(width, 12)) as pilot:
        shown = RowList()
        await app.screen.mount(shown, before=0)
        shown.fill(TABLE, 30, lambda _row: [Cell("a"), Cell("run"), *[Cell("12345678")] * 4], staying=2)
        shown.focus()
        for header in [*expected, expected[-1]]:  # beyond the last there is nothing
            await pilot.pause()
            lines = [line[: width - 1].rstrip() for line in text_of(app).splitlines()]  # at the end is the scroll bar
            assert lines[0].split() == header.split()
            assert lines[0].rstrip("→ +13") == header.rstrip("→ +13")
            assert lines[1].split() == ["▸a", "run", *["12345678"] * sum(map(header.count, ("first", "val", "last")))]
            await pilot.press("right")
        await pilot.press(*["left"] * 4)
        assert text_of(app).split()[: len(expected[0].split())] == expected[0].split()


@pytest.mark.parametrize("width", [200, 120, 80, 60, 40])
async def test_no_word_of_the_lists_is_cut_where_columns_end(logs: Path, width: int) -> None:
    cut = min(logs.iterdir())
    (cut / "summary.json").unlink()
    (cut / "run.json").write_text(re.sub(r'"host": "[^"]*"', '"host": "another"', (cut / "run.json").read_text()))
    app = app_on(logs)
    write_note(cut, Note("checked"))
    words = {field.column.title for field in FIELDS} | {"started, UTC↓"}
    narrow = width < 2 * NARROW  # the preview has the other half
    words = words - {"Δ points"} | {"Δ 1 seed"} if narrow else words
    async with app.run_test(size=(width, 12)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        seen: set[str] = set()
        for _ in FIELDS:
            header, *lines = (
                line[: app.screen.query_one(RowList).size.width] for line in text_of(app).splitlines()[1:5]
            )
            titles = {title.strip() for title in re.split(r" {2,}|[←→]|\+\d+", header)} - {""}
            assert titles <= words
            assert ("● val" in header) == ("◆ val" in header)
            seen |= titles
            if "status" in header or (narrow and "verdict" in header):
                assert any("interrupted" in line for line in lines)
            await pilot.press("right")
        assert seen >= words - {"started, UTC", "status"}


async def test_a_comparison_s_rows_keep_their_letter_and_name_and_all_columns_can_be_seen(logs: Path) -> None:
    app = app_on(logs, *sorted(logs.iterdir()))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "◆ test" in text_of(app) and rows(app) == 3)
        table = app.screen.query_one(RowList)
        seen = ""
        for _ in range(20):
            header, *lines = text_of(app).splitlines()[table.region.y : table.region.bottom]
            begin = [line.split()[:2] for line in lines]
            assert [letter for letter, _ in begin] == ["▸a", "b", "c"]
            assert sorted(name for _, name in begin) == ["other", "small", "small"]
            seen += header
            await pilot.press("right")
        assert all(title in seen for title in ("seed", "● val", "◆ val", "epochs", "◆ cost", "◆ zeros", "started"))


async def test_a_wide_name_has_the_cells_it_needs(saved: Path, tmp_path: Path) -> None:
    name = "手書き数字の"
    for folder in sorted(saved.iterdir())[:2]:
        shutil.copytree(folder, tmp_path / folder.name)
        for file in ("summary.json", "run.json"):
            text = (tmp_path / folder.name / file).read_text()
            (tmp_path / folder.name / file).write_text(re.sub(r'"preset": "\w+"', f'"preset": "{name}"', text))
    app = app_on(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: rows(app) == 2)
        assert text_of(app).count(name) == 2
        await pilot.press("a", "c")
        await until(
            pilot, lambda: isinstance(app.screen, CompareScreen) and "◆ test" in text_of(app) and rows(app) == 2
        )
        table = app.screen.query_one(RowList)
        assert sum(name in line for line in text_of(app).splitlines()[table.region.y :]) >= 2


async def test_a_run_without_its_summary_is_titled_by_what_its_events_say(logs: Path) -> None:
    whole, cut, _ = sorted(logs.iterdir())
    for folder in (whole, cut):
        (folder / "summary.json").unlink()
        (folder / "run.json").unlink()
    lines = (cut / "events.jsonl").read_bytes().splitlines(keepends=True)
    (cut / "events.jsonl").write_bytes(b"".join(lines[:-1]))
    for folder, title in ((whole, " Verdict ─"), (cut, " Interrupted ─")):
        app = app_on(logs, folder)
        async with app.run_test(size=(120, 36)) as pilot:
            await until(pilot, lambda app=app, title=title: title in text_of(app))  # type: ignore[misc]


# The trash


async def test_runs_are_deleted_and_brought_back_step_by_step(logs: Path) -> None:
    app = app_on(logs)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        screen = app.screen
        assert isinstance(screen, ReviewScreen)
        assert "u undo" not in text_of(app), "nothing was deleted yet"
        await pilot.press("down")
        assert screen.at_cursor is not None
        second = screen.at_cursor.folder
        third = screen.listing.shown[2].folder
        await pilot.press("D")
        await until(pilot, lambda: rows(app) == 2 and "u undo" in text_of(app))
        assert not second.exists()
        assert screen.at_cursor.folder == third, "the next run moves up"
        await pilot.press("a", "delete")
        await until(pilot, lambda: rows(app) == 0)
        assert len(list((logs / ".trash").glob("2*"))) == 3
        await pilot.press("u")
        await until(pilot, lambda: rows(app) == 2)
        await pilot.press("u")
        await until(pilot, lambda: rows(app) == 3 and screen.at_cursor and screen.at_cursor.folder == second)
        await pilot.press("u")
        await pilot.press("R")
        await until(pilot, lambda: "3 of 3 runs" in text_of(app))


async def test_a_list_that_was_read_before_a_run_was_brought_back_does_not_take_it_off(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_on(logs)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        screen = app.screen
        assert isinstance(screen, ReviewScreen)
        await pilot.press("D")
        await until(pilot, lambda: rows(app) == 2)
        late: list[Message] = []
        tell = screen.post_message

        def hold(message: Message) -> bool:
            if isinstance(message, ReviewScreen.Listed):
                late.append(message)
                return True
            return tell(message)

        monkeypatch.setattr(screen, "post_message", hold)
        await pilot.press("R")
        await until(pilot, lambda: len(late) == 1)
        await pilot.press("u")
        await until(pilot, lambda: len(late) == 2)
        for message in reversed(late):  # the later reading was quicker
            tell(message)
        await until(pilot, lambda: "3 of 3 runs" in text_of(app))
        assert rows(app) == 3


async def test_the_trash_is_listed_and_a_run_is_brought_back_from_it_later(logs: Path) -> None:
    folder = next(logs.glob("*-other-*"))
    discard(folder, logs)
    app = app_on(logs / ".trash")
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: rows(app) == 1)
        await pilot.press("D")
        assert rows(app) == 1
        await pilot.press("u")
        await until(pilot, lambda: rows(app) == 0)
        assert (folder / "summary.json").exists()


async def test_a_run_that_vanished_or_is_trained_is_not_deleted_and_the_reason_is_said(logs: Path) -> None:
    app = app_on(logs)
    gone, going_on = sorted(logs.glob("*-small-*"))
    (going_on / "summary.json").unlink()  # its process, this one, is alive
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        shutil.rmtree(gone)
        await pilot.press("a", "D")
        await until(pilot, lambda: not next(logs.glob("*-other-*"), None))
        assert rows(app) == 1
        await until(pilot, lambda: said(app))
        told = said(app)
        assert told.endswith(
            (
                f"'{going_on.name}' stays: it is being trained (and 1 more).",
                f"'{gone.name}' is no longer there (and 1 more).",
            )
        )
        assert going_on.exists()


# Notes and tags


@pytest.mark.slow
async def test_a_note_and_tags_are_typed_and_shown_and_found(logs: Path) -> None:
    app = app_on(logs)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        log = {path: path.read_bytes() for path in logs.glob("*/*") if path.is_file()}
        await pilot.press("n", *"once more")
        await until(pilot, lambda: "once more" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen) and "once more" in text_of(app))
        await pilot.press("a", "T", *"Good b=")
        await until(pilot, lambda: "can't be a tag" in text_of(app))
        await pilot.press("backspace", "enter")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen) and "#Good #b: once more" in text_of(app))
        await pilot.press("escape", "down", "T", *" slow", "enter")
        await until(pilot, lambda: "#Good #b #slow" in text_of(app))
        await pilot.press("slash", *"tag=good note~ONCE")
        await until(pilot, lambda: rows(app) == 1)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.session.ended)
        assert isinstance(app.screen, RunScreen)
        assert "note #Good #b: once more" in app.screen.session.outcome()
        assert log == {path: path.read_bytes() for path in log}, "the log is not touched"


async def test_a_run_that_vanishes_while_its_note_is_typed_is_said_to(logs: Path) -> None:
    app = app_on(logs)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        assert isinstance(app.screen, ReviewScreen)
        assert app.screen.at_cursor is not None
        await pilot.press("n", "x")
        shutil.rmtree(app.screen_stack[-2].at_cursor.folder)  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: "can't be written" in said(app))


# Rerun and export


async def test_a_run_s_preset_is_opened_as_it_was_run_and_started(logs: Path) -> None:
    training = ScriptedTraining()
    app = RegtuiApp(logs, training=training, review=())
    expected = load(str(next(path for path in logs.glob("2*") if read_run(path).seed == 1) / "preset.toml"))
    async with app.run_test(size=(120, 36)) as pilot:
        try:
            await until(pilot, lambda: rows(app) == 3)
            await pilot.press("slash", *"seed=1", "enter", "r")
            await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
            await pilot.press("enter")
            await until(pilot, lambda: training.runs)
            assert training.runs == [expected]
        finally:
            training.close()


async def test_a_run_whose_preset_is_damaged_is_not_run_again(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in logs.glob("*/preset.toml"):
        path.write_text("[")
    monkeypatch.chdir(logs.parent)  # a path is a part of what is said
    app = app_on(Path(logs.name))
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        await pilot.press("r")
        await until(pilot, lambda: "preset.toml" in text_of(app).splitlines()[-2])
        assert isinstance(app.screen, ReviewScreen)


async def test_runs_are_exported_by_key_and_over_nothing(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(logs.parent)
    app = app_on(logs)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: rows(app) == 3)
        assert isinstance(app.screen, ReviewScreen)
        name = app.screen.selected[0].name
        await pilot.press("e", "h")
        await until(pilot, lambda: f"Written: {name}.html" in text_of(app))
        written = (logs.parent / f"{name}.html").read_bytes()
        await pilot.press("e", "h")
        await until(pilot, lambda: "exists and is not overwritten" in text_of(app))
        assert (logs.parent / f"{name}.html").read_bytes() == written
        await pilot.press("a", "e", "c")
        await until(pilot, lambda: "Written: 3 into export/csv" in text_of(app))
        assert len(list((logs.parent / "export" / "csv").iterdir())) == 3
