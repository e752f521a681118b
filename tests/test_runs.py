"""Saved runs: found, read whatever state their files are in, kept in an index that is never trusted over them."""

from __future__ import annotations

import json
import os
import pickle
import platform
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from regtui.cli.find import find_saved
from regtui.errors import InputError
from regtui.runs.find import FILES, MAX_DEPTH, STUDY, find_run, find_runs
from regtui.runs.index import NAME, _checksum, read_runs
from regtui.runs.info import RunInfo
from regtui.runs.read import read_run
from regtui.study.folder import find_study
from tests.bench.runs import write_run

ENDED = 1000
"""Finished runs get numbers from here."""


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Three finished runs; what else a test puts there is its own."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for number in range(3):
        write_run(folder, ENDED + number)
    return folder


def first(logs: Path) -> Path:
    return min(logs.glob("2*"))


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of everything below, but the index."""
    return {
        str(path): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.name != NAME
    }


def fail_to_scan(monkeypatch: pytest.MonkeyPatch, closed: Path) -> None:
    """No permission to look into `closed`; root, as whom tests may run, always has it."""

    def guarded(work: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(path: Any) -> Any:
            if Path(path) == closed:
                raise PermissionError(13, "Permission denied", str(path))
            return work(path)

        return call

    monkeypatch.setattr(os, "scandir", guarded(os.scandir))
    monkeypatch.setattr(os, "listdir", guarded(os.listdir))


# Finding


def test_runs_are_found_in_nested_folders_and_nothing_else_is(logs: Path, tmp_path: Path) -> None:
    (logs / "a" / "b").mkdir(parents=True)
    write_run(logs / "a" / "b", 1)
    other = tmp_path / "logs" / "other"
    (other / "src").mkdir(parents=True)
    (other / "summary.json").write_text("{}")
    (other / "src" / "x.py").write_text("")
    found = list(find_runs(logs))
    assert len(found) == 4
    assert {path.parent for path in found} == {logs, logs / "a" / "b"}
    assert list(find_runs(found[0])) == [found[0]]
    assert list(find_runs(other)) == []


def test_no_run_is_looked_for_too_deep(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"abcdefgh"[:MAX_DEPTH])
    deep.mkdir(parents=True)
    write_run(deep, 1)
    assert list(find_runs(tmp_path)) == []
    assert len(list(find_runs(tmp_path / "a"))) == 1


def test_links_in_a_circle_trap_nobody_and_double_nothing(logs: Path) -> None:
    (logs / "loop").symlink_to(logs, target_is_directory=True)
    (logs / "self").symlink_to(logs / "self")
    (logs / "gone").symlink_to(logs / "nowhere")
    (logs / "again").symlink_to(first(logs), target_is_directory=True)
    assert len(list(find_runs(logs))) == 3


def test_a_folder_that_can_t_be_read_is_passed_over_with_a_word(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (logs / "closed").mkdir()
    fail_to_scan(monkeypatch, logs / "closed")
    words: list[str] = []
    assert len(list(find_runs(logs, words.append))) == 3
    assert words == [f"{logs / 'closed'}: passed over, it can't be read (Permission denied)"]


def test_a_run_that_can_t_be_read_is_listed_as_damaged(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_to_scan(monkeypatch, first(logs))
    run = read_runs(logs)[-1]
    assert (run.folder, run.status) == (first(logs), "damaged")
    assert run.fault == "the folder can't be read (Permission denied)"
    assert run.started.year == 2023


# Resolving


def test_a_run_is_meant_by_its_folder_and_by_a_unique_beginning(logs: Path) -> None:
    runs = sorted(find_runs(logs))
    assert find_run(str(runs[1]), Path("nowhere")) == runs[1]
    assert all(find_run(run.name, logs) == run for run in runs)
    assert find_run(runs[1].name[:-3], logs) == runs[1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("2023", "begins the names of 3 runs"),
        ("20241114", "did you mean '2023"),
        ("", "did you mean"),
        ("\x1b[", "no run"),
    ],
)
def test_a_name_that_means_none_or_several_is_refused_with_candidates(logs: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match="run") as error:
        find_run(text, logs)
    assert sentence in str(error.value)
    assert str(error.value).isprintable()


def test_of_a_path_it_is_said_that_there_is_no_such_folder(logs: Path) -> None:
    for text in (str(logs / "2023"), "nothere/", f"..{os.sep}no-run-is-called-so"):
        with pytest.raises(InputError, match=r"^'.*': there is no such folder; name"):
            find_run(text, logs)
    for path in (logs, first(logs) / "run.json"):
        with pytest.raises(InputError, match="is no run's folder; name"):
            find_run(str(path), logs)


@pytest.mark.parametrize("what", ["run", "study"])
@pytest.mark.parametrize("typed", [".", "..", "below/..", "link", "link/", "name/", "./name", "name"])
def test_a_path_that_does_not_say_which_folder_it_is_becomes_one_that_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, typed: str
) -> None:
    folder = tmp_path / "logs" / "name"
    (folder / "below").mkdir(parents=True)
    for name in FILES if what == "run" else [STUDY]:
        (folder / name).touch()
    (tmp_path / "logs" / "link").symlink_to(folder)
    here = {".": folder, "..": folder / "below", "below/..": folder}.get(typed, folder.parent)
    monkeypatch.chdir(here)
    finders = (find_saved, find_run) if what == "run" else (find_saved, find_study)
    for find in finders:
        found = find(typed, tmp_path / "logs")
        assert found.samefile(folder)
        assert found.name == "name"
        assert found.is_absolute() is ("name" not in typed), "what was typed stays, if it says it"


def test_where_there_are_no_runs_the_name_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are no runs in"):
        find_run("x", tmp_path / "none")


# Reading


def test_a_finished_run_tells_what_its_files_tell(logs: Path) -> None:
    folder = first(logs)
    summary = json.loads((folder / "summary.json").read_text())
    run = read_run(folder)
    assert (run.fault, run.status, run.preset, run.device) == ("", "finished", "dropout", "cpu")
    assert (run.seed, run.epochs, run.name) == (ENDED, 10, folder.name)
    assert run.started.strftime("%Y%m%d-%H%M%S") == folder.name[:15]
    for arm in ("baseline", "regularized"):
        assert run.figures(arm).best_val_loss == summary["arms"][arm]["best_val_loss"]
        assert run.figures(arm).test_metric == summary["arms"][arm]["test"]["accuracy"]
        assert run.fields[f"arms.{arm}.final.val_loss"] == summary["arms"][arm]["final"]["val_loss"]
    table = summary["comparisons"]["regularized"]
    assert run.difference == pytest.approx((table["only_arm"] - table["only_baseline"]) / 100)
    assert run.fields["regularized.dropout.rate"] == 0.5
    assert run.fields["model.hidden"] == "[256,128]"
    assert pickle.loads(pickle.dumps(run)) == run


def test_a_list_leaves_out_long_texts_and_the_hashes_that_prove_the_arms_equal(logs: Path) -> None:
    pairing = {"initial_weights": {"baseline": "a"}, "data": {"baseline": "b"}, "unpaired_because": "different data"}
    change(first(logs) / "summary.json", pairing=pairing)
    fields = read_run(first(logs)).fields
    assert {key: value for key, value in fields.items() if key.startswith("pairing.")} == {
        "pairing.data.baseline": "b",
        "pairing.unpaired_because": "different data",
    }
    assert not {"title", "summary"} & fields.keys()


def test_a_tab_in_a_preset_is_shown_as_an_escape(logs: Path) -> None:
    preset = first(logs) / "preset.toml"
    preset.write_text(preset.read_text().replace('"dropout"', '"drop\tout"'))
    (first(logs) / "run.json").unlink()
    (first(logs) / "summary.json").unlink()
    assert read_run(first(logs)).fields["name"] == "drop\\tout"


@pytest.mark.parametrize(
    ("only_baseline", "only_arm", "verdict"),
    [(100, 160, "more"), (160, 100, "fewer"), (100, 101, "undecided"), (0, 0, "undecided"), (-1, 5, "none")],
)
def test_the_verdict_is_that_of_the_paired_test(logs: Path, only_baseline: int, only_arm: int, verdict: str) -> None:
    table = {"both_right": 9600, "only_baseline": only_baseline, "only_arm": only_arm, "both_wrong": 9}
    change(first(logs) / "summary.json", comparisons={"regularized": table})
    assert read_run(first(logs)).verdict == verdict
    change(first(logs) / "summary.json", pairing={"unpaired_because": "different weights"})
    assert read_run(first(logs)).verdict == "none"


@pytest.mark.parametrize("status", ["finished", "stopped", "diverged", "failed"])
def test_a_summary_tells_the_status(logs: Path, status: str) -> None:
    change(first(logs) / "summary.json", status=status)
    if status == "diverged":
        arms = json.loads((first(logs) / "summary.json").read_text())["arms"]
        arms["baseline"]["stop_reason"] = "non_finite"
        change(first(logs) / "summary.json", arms=arms)
    run = read_run(first(logs))
    assert (run.status, run.fields["status"]) == (status, status)
    assert (run.verdict == "none") == (status in {"diverged", "failed"})


def test_without_summary_a_run_goes_on_while_its_process_lives_and_writes(logs: Path) -> None:
    folder = first(logs)
    (folder / "summary.json").unlink()
    assert read_run(folder).status == "running"  # of another host, and just written
    for name in ("run.json", "events.jsonl"):
        os.utime(folder / name, (0, 0))
    assert read_run(folder).status == "interrupted"
    os.utime(folder / "events.jsonl")
    change(folder / "run.json", host=platform.node(), pid=os.getpid())
    assert (read_run(folder).status, read_run(folder).verdict) == ("running", "")
    for name in ("run.json", "events.jsonl"):
        os.utime(folder / name, (0, 0))
    assert read_run(folder).status == "interrupted"
    os.utime(folder / "events.jsonl")
    assert read_run(folder).status == "running"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    if sys.platform == "linux":  # ended, but nobody has asked how: the number is still taken
        change(folder / "run.json", pid=gone.pid)
        stat = Path(f"/proc/{gone.pid}/stat")
        while " Z " not in stat.read_text():
            time.sleep(0.01)
        assert read_run(folder).status == "interrupted"
    gone.wait()
    for pid in (gone.pid, 0, -1, True, "1", None, 10**30):
        change(folder / "run.json", pid=pid)
        assert read_run(folder).status == "interrupted"


@pytest.mark.parametrize("name", FILES)
def test_a_run_without_one_of_its_files_is_listed_with_a_word(logs: Path, name: str) -> None:
    (first(logs) / name).unlink()
    for path in first(logs).iterdir():
        os.utime(path, (0, 0))
    run = read_runs(logs)[-1]
    assert run.folder == first(logs)
    assert run.status == ("interrupted" if name == "summary.json" else "finished")
    assert run.fault == ("" if name == "summary.json" else f"no {name}")
    assert (run.seed, run.preset) == (ENDED, "dropout")


@pytest.mark.parametrize("name", FILES[:3])
@pytest.mark.parametrize(
    "content", [b"", b"\x00\x1b]0;x\x07" * 50, b"[" * 100_000, b"[]", b"9" * 5000, b"\xff\xfe", b"{"]
)
def test_a_file_of_rubbish_is_a_word_beside_the_run(logs: Path, name: str, content: bytes) -> None:
    if name == "preset.toml" and content == b"[]":
        content = b"x = 1\nx = 2"
    (first(logs) / name).write_bytes(content)
    run = read_run(first(logs))
    assert run.fault.partition(":")[0] == f"{name} is {'damaged' if content else 'empty'}"
    assert run.status == ("damaged" if name == "summary.json" else "finished")


@pytest.mark.parametrize("name", FILES[:3])
def test_a_file_cut_at_any_byte_stops_nothing(logs: Path, name: str) -> None:
    folder = first(logs)
    whole = (folder / name).read_bytes()
    for length in range(0, len(whole), 7):
        (folder / name).write_bytes(whole[:length])
        run = read_run(folder)
        assert run.fault or name == "preset.toml" or not whole[length:].strip()
        assert run.started.year == 2023


def test_wild_values_are_shown_or_left_out(logs: Path) -> None:
    folder = first(logs)
    (folder / "preset.toml").write_text(
        'name = "\\u001b[31m"\nday = 2020-01-01\nn = nan\ni = inf\nl = [1e5, "x"]\nh = 0x' + "f" * 9999 + "\n"
        f"g = [0x{'f' * 9999}]\na{'.a' * 10} = 1\n"
    )
    arms = {"baseline": {"best_val_loss": "low", "epochs": 2.5, "test": 3}, "regularized": [1]}
    change(folder / "summary.json", seed=10**400, device=["cpu"], preset=None, arms=arms, paired_test=[], pairing=1)
    change(folder / "run.json", started="9999-12-31T23:59:59-12:00", seed=True)
    run = read_run(folder)
    assert (run.status, run.fault, run.verdict, run.difference) == ("finished", "", "none", None)
    assert (run.seed, run.epochs, run.baseline.best_val_loss, run.other.test_metric) == (None, None, None, None)
    assert run.started.year == 2023
    text = (folder / "summary.json").read_text().replace('"status"', '"a": 1e999, "b": NaN, "status"')
    (folder / "summary.json").write_text(text)
    assert not {"a", "b", "n", "i", "h", "g"} & read_run(folder).fields.keys()


@pytest.mark.parametrize("name", ["summary.json", "run.json", "preset.toml"])
@pytest.mark.parametrize("schema", [3, "two"])
def test_a_log_of_a_later_version_is_listed_with_a_word(logs: Path, name: str, schema: object) -> None:
    path = first(logs) / name
    if name == "preset.toml":
        path.write_text(path.read_text().replace("schema = 1", f"schema = {json.dumps(schema)}"))
    else:
        change(path, schema=schema, new={"field": 1})
    run = read_run(first(logs))
    assert (run.status, run.seed, run.fault) == ("finished", ENDED, f"{name} is from a later version")


def test_what_is_no_regular_file_is_not_opened(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FILES:
        (first(logs) / name).unlink()
        os.mkfifo(first(logs) / name)
    assert read_run(first(logs)).fault == "; ".join(f"{name} is no file" for name in FILES)
    monkeypatch.setattr("regtui.runs.files.MAX_BYTES", 100)
    assert "summary.json is too large" in read_run(read_runs(logs)[0].folder).fault


def test_events_of_200_mb_are_not_read(logs: Path) -> None:
    os.truncate(first(logs) / "events.jsonl", 200_000_000)  # a file of holes: to read it would take a while
    (first(logs) / "events.jsonl").chmod(0)
    assert read_runs(logs)[-1].status == "finished"


def test_reading_changes_nothing_but_the_index(logs: Path) -> None:
    (first(logs) / "summary.json").unlink()
    before = snapshot(logs)
    read_runs(logs)
    read_runs(logs)
    assert snapshot(logs).keys() == before.keys()
    assert {k: v for k, v in snapshot(logs).items() if k != str(logs)} == before
    own = snapshot(first(logs))
    assert len(read_runs(first(logs))) == 1
    assert snapshot(first(logs)) == own
    assert not (first(logs) / NAME).exists()


# The index


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which runs are read from their files."""
    seen: list[Path] = []

    def read(folder: Path) -> RunInfo:
        seen.append(folder)
        return read_run(folder)

    monkeypatch.setattr("regtui.runs.index.read_run", read)
    return seen


