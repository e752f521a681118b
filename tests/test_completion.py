"""What a shell completes, asked in the words of a shell."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from regtui.cli import main as cli
from regtui.preset.file import load
from regtui.preset.places import available
from tests.command import environment
from tests.test_import_path import INSTALLED

ROOT = Path(__file__).parent.parent


def completed(*words: str, cwd: Path = ROOT, **env: str) -> list[str]:
    """What bash is offered for the last of the words, without a program that is started for it."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in (asked_for(words) | env).items():
            patch.setenv(name, value)
        patch.chdir(cwd)
        patch.setattr(sys, "argv", ["regtui"])
        handler = signal.getsignal(signal.SIGINT)
        try:
            with pytest.raises(SystemExit) as end:
                cli.main()
        finally:
            signal.signal(signal.SIGINT, handler)
    assert end.value.code in {0, None}
    out.seek(0)
    err.seek(0)
    assert err.read() == ""
    return out.read().split()


def asked_for(words: Sequence[str]) -> dict[str, str]:
    """How bash asks for the last of the words."""
    asked = {"COMP_WORDS": " ".join(("regtui", *words)), "COMP_CWORD": str(len(words))}
    return asked | {"_REGTUI_COMPLETE": "complete_bash"}


def test_the_program_answers_a_shell() -> None:
    env = environment(**asked_for(["--preset", ""]))
    done = subprocess.run([INSTALLED], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == (completed("--preset", ""), "")


def test_presets_options_and_themes() -> None:
    assert completed("--preset", "") == list(available())
    assert completed("presets", "show", "dr") == ["dropout"]
    assert {"--theme", "--set", "--no-bell"} <= set(completed("--"))
    assert completed("--theme", "") == ["auto", "dark", "light", "high-contrast"]
    assert "review" in completed("re")


def test_every_key_of_a_preset_and_no_other() -> None:
    keys = completed("--preset", "dropout", "--set", "")
    assert {"train.epochs=", "regularized.dropout.rate=", "model.hidden=", "data.train_samples="} <= set(keys)
    assert completed("--preset", "dropout", "--set", "train.epochs=1") == []
    for key in keys:  # each is known, whatever is wrong with the value
        with pytest.raises(Exception, match=r"^(?!.*is not known here)"):
            load("dropout", [f"{key}[[]]"])


def test_keys_follow_the_preset() -> None:
    keys = completed("--preset", "techniques", "--set", "arms.")
    assert "arms.dropout.dropout.rate=" in keys
    assert completed("--preset", "techniques", "--set", "regularized") == []


def test_saved_runs_newest_first(tmp_path: Path) -> None:
    names = [f"2026010{day}-000000-smoke-abcd" for day in (1, 2)]
    for folder in (tmp_path / "logs", tmp_path / "others"):
        for name in (*names, "20260103-no-run"):
            (folder / name).mkdir(parents=True)
    assert completed("show", "2026", cwd=tmp_path) == names[::-1]
    assert completed("show", "--log-dir", "others", "20260101", cwd=tmp_path) == names[:1]
    assert completed("show", "--log-dir", "nowhere", "", cwd=tmp_path) == []
    (tmp_path / "mine.toml").write_text('log_dir = "others"')
    (tmp_path / "logs").rename(tmp_path / "away")
    assert completed("review", "2026", cwd=tmp_path, REGTUI_CONFIG=str(tmp_path / "mine.toml")) == names[::-1]


def test_what_a_study_may_be_asked_for(tmp_path: Path) -> None:
    assert completed("study", "dr") == ["dropout"]
    assert "arms.dropout.dropout.rate=" in completed("study", "techniques", "--vary", "arms.dropout.")
    assert completed("study", "smoke", "--metric", "") == ["accuracy", "r2", "loss"]
    assert completed("study", "smoke", "--resample", "b") == ["bootstrap"]
    assert completed("study", "smoke", "--engine", "") == ["local", "ray", "slurm"]
    names = [f"2026010{day}-000000-study-smoke-abcd" for day in (1, 2)]
    for name in (*names, "20260103-000000-smoke-abcd"):
        (tmp_path / "logs" / name).mkdir(parents=True)
    assert completed("study", "--resume", "2026", cwd=tmp_path) == names[::-1]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell(shell: str) -> None:
    done = subprocess.run([INSTALLED, "--show-completion", shell], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0
    assert "_REGTUI_COMPLETE" in done.stdout


def test_neither_torch_nor_textual_is_imported() -> None:
    script = (
        "import sys\nfrom regtui.cli import completion\nfrom types import SimpleNamespace\n"
        "print(completion.keys(SimpleNamespace(params={'preset': 'dropout'}), 'train.')[0])\n"
        "print([m for m in ('torch', 'textual', 'numpy', 'scipy', 'plotext') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["train.epochs=", "[]"], done.stderr
