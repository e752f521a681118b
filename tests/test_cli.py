"""The commands that train nothing, and what is imported for them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from regtui import __version__
from regtui.cli import doctor
from regtui.preset.file import load
from regtui.preset.places import available
from tests.command import TINY, call, command, environment, run

HEAVY = ("torch", "torchvision", "textual", "plotext", "scipy", "numpy", "rich", "pydantic", "asyncio")
COMMANDS = ("presets", "doctor")
OPTIONS = "preset headless json set epochs seed patience device log-dir debug version help".split()  # noqa: SIM905


def imported_by(code: str) -> set[str]:
    """Which heavy packages a fresh interpreter has imported after `code`."""
    script = f"import sys\n{code}\nprint('HEAVY', *(m for m in {HEAVY} if m in sys.modules))"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return set(output.rpartition("HEAVY")[2].split())


# Help and imports


def test_help_names_every_option_and_command_and_imports_nothing_heavy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        imported_by(
            "sys.argv = ['regtui', '--help']\nfrom regtui.cli.main import main\ntry: main()\nexcept SystemExit: pass"
        )
        == set()
    )
    outcome = call(["--help"], capsys, monkeypatch)
    assert outcome.code == 0
    for option in OPTIONS:
        assert f"--{option} " in outcome.out
    for name in COMMANDS:
        assert f"\n  {name} " in outcome.out
    assert call(["-h"], capsys, monkeypatch) == outcome


def test_modules_that_train_nothing_import_no_torch_and_no_screen() -> None:
    modules = [
        "regtui.preset.file",
        "regtui.protocol.history",
        "regtui.runs.log",
        "regtui.evidence.verdict",
        "regtui.engine.trainer",
        "regtui.engine.crew",
        "regtui.engine.run",
        "regtui.cli.headless",
        "regtui.cli.doctor",
    ]
    assert imported_by(f"import {', '.join(modules)}") <= {"pydantic"}


@pytest.mark.parametrize("option", [["--ascii"], ["--seed", "3"], ["--set", "train.epochs=1"]])
def test_an_option_before_a_command_is_not_passed_over_in_silence(
    option: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call([*option, "presets", "list"], capsys, monkeypatch)
    assert (code, out) == (2, "")
    assert f"{option[0]} does not belong before 'presets'" in err


def test_the_version_is_told() -> None:
    outcome = run("--version", cwd=Path.cwd())
    assert outcome == (0, f"regtui {__version__}\n", "")


# Presets


def test_every_preset_is_listed_with_its_title(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = call(["presets", "list"], capsys, monkeypatch)
    assert (outcome.code, outcome.err) == (0, "")
    listed = dict(line.split("  ", 1) for line in outcome.out.splitlines())
    assert {name.strip() for name in listed} == set(available())
    assert all(listed.values())
    assert "broken" not in outcome.out


def test_a_shown_preset_is_a_preset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = call(["presets", "show", "dropout", "--set", "train.epochs=3"], capsys, monkeypatch)
    assert (shown.code, shown.err) == (0, "")
    copy = tmp_path / "copy.toml"
    copy.write_text(shown.out, encoding="utf-8")
    assert load(str(copy)) == load("dropout", ["train.epochs=3"])
    assert tomllib.loads(shown.out)["train"]["batch_size"] == 64, "defaults are shown too"
    again = call(["presets", "show", copy], capsys, monkeypatch)
    assert again.out == shown.out


def test_a_shown_preset_is_one_even_if_its_title_would_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, copy = tmp_path / "odd.toml", tmp_path / "copy.toml"
    odd.write_text('name = "odd"\ntitle = "\\u001b[31m\\u202e\\u009b\\u007f\\t\\n"\n', encoding="utf-8")
    shown = call(["presets", "show", odd], capsys, monkeypatch).out
    assert shown.replace("\n", "").isprintable()
    copy.write_text(shown, encoding="utf-8")
    assert load(str(copy)) == load(str(odd))


def test_files_are_checked_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(TINY)
    bad.write_text("[train]\nepochs = 0\nseed = -1\n")
    assert call(["presets", "check", good], capsys, monkeypatch) == (0, f"{good}: ok\n", "")
    outcome = call(["presets", "check", bad, good, "dropout"], capsys, monkeypatch)
    assert (outcome.code, outcome.out) == (2, f"{good}: ok\ndropout: ok\n")
    assert [line.partition(": must")[0] for line in outcome.err.splitlines()] == [
        f"{bad}: train.epochs",
        f"{bad}: train.seed",
    ]


def test_the_presets_command_alone_lists_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(["presets"], capsys, monkeypatch) == call(["presets", "list"], capsys, monkeypatch)


# Doctor


def test_doctor_says_what_works_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, mnist_file: Path
) -> None:
    assert mnist_file.exists()
    outcome = call(["doctor"], capsys, monkeypatch)
    assert (outcome.code, outcome.err) == (0, "")
    marks = {tuple(line.split()[:2]) for line in outcome.out.splitlines()}
    assert marks >= {("✓", t) for t in ("regtui", "package", "device", "data", "logs", "cache")} | {("·", "terminal")}
    assert not any(mark == "✗" for mark, _ in marks)
    for words in (__version__, "torch 2.", "scipy 1.", "cpu: ", "auto means ", "MNIST: at hand", "can be written"):
        assert words in outcome.out


def test_doctor_tells_what_is_a_fault_and_what_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = metadata.version

    def version(package: str) -> str:
        if package in {"ray", "submitit"}:
            raise metadata.PackageNotFoundError(package)
        return versions(package)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(doctor, "_devices", lambda: iter(()))  # which takes seconds, and is looked at above
    (tmp_path / "logs").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGTUI_CACHE", str(tmp_path / "logs" / "cache"))
    outcome = call(["doctor"], capsys, monkeypatch)
    assert outcome.code == 1
    faults = [line for line in outcome.out.splitlines() if line.startswith("✗")]
    assert [fault.split()[1] for fault in faults] == ["data", "data", "logs", "cache"]
    assert "with --log-dir" in faults[2]
    assert "REGTUI_CACHE" in faults[3]
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    assert "· extra      ray is not installed; regtui[ray] brings it" in outcome.out
    assert "· extra      submitit is not installed; regtui[slurm] brings it" in outcome.out


# Stdout


def test_ascii_is_written_where_the_encoding_has_no_more(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('title = "λ · ‖w‖₁ → 🎲 ✓ ≥ 漢"\n', encoding="utf-8")
    env = {"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
    outcome = run("presets", "show", "p.toml", cwd=tmp_path, env=env)
    assert (outcome.code, outcome.err) == (0, "")
    assert 'title = "lambda - |w|_1 -> ? + >= ?"' in outcome.out
    assert run("presets", "schema", cwd=tmp_path, env=env).code == 0
    (fault,) = run("--preset", "ü.toml", cwd=tmp_path, env=env).faults()
    assert fault.startswith("u.toml: ") or fault.startswith(r"\xfc.toml: ")


def test_a_reader_that_has_gone_is_no_fault(tmp_path: Path) -> None:
    script = f"{' '.join(command('presets', 'schema'))} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.stderr == ""
    assert done.returncode in {0, 1}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_an_output_that_is_full_is_a_sentence(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command("presets", "list"), cwd=tmp_path, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr == ("regtui: the output can't be written (No space left on device); send it somewhere else\n")
