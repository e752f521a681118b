"""The formats that are read: each program's own layout gives the same series, whatever the file is called."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtui.errors import InputError, RegtuiError
from regtui.foreign.find import find_runs
from regtui.foreign.metric import better_of
from regtui.foreign.read import read_log
from regtui.foreign.seeds import join
from regtui.foreign.series import LoggedRun, Point
from regtui.text import is_shown
from tests import foreign_logs as logs
from tests.hostile import HOSTILE

CURVES = logs.curves(0.9, 1)


def read(path: Path) -> LoggedRun:
    (run,) = read_log(path, path.name)
    return run


def values(run: LoggedRun, metric: str) -> list[float]:
    return [point.value for point in run.series[metric]]


@pytest.mark.parametrize("name", ["metrics.csv", "log.txt", "no-ending"])
def test_lightning_s_rows_of_training_and_validation(tmp_path: Path, name: str) -> None:
    run = read(logs.lightning(tmp_path / name, CURVES))
    assert values(run, "val_acc") == CURVES["val_acc"]
    assert run.series["val_acc"][2][:2] == (2.0, 74.0)
    assert len(run.series["train_loss"]) == 6
    assert set(run.series) == {"train_loss", "val_acc", "val_loss"}


def test_a_trainer_s_state(tmp_path: Path) -> None:
    run = read(logs.hugging_face(tmp_path / "trainer_state.json", CURVES))
    assert values(run, "eval_accuracy") == CURVES["val_acc"]
    assert run.series["eval_loss"][-1] == Point(6.0, 150.0, CURVES["val_loss"][-1])


@pytest.mark.parametrize(("nested", "name"), [(False, "val_acc"), (True, "val.acc")])
def test_lines_of_json(tmp_path: Path, nested: bool, name: str) -> None:
    run = read(logs.json_lines(tmp_path / "log", CURVES, nested=nested))
    assert values(run, name) == CURVES["val_acc"]
    assert run.series[name][0][:2] == (1.0, None)


@pytest.mark.parametrize("as_tensor", [False, True])
def test_event_files(tmp_path: Path, as_tensor: bool) -> None:
    path = logs.tensorboard(tmp_path, CURVES, as_tensor=as_tensor)
    expected = pytest.approx(CURVES["val_acc"], abs=1e-7)
    assert values(read(path), "val_acc") == expected
    (run,) = find_runs([str(tmp_path)], "--baseline")
    assert values(run, "val_acc") == expected
    assert run.series["val_acc"][3][:2] == (None, 3.0)


def test_keras_keeps_the_event_files_of_a_run_in_two_folders(tmp_path: Path) -> None:
    for part in ("train", "validation"):
        logs.tensorboard(tmp_path / "run" / part, {"epoch_accuracy": CURVES["val_acc"]}, as_tensor=True)
    (run,) = find_runs([str(tmp_path / "run")], "--baseline")
    assert set(run.series) == {"train/epoch_accuracy", "validation/epoch_accuracy"}


def test_lightning_s_event_files_tell_epochs_as_a_scalar(tmp_path: Path) -> None:
    path = logs.tensorboard(tmp_path, CURVES | {"epoch": [0, 1, 2, 3, 4, 5]})
    assert [point.epoch for point in read(path).series["val_acc"]] == [0, 1, 2, 3, 4, 5]


def test_an_event_file_that_is_cut_short_tells_so(tmp_path: Path) -> None:
    path = logs.tensorboard(tmp_path, CURVES)
    path.write_bytes(path.read_bytes()[:-5])
    run = read(path)
    assert len(run.series["val_loss"]) == 5
    assert run.notes


def test_a_chart_of_w_and_b_has_several_runs(tmp_path: Path) -> None:
    of = {"base - seed 1": [0.1, 0.2, 0.3], "drop-seed-1": [0.2, 0.3]}
    path = logs.wandb_chart(tmp_path / "wandb_export_2026-10-01T12_00_00.000+02_00.csv", of)
    runs = read_log(path, "chart.csv")
    assert [run.name for run in runs] == ["chart.csv::base - seed 1", "chart.csv::drop-seed-1"]
    assert [values(run, "val_acc") for run in runs] == list(of.values())
    assert runs[1].series["val_acc"][1] == Point(None, 1.0, 0.3)
    (chosen,) = find_runs([f"{path}::drop*"], "--baseline")
    assert values(chosen, "val_acc") == [0.2, 0.3]


def test_this_program_s_own_runs(tmp_path: Path) -> None:
    path = logs.own_events(tmp_path / "run", 7, {"baseline": CURVES, "dropout": CURVES})
    runs = read_log(path, "events.jsonl")
    assert [run.name for run in runs] == ["events.jsonl::baseline", "events.jsonl::dropout"]
    assert runs[0].seed == 7
    assert values(runs[0], "val_accuracy") == CURVES["val_acc"]


def test_an_accuracy_that_was_not_measured_is_blank_and_one_that_is_not_finite_is_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("epoch,val_acc\n0,0.5\n1,\n2,nan\n")
    assert [(p.epoch, str(p.value)) for p in read(path).series["val_acc"]] == [(0.0, "0.5"), (2.0, "nan")]
    path.write_text(
        '{"epoch": 0, "val_acc": NaN}\n{"epoch": 1, "val_acc": null}\n{"epoch": 2, "val_acc": "Infinity"}\n'
    )
    assert [(p.epoch, str(p.value)) for p in read(path).series["val_acc"]] == [(0.0, "nan"), (2.0, "inf")]


def test_rows_that_say_what_they_are_measured_on(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("epoch,phase,acc\n0,train,0.6\n0,val,0.5\n1,train,0.8\n1,val,0.7\n")
    run = read(path)
    assert values(run, "val/acc") == [0.5, 0.7]
    assert values(run, "train/acc") == [0.6, 0.8]


def test_what_comes_after_a_resumption_replaces_what_was_later(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("epoch,val_acc\n0,0.1\n1,0.2\n2,0.3\n1,0.25\n2,0.35\n")
    run = read(path)
    assert values(run, "val_acc") == [0.1, 0.25, 0.35]
    assert run.notes


def test_trainings_one_after_the_other_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("epoch,val_acc\n0,0.1\n1,0.2\n0,0.15\n1,0.25\n")
    with pytest.raises(InputError, match="several trainings one after the other"):
        read_log(path, "log.csv")


@pytest.mark.parametrize("lines", [False, True])
def test_a_column_tells_runs_apart(tmp_path: Path, lines: bool) -> None:
    path = tmp_path / "log"
    rows = [{"seed": seed, "epoch": epoch, "val_acc": seed + epoch / 10} for seed in (3, 4) for epoch in (0, 1)]
    table = "seed,epoch,val_acc\n" + "".join("{seed},{epoch},{val_acc}\n".format(**row) for row in rows)
    path.write_text("\n".join(map(json.dumps, rows)) if lines else table)
    runs = read_log(path, "log")
    assert [(run.name, run.seed, values(run, "val_acc")) for run in runs] == [
        ("log::3", 3, [3.0, 3.1]),
        ("log::4", 4, [4.0, 4.1]),
    ]


def test_steps_that_begin_anew_in_each_epoch_are_no_resumption(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("epoch,step,val_acc\n0,0,0.1\n0,9,0.2\n1,0,0.3\n1,9,0.4\n")
    assert values(read(path), "val_acc") == [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_spreadsheet_s_table_with_a_mark_of_its_encoding(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"\ufeffepoch{delimiter}val_acc\r\n1{delimiter}0.5\r\n2{delimiter}0.6", newline="")
    assert values(read(path), "val_acc") == [0.5, 0.6]


def test_a_spreadsheet_s_numbers_with_a_comma_and_numpy_s_row_of_names(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("epoch;val_acc\n1;0,5\n2;0,625\n")
    assert values(read(path), "val_acc") == [0.5, 0.625]
    path.write_text("# epoch,val_acc\n1.0e+00,5.0e-01\n2.0e+00,6.25e-01\n")
    assert read(path).series == {"val_acc": [Point(1.0, None, 0.5), Point(2.0, None, 0.625)]}


@pytest.mark.parametrize("axis", ["Step", "epoch", "trainer/global_step", "Relative Time (Process)"])
def test_a_chart_by_another_axis_and_without_bounds(tmp_path: Path, axis: str) -> None:
    path = tmp_path / "chart.csv"
    path.write_text(f'"{axis}","base-1 - val_acc","base-2 - val_acc"\n"1","0.5",""\n"2","0.6","0.7"\n')
    first, second = read_log(path, "chart.csv")
    assert (values(first, "val_acc"), values(second, "val_acc")) == ([0.5, 0.6], [0.7])
    assert second.series["val_acc"][0][:2] == {"epoch": (2.0, None), "Relative Time (Process)": (None, None)}.get(
        axis, (None, 2.0)
    )


# What is no log


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"\x00\x01\x02\x03" * 40, "no text"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe\xff" * 9, "is not UTF-8"),
        ("epoch,val_acc\n1,0.5\n".encode("utf-16"), "UTF-16"),
        (b"epoch,val_acc\n", "no row of values"),
        (b"epoch,val_acc,step\n1,0.5", "no numbers but epochs"),
        (b"epoch,note\n1,good\n", "no numbers but epochs"),
        (b"0.1,0.2\n0.3,0.4\n", "a row of names"),
        (b"Name,State,val_acc\nbase,finished,0.9\n", "a row for each run"),
        (b"epoch,val_acc\n1,0.5,0.6,0.7\n", "row 2 has 4 cells"),
        (b'{"log_history": [], "epoch": 1}', "empty log_history"),
        (b'{"log_history": [{"epoch": 1.0, "eval_lo', "cut short"),
        (b'{"epoch": 1, "val_acc": 0.', "cut short"),
        (b'{"epoch": 1, "name": "x"}\n', "no numbers"),
        (b"[" * 100_000, "damaged JSON"),
        (b'a,b\n1,"' + b"x" * 200_000 + b'"\n', "damaged: field larger"),
    ],
)  # fmt: skip
def test_what_is_no_log_is_refused_in_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^log ") as refused:
        read_log(path, "log")
    assert words in str(refused.value)


def test_rows_that_are_all_shorter_than_the_names(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("epoch,val_acc,step\n0,0.5\n1,0.6\n")
    assert read(path).series == {"val_acc": [Point(0.0, None, 0.5), Point(1.0, None, 0.6)]}


def test_a_last_number_that_may_be_cut_short_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("epoch,val_acc\n0,0.5\n1,0.6")
    (note,) = read(path).notes
    assert "last row" in note


def test_a_row_that_is_cut_short_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("epoch,train_loss,val_acc\n0,1,0.5\n1,1,0.6\n2,0.9")
    run = read(path)
    assert len(run.series["train_loss"]) == 2
    assert run.notes == ("its last row is cut short, left out",)


@given(content=st.binary(max_size=200) | st.text('epoch,val_ac\n0.19nai;{}[]":-_', max_size=200).map(str.encode))
def test_any_bytes_are_a_log_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    check_reading(path)


@given(cut=st.integers(0, 2000), byte=st.integers(0, 255), kind=st.sampled_from(["csv", "json", "events", "lines"]))
def test_any_damage_to_a_log_is_a_log_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, cut: int, byte: int, kind: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    write: dict[str, Callable[[], Path]] = {
        "csv": lambda: logs.lightning(folder / "m.csv", CURVES),
        "json": lambda: logs.hugging_face(folder / "s.json", CURVES),
        "events": lambda: logs.tensorboard(folder, CURVES),
        "lines": lambda: logs.json_lines(folder / "l.jsonl", CURVES),
    }
    path = write[kind]()
    content = path.read_bytes()
    at = cut % len(content)
    path.write_bytes(content[:at] + bytes([byte]) + content[at + 1 : at + 1 + cut])
    check_reading(path)


def check_reading(path: Path) -> None:
    said, runs = "", []
    try:
        runs = read_log(path, path.name)
    except RegtuiError as error:
        said = str(error)
    assert runs or said
    for run in runs:
        assert run.series
        assert all(run.series.values())
    texts = [said, *(text for run in runs for text in (run.name, *run.series, *run.notes))]
    assert all(is_shown(c) for text in texts for c in text)


def test_names_that_steer_a_terminal_are_shown_as_text(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"epoch": 1, HOSTILE: 0.5}))
    check_reading(path)
    chart = logs.wandb_chart(tmp_path / "chart.csv", {HOSTILE.replace("\r\n", ""): [0.5]})
    check_reading(chart)


# Files by pattern and folder


def test_a_folder_stands_for_the_logs_in_it(tmp_path: Path) -> None:
    logs.two_sides(tmp_path, 3)
    assert [run.name for run in find_runs([str(tmp_path / "base_*")], "--baseline")] == [
        str(tmp_path / f"base_seed{seed}" / "metrics.csv") for seed in range(3)
    ]
    assert len(find_runs([str(tmp_path)], "--baseline")) == 6


def test_the_current_folder_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs.two_sides(tmp_path, 1)
    monkeypatch.chdir(tmp_path / "base_seed0")
    (run,) = find_runs(["."], "--baseline")
    assert run.name == str(tmp_path / "base_seed0" / "metrics.csv")


def test_the_last_checkpoint_of_a_trainer_has_its_whole_history(tmp_path: Path) -> None:
    for step in (50, 150, 1000):
        logs.hugging_face(tmp_path / f"checkpoint-{step}" / "trainer_state.json", CURVES)
    (run,) = find_runs([str(tmp_path)], "--baseline")
    assert "checkpoint-1000" in run.name


def test_patterns_that_overlap_name_a_run_once(tmp_path: Path) -> None:
    logs.two_sides(tmp_path, 3)
    named = [str(tmp_path / "base_*"), str(tmp_path / "*seed1" / ".." / "base_seed1" / "metrics.csv")]
    assert len(find_runs(named, "--baseline")) == 3


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("nothing_*/metrics.csv", "nothing has a name of that pattern"),
        ("nothing.csv", "there is no such file"),
        ("", "needs a file"),
        ("a\0b", "there is no such file"),
        ("empty", "no log is in that folder"),
        ("two", "several logs"),
        ("chart.csv::other*", "no run of that name is there, but 'base'"),
    ],
)
def test_a_pattern_that_names_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name in "ab":
        logs.json_lines(tmp_path / "two" / f"{name}.jsonl", CURVES)
    logs.wandb_chart(tmp_path / "chart.csv", {"base": [0.5, 0.6]})
    with pytest.raises(InputError) as refused:
        find_runs([pattern], "--baseline")
    assert words in str(refused.value)


# Names


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("val_acc", "higher"), ("eval/accuracy", "higher"), ("valTop1", "higher"), ("test_f1", "higher"),
        ("metrics/mAP50", "higher"), ("val.r2", "higher"), ("val_loss", "lower"), ("eval_wer", "lower"),
        ("Loss/val", "lower"), ("perplexity", "lower"), ("val_rmse", "lower"), ("brier_score", "lower"),
        ("neg_loss", None), ("neg_mean_squared_error", None), ("score", None), ("val_acc_loss", None), ("lr", None),
        ("accumulated", None), ("lossless", None),
    ],
)  # fmt: skip
def test_what_is_better_as_the_name_tells(name: str, better: str | None) -> None:
    assert better_of(name) == better


def runs_called(*names: str) -> list[LoggedRun]:
    return [LoggedRun(name, Path("/nowhere") / name, {"val_acc": [Point(1, None, 0.5)]}) for name in names]


@pytest.mark.parametrize(
    ("first", "second", "what", "keys"),
    [
        (["base_seed1/m.csv", "base_seed2/m.csv"], ["drop_seed2/m.csv", "drop_seed1/m.csv"], "seed", [1, 2, 2, 1]),
        (["a/seed=10,lr=0.1/m", "a/seed=3,lr=0.1/m"], ["b/seed=3/m", "b/seed=10/m"], "seed", [10, 3, 3, 10]),
        (["base-s1.csv", "base-s2.csv"], ["drop-s1.csv", "drop-s2.csv"], "seed", [1, 2, 1, 2]),
        (["base_0/m.csv", "base_1/m.csv"], ["drop_0/m.csv", "drop_1/m.csv"], "number", [0, 1, 0, 1]),
        (["/s3/base_0/m", "/s3/base_1/m"], ["/s3/drop_0/m", "/s3/drop_1/m"], "number", [0, 1, 0, 1]),
        (["c::base-seed-4", "c::base-seed-5"], ["c::drop-seed-4", "c::drop-seed-5"], "seed", [4, 5, 4, 5]),
    ],
)  # fmt: skip
def test_names_tell_the_seed(first: list[str], second: list[str], what: str, keys: list[int]) -> None:
    joined = join(runs_called(*first), runs_called(*second))
    assert joined is not None
    assert joined.what == what
    assert [joined.keys[name] for name in (*first, *second)] == keys


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["base/version_0/m.csv", "base/version_1/m.csv"], ["drop/version_0/m.csv", "drop/version_1/m.csv"]),
        (["imperial-droid-52", "lucky-sun-53"], ["wild-bird-54", "old-sea-55"]),
        (["base_1/2.csv", "base_2/1.csv"], ["drop_1/2.csv", "drop_2/1.csv"]),
        (["base_seed1.csv", "base.csv"], ["drop_seed1.csv", "drop_seed2.csv"]),
        (["base_1/m.csv", "base_3/m.csv"], ["drop_0.1/m.csv", "drop_0.3/m.csv"]),
        (["base_1/m.csv", "base_2/m.csv"], ["drop_1.5/m.csv", "drop_2.5/m.csv"]),
        (["base_10/m.csv", "base_20/m.csv"], ["drop_epochs10/m.csv", "drop_epochs20/m.csv"]),
    ],
)
def test_names_that_tell_no_seed(first: list[str], second: list[str]) -> None:
    assert join(runs_called(*first), runs_called(*second)) is None


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("hparams.yaml", "lr: 0.001\nseed: {}\n"),
        ("config.yaml", "_wandb:\n    value: 1\nseed:\n    desc: null\n    value: {}\n"),
        (".hydra/config.yaml", "trainer:\n  seed: 99\nseed: {}  # of all\n"),
        ("config.json", '{{"seed": {}}}'),
    ],
)
def test_settings_beside_a_log_tell_the_seed(tmp_path: Path, file: str, text: str) -> None:
    sides: list[list[LoggedRun]] = []
    for side in ("base", "drop"):
        for index, seed in enumerate((11, 22)):
            folder = tmp_path / side / f"version_{index}"
            logs.lightning(folder / "metrics.csv", CURVES)
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text.format(seed))
        sides.append(find_runs([str(tmp_path / side)], "--baseline"))
    joined = join(*sides)
    assert joined is not None
    assert sorted(joined.keys.values()) == [11, 11, 22, 22]


def test_settings_beside_several_runs_are_of_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"seed": 42}')
    logs.wandb_chart(tmp_path / "chart.csv", {name: [0.5, 0.6] for name in ("sun", "moon", "sea", "sky")})
    sides = [find_runs([f"{tmp_path}/chart.csv::{start}*"], "--baseline") for start in ("[m]*", "[s]u")]
    assert join(*sides) is None


def test_a_loss_that_is_not_finite_in_an_own_log_is_nan(tmp_path: Path) -> None:
    path = logs.own_events(tmp_path, 1, {"baseline": {"val_acc": [0.5], "val_loss": [math.nan]}})
    assert math.isnan(values(read_log(path, "e")[0], "val_loss")[0])