def test_what_the_index_tells_equals_what_the_files_tell(logs: Path, reads: list[Path]) -> None:
    from_files = read_runs(logs)
    assert len(reads) == 3
    assert read_runs(logs) == from_files
    assert len(reads) == 3
    assert [run.name for run in from_files] == sorted((run.name for run in from_files), reverse=True)


@pytest.mark.parametrize("name", FILES)
def test_a_run_is_read_anew_when_one_of_its_files_changed(logs: Path, reads: list[Path], name: str) -> None:
    read_runs(logs)
    reads.clear()
    path, status = first(logs) / name, (first(logs) / name).stat()
    path.write_text(path.read_text().replace("1", "2"))  # of the same size
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    read_runs(logs)
    assert reads == [first(logs)]


def test_runs_that_go_on_or_have_a_fault_are_read_each_time(logs: Path, reads: list[Path]) -> None:
    running, faulty, whole = sorted(logs.glob("2*"))
    (running / "summary.json").unlink()
    change(running / "run.json", host=platform.node(), pid=os.getpid())
    (faulty / "preset.toml").unlink()
    for _ in range(3):
        read_runs(logs)
    assert reads.count(running) == reads.count(faulty) == 3
    assert reads.count(whole) == 1


def test_removed_runs_leave_the_index(logs: Path) -> None:
    read_runs(logs)
    shutil.rmtree(first(logs))
    assert len(read_runs(logs)) == 2
    with sqlite3.connect(logs / NAME) as index:
        assert index.execute("SELECT count(*) FROM runs").fetchone() == (2,)
    index.close()


