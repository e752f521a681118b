"""Input that can't be used: each is answered by a sentence and exit code 2, and leaves nothing behind."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from regtui.arm.device import resolve
from regtui.errors import InputError
from tests.command import TINY, Outcome, call, run

Call = Callable[..., Outcome]

DEEP = "[" * 100_000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the command is called in, with a preset that is good."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path


@pytest.fixture
def refused(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """Calls the command and returns its sentences; looks that nothing is left behind."""

    def refuse(*args: str | Path) -> list[str]:
        before = sorted(folder.rglob("*"))
        faults = call(args, capsys, monkeypatch).faults()
        assert sorted(folder.rglob("*")) == before
        return faults

    return refuse


Refused = Callable[..., list[str]]


# The command line


def test_json_goes_with_headless(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert refused("--preset", "tiny.toml", "--json") == ["--json is for runs without the screen: add --headless"]


def test_a_comparison_has_a_letter_for_each_run(refused: Refused) -> None:
    (fault,) = refused("review", *(f"run{n}" for n in range(27)))
    assert fault == "27 runs are named, and at most 26 fit in one comparison; name fewer, or their folder"


def test_a_fault_is_blamed_on_the_option_that_brought_it(refused: Refused) -> None:
    faults = refused(
        "--preset", "tiny.toml", "--set", "regularized.dropout.rate=1.0", "--epochs", "0", "--set", "a.b=3"
    )
    assert [fault.partition(": ")[0] for fault in faults] == [
        "--epochs 0", "--set regularized.dropout.rate=1.0", "--set a.b=3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("data.root=~nobody-here/x", "data.root = ~nobody-here/x: there is no home of that user"),
        ('data.root="a\\u0000b"', "MNIST is not in data.root"),
        ("train.batch_size=1000000000000000000000000000000", "must be at most 1,000,000"),
        ("regularized.l1.strength=1e300", "must be at most 1e+06"),
    ],
)
def test_a_value_that_can_t_be_used_is_refused_before_training(refused: Refused, setting: str, words: str) -> None:
    (fault,) = refused("--preset", "tiny.toml", "--set", setting)
    assert words in fault


def test_a_name_too_long_for_a_file_is_a_sentence(refused: Refused) -> None:
    assert len(refused("--preset", "a" * 5000)[0]) < 500
    assert (
        "runs can't be saved here (File name too long)" in refused("--preset", "tiny.toml", "--log-dir", "a" * 300)[0]
    )


# The preset


def test_an_unknown_preset_is_answered_with_the_nearest(refused: Refused) -> None:
    (fault,) = refused("--headless", "--preset", "dropuot")
    assert fault.startswith("there is no preset 'dropuot'; did you mean 'dropout'? Known are ")
    (fault,) = refused("--headless", "--preset", "qqq")
    assert fault.startswith("there is no preset 'qqq'. Known are ")
    (fault,) = refused("presets", "show", "dropuot")
    assert "did you mean 'dropout'?" in fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[train]\nepochz = 3", r"train\.epochz: is not known here; did you mean 'epochs'\?"),
        ("[regularized.dropuot]", r"regularized\.dropuot: is not known here; did you mean 'dropout'\?"),
        ('[train]\nepochs = "10"', r"train\.epochs: must be a whole number, not '10'; write 10"),
        ("[regularized.dropout]\nrate = 1.0", r"regularized\.dropout\.rate: must be less than 1, not 1\.0"),
        ("[regularized.l1]\nstrength = -1e-4", r"regularized\.l1\.strength: must be at least 0, not -0\.0001"),
        ("[model]\nhidden = [0]", r"model\.hidden\.0: must be at least 1, not 0"),
        ("[data]\ntrain_samples = 50000", r"data\.train_samples: 50,000 is more than the 48,000 images .*"),
        ("[data]\nval_fraction = 0", r"data\.val_fraction: must be greater than 0, not 0"),
        ("[data]\nval_fraction = 1", r"data\.val_fraction: must be less than 1, not 1"),
        (
            "[data]\ntrain_samples = 65\n[regularized.batch_norm]",
            r"regularized\.batch_norm: .* a batch of one, .*; change train\.batch_size",
        ),
        ('[train]\ndevice = "gpu"', r"train\.device: must be auto, cpu, cuda, cuda:N or mps, not 'gpu'"),
        ("[train\nepochs = 3", r"line 1: a table's name stands in brackets: write \[train\]"),
        ("epochs == 3", r"line 1: one '=' is enough: write = 3"),
        ("a = 1\na = 2", r"line 2: 'a = 2' is there a second time; keep one of the two"),
        (f"hidden = {DEEP}", r"this is nested too deeply; .*"),
        (f"hidden = {'[' * 300}{']' * 300}", r"hidden: is not known here; .*|this is nested .*"),
        (f"[train]\nepochs = {'9' * 5000}", r"a number in it has too many digits .*"),
        (f"[train]\nepochs = {'9' * 4000}", r"train\.epochs: must be at most 100,000, not 9+…"),
    ],
)
def test_a_fault_in_a_preset_is_one_line(text: str, fault: str, refused: Refused, folder: Path) -> None:
    path = folder / "p.toml"
    path.write_text(text)
    (line,) = refused("--headless", "--preset", path)
    assert re.fullmatch(re.escape(f"{path}: ") + f"({fault})", line)


def test_several_faults_are_several_lines(refused: Refused, folder: Path) -> None:
    (folder / "p.toml").write_text("[train]\nepochs = 0\nseed = -1\n[regularized.dropout]\nrate = 1.0\n")
    keys = [line.split(": ")[:2] for line in refused("--headless", "--preset", "p.toml")]
    assert keys == [["p.toml", "train.epochs"], ["p.toml", "train.seed"], ["p.toml", "regularized.dropout.rate"]]


def test_an_option_is_as_strict_as_a_preset(refused: Refused) -> None:
    options = ["--epochs", "0", "--seed", "-1", "--device", "gpu", "--patience", "0"]
    keys = [line.split(": ")[1] for line in refused("--headless", "--preset", "tiny.toml", *options)]
    assert keys == [
        "train.epochs",
        "train.seed",
        "train.device",
        "baseline.early_stopping.patience",
        "regularized.early_stopping.patience",
    ]
    (fault,) = refused("--headless", "--preset", "tiny.toml", "--set", "train.epochs")
    assert fault.startswith("--set train.epochs: write it as KEY=VALUE")


@pytest.mark.parametrize(
    "text",
    [
        '"\\u001b[31mred" = 3',
        '"two\\nlines" = 3',
        '["\\u009b31m"]',
        '[train]\noptimizer = "\\u001b]0;title\\u0007"',
        '[train]\nepochs = "\\u202e\\u0000\\n"',
        'name = "\\u007f\\u2028"',
        "x = '\x1b[31m'",
        "\x1b[31m = 3",
    ],
)
def test_what_would_steer_the_terminal_is_shown_as_text(text: str, refused: Refused, folder: Path) -> None:
    path = folder / "\x1b[32mgreen\n\u202e.toml"
    path.write_text(text, encoding="utf-8")
    (line,) = refused("--headless", "--preset", path)  # looks that it is printable
    assert r"\x1b[32mgreen\n\u202e.toml: " in line


@pytest.mark.parametrize("item", ["\x1b[31m", "\x1b[31m=3", "train.epochs=\x1b[31m\n", "train.seed.\x1b[31m=1"])
def test_so_it_is_in_an_option(item: str, refused: Refused) -> None:
    (line,) = refused("--headless", "--preset", "tiny.toml", "--set", "train.seed=0", "--set", item)
    assert r"\x1b[31m" in line


def test_so_it_is_in_a_name_that_nothing_has(refused: Refused) -> None:
    for name in ("\x1b[31m", "\x1b[31m.toml", "\x1b[31m/x"):
        (line,) = refused("--headless", "--preset", name)
        assert r"\x1b[31m" in line


# Files that hold no preset


def test_a_file_that_is_no_preset_is_refused_by_what_it_is(refused: Refused, folder: Path) -> None:
    (folder / "folder.toml").mkdir()
    (folder / "latin.toml").write_bytes(b'title = "caf\xe9"')
    (folder / "dangling.toml").symlink_to("nowhere")
    (folder / "loop.toml").symlink_to("loop.toml")
    with (folder / "huge.toml").open("wb") as file:
        file.truncate(10**9)
    os.mkfifo(folder / "pipe.toml")
    for name, fault in {
        "folder.toml": "this is a folder; name the preset file in it",
        "latin.toml": "byte 13 is not UTF-8; save it as UTF-8 text",
        "dangling.toml": "there is no such file; ",
        "absent.toml": "there is no such file; ",
        "loop.toml": "can't be read (",
        "tiny.toml/x": "can't be read (Not a directory); ",
        "huge.toml": "this file has more than 200,000 bytes; a preset has about 1,000",
        "pipe.toml": "this is not a regular file; ",
        "/dev/zero": "this is not a regular file; ",
        f"{'x' * 300}.toml": "can't be read (File name too long); ",
    }.items():
        (line,) = refused("--headless", "--preset", name)
        assert line.startswith(f"{name}: {fault}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_refused(refused: Refused, folder: Path) -> None:
    (folder / "tiny.toml").chmod(0)
    assert refused("--headless", "--preset", "tiny.toml") == [
        "tiny.toml: can't be read (Permission denied); check its permissions"
    ]


def test_a_broken_preset_in_the_working_folder_is_named_and_hides_no_other(
    refused: Refused, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "presets").mkdir()
    (folder / "presets" / "mine.toml").write_text("[train]\nepochs = 0\nseed = -1\n")
    os.mkfifo(folder / "presets" / "pipe.toml")
    assert refused("--headless", "--preset", "mine") == [
        "presets/mine.toml: train.epochs: must be at least 1, not 0",
        "presets/mine.toml: train.seed: must be at least 0, not -1",
    ]
    listed = call(["presets", "list"], capsys, monkeypatch)
    assert (listed.code, listed.err) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in listed.out.splitlines())
    assert lines["mine"] == "broken: presets/mine.toml: train.epochs: must be at least 1, not 0"
    assert lines["pipe"].startswith("broken: presets/pipe.toml: this is not a regular file")
    assert lines["dropout"] == "Dropout on MNIST"


# The command line itself


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--epochs", "abc"], "Invalid value for '--epochs'"),
        (["--epoch", "3"], "No such option: --epoch"),
        (["--preset"], "Option '--preset' requires an argument"),
        (["presets", "check"], "Missing argument 'FILE...'"),
        (["presets", "shwo"], "No such command 'shwo'"),
        (["train"], "No such command 'train'"),
    ],
)
def test_a_wrong_call_is_answered_with_the_usage(
    args: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = call(args, capsys, monkeypatch)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err
    assert len(outcome.err.splitlines()) <= 4
    assert "Traceback" not in outcome.err


def test_a_run_needs_a_preset(refused: Refused) -> None:
    (fault,) = refused("--headless")
    assert fault == "name a preset: regtui --preset dropout --headless; 'regtui presets list' shows them"


@pytest.mark.parametrize("wanted", ["cuda:99", "cuda:7000000"])
def test_a_device_that_is_not_there_is_named(wanted: str) -> None:
    with pytest.raises(InputError, match=rf"^train\.device: {wanted} is not there, .*; use auto or cpu$"):
        resolve(wanted)


# In a process of its own


def test_in_its_own_process_a_fault_reads_the_same(folder: Path) -> None:
    path = folder / "p.toml"
    path.write_text("[regularized.dropout]\nrate = 1.0\n")
    (fault,) = run("--preset", path, cwd=folder).faults()
    assert fault == f"{path}: regularized.dropout.rate: must be less than 1, not 1.0"
    os.mkfifo(folder / "pipe.toml")
    (fault,) = run("presets", "show", "pipe.toml", cwd=folder).faults()
    assert fault.startswith("pipe.toml: this is not a regular file")


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (["--device", "cuda:99"], r"train\.device: cuda:99 is not there, .*; use auto or cpu"),
        (["--log-dir", "tiny.toml"], r"tiny\.toml: runs can't be saved here \(.*\); .* with --log-dir"),
        (["--set", "data.root=nowhere"], r"MNIST is not in data\.root = nowhere: cannot find .*"),
    ],
)
def test_what_turns_out_once_processes_run_leaves_nothing_behind_either(
    args: list[str], fault: str, folder: Path
) -> None:
    before = sorted(folder.rglob("*"))
    (line,) = run("--preset", "tiny.toml", *args, cwd=folder).faults()
    assert re.fullmatch(fault, line)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_is_read_only_takes_no_run(folder: Path) -> None:
    (folder / "sealed").mkdir(mode=0o500)
    (line,) = run("--preset", "tiny.toml", "--log-dir", "sealed", cwd=folder).faults()
    assert line.startswith("sealed: runs can't be saved here (Permission denied)")


def test_a_bug_is_one_sentence_and_with_debug_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr("regtui.preset.file.load", broken)
    (line,) = call(["--preset", "tiny.toml"], capsys, monkeypatch).faults(code=1)
    assert line == "unforeseen KeyError: 'oops'; 'regtui --debug' and the same shows where"
    debugged = call(["--debug", "--preset", "tiny.toml"], capsys, monkeypatch)
    assert debugged.code == 1
    assert 'raise KeyError("oops")' in debugged.err