def spoil_cut(path: Path) -> None:
    os.truncate(path, 5000)


def spoil_text(path: Path) -> None:
    path.write_text("notes of somebody's\n")


def spoil_foreign(path: Path) -> None:
    path.unlink()
    execute("CREATE TABLE runs (theirs)", path)


def execute(statement: str, path: Path) -> None:
    index = sqlite3.connect(path)
    index.execute(statement)
    index.commit()
    index.close()


def spoil_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def spoil_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def spoil_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent.parent / "elsewhere")


def spoil_view(path: Path) -> None:
    execute("ALTER TABLE runs RENAME TO theirs", path)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i, i, i FROM n"
    execute(f"CREATE VIEW runs AS {endless}", path)


def spoil_journal(path: Path) -> None:
    os.mkfifo(f"{path}-journal")


def spoil_schema(path: Path, bad: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE runs", b"CREATE TABLE " + bad))


def forge(path: Path, started: object = 1.7e9, status: object = "finished", fields: object = ()) -> None:
    """An index whose rows have the right checksums, and hold what they should not."""
    index = sqlite3.connect(path)
    for key, signature in index.execute("SELECT path, signature FROM runs").fetchall():
        content = json.dumps([started, status, dict(fields) if fields == () else fields])
        checksum = _checksum(key, signature.encode(), content.encode())
        index.execute("UPDATE runs SET content = ?, checksum = ? WHERE path = ?", (content, checksum, key))
    index.commit()
    index.close()


SPOILERS: dict[str, Callable[[Path], None]] = {
    "not at all": lambda _path: None,
    "cut": spoil_cut,
    "content": partial(execute, "UPDATE runs SET content = '[1.0, \"finished\"'"),
    "types": partial(execute, "UPDATE runs SET content = x'ff', signature = 3"),
    "folder": spoil_folder,
    "pipe": spoil_pipe,
    "link": spoil_link,
    "view": spoil_view,
    "trigger": partial(execute, "CREATE TRIGGER t AFTER DELETE ON runs BEGIN DELETE FROM runs; END"),
    "older": partial(execute, "PRAGMA user_version = 1"),
    "schema": partial(spoil_schema, bad=b"/a/a"),
    "schema that is no text": partial(spoil_schema, bad=b"\x80 \xff\xff"),
    "journal": spoil_journal,
    "a late start": partial(forge, started=1e300),
    "no start": partial(forge, started=None),
    "another status": partial(forge, status="won"),
    "a status that is none": partial(forge, status=[]),
    "a number too large": partial(forge, fields={"seed": 10**400}),
    "infinity": partial(forge, fields={"test.difference": float("inf")}),
    "a list for a field": partial(forge, fields={"preset": ["a"]}),
    "no fields": partial(forge, fields=[1]),
    "nested": partial(execute, f"UPDATE runs SET content = '{'[' * 100_000}'"),
    "blob": partial(execute, "UPDATE runs SET content = zeroblob(1000000), checksum = zeroblob(16)"),
}
NOT_OURS: dict[str, Callable[[Path], None]] = {
    "text": spoil_text,
    "foreign": spoil_foreign,
    "version": partial(execute, "PRAGMA user_version = 99"),
}


@pytest.mark.parametrize("how", [*SPOILERS, *NOT_OURS])
def test_an_index_that_can_t_be_used_is_ignored(logs: Path, how: str) -> None:
    expected = read_runs(logs)
    (SPOILERS | NOT_OURS)[how](logs / NAME)
    before = (logs / NAME).read_bytes() if how in NOT_OURS else b""
    assert read_runs(logs) == expected
    assert read_runs(logs) == expected
    assert how not in NOT_OURS or (logs / NAME).read_bytes() == before, "what is not ours stays as it was"
    assert not (logs.parent / "elsewhere").exists()


def test_a_byte_changed_anywhere_in_the_index_changes_nothing_that_is_listed(logs: Path) -> None:
    expected = read_runs(logs)
    content, draw = (logs / NAME).read_bytes(), random.Random(0)
    number = content.index(b'"test.difference":') + len(b'"test.difference":')
    for place in [number, number + 1, number + 2, *(draw.randrange(len(content)) for _ in range(100))]:
        changed = bytearray(content)
        changed[place] ^= 1 << draw.randrange(8)
        (logs / NAME).write_bytes(changed)
        assert read_runs(logs) == expected


def test_what_a_terminal_would_obey_is_cleaned_in_what_an_index_holds(logs: Path) -> None:
    read_runs(logs)
    forge(logs / NAME, fields={"preset\n": "\x1b]0;PWNED\x07\u202e"})
    assert [run.fields for run in read_runs(logs)] == [{"preset\\n": "\\x1b]0;PWNED\\x07\\u202e"}] * 3


@pytest.mark.parametrize("how", ["view", "trigger", "older", "schema", "schema that is no text", "content", "types"])
def test_an_index_that_was_ours_is_made_anew(logs: Path, reads: list[Path], how: str) -> None:
    read_runs(logs)
    SPOILERS[how](logs / NAME)
    read_runs(logs)
    reads.clear()
    read_runs(logs)
    assert reads == []


def test_a_locked_index_is_ignored(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_runs(logs)
    monkeypatch.setattr("regtui.runs.index._WAIT", 0.01)
    index = sqlite3.connect(logs / NAME, isolation_level=None)
    index.execute("BEGIN EXCLUSIVE")
    assert read_runs(logs) == expected
    index.close()


def test_where_nothing_can_be_written_the_files_are_read(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr("regtui.runs.index._opened", refuse)
    assert len(read_runs(logs)) == 3
    assert not (logs / NAME).exists()


def test_processes_that_list_at_once_do_not_disturb_each_other(logs: Path) -> None:
    for number in range(200):
        write_run(logs, number)
    code = "import sys, pathlib, regtui.runs.index as i; print(len(i.read_runs(pathlib.Path(sys.argv[1]))))"
    commands = [subprocess.Popen([sys.executable, "-c", code, str(logs)], stdout=subprocess.PIPE) for _ in range(3)]
    assert [process.communicate(timeout=300)[0] for process in commands] == [b"203\n"] * 3
    assert len(read_runs(logs)) == 203


def test_a_name_that_is_no_utf_8_is_listed(logs: Path) -> None:
    os.rename(os.fsencode(first(logs)), os.fsencode(logs) + b"/\xff\x1b[2J\n-run")  # noqa: PTH104
    assert read_runs(logs) == read_runs(logs)
    assert len(read_runs(logs)) == 3
