"""A run needs nothing of the program that starts it: no `__main__` guard, no file, no process or thread of its own."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from regtui.arm.interface import ArmCalls
from regtui.engine.crew import LocalCrew, ProcessCrew
from regtui.engine.forkserver import ForkServer
from regtui.engine.run import RunResult, run
from regtui.errors import RegtuiError
from regtui.import_path import without_current_folder
from regtui.protocol.control import Control
from tests.conftest import SMALL, small_preset

ONE_EPOCH = {**SMALL, "train": {**SMALL["train"], "epochs": 1}}
SCRIPT = textwrap.dedent(
    f"""
    import json, sys
    from pathlib import Path
    from regtui.engine.run import run
    from regtui.preset.validation import validate
    from regtui.protocol.control import Control

    print("the script begins")
    result = run(validate({ONE_EPOCH!r}, "script"), Path(sys.argv[-1]), Control(), lambda _event: None)
    print(json.dumps([result.summary.status, result.summary.arms["regularized"].test["loss"]]))
    """
)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> float:
    """The test loss of the regularized arm."""
    return loss_of(run(one_epoch(), tmp_path_factory.mktemp("logs"), Control(), lambda _: None, LocalCrew()))


def one_epoch() -> Any:
    return small_preset(train={"epochs": 1})


def loss_of(result: RunResult) -> float:
    assert result.summary.status == "finished", result.summary.error
    test = result.summary.arms["regularized"].test
    assert test is not None
    assert test["loss"] is not None
    return test["loss"]


WAYS: dict[str, tuple[list[str], str | None]] = {
    "a script without a guard": (["script.py"], None),
    "python - (stdin)": (["-"], SCRIPT),
    "a __main__ without a file, as in a notebook": (["-c", f"del globals()['__builtins__']\nexec({SCRIPT!r})"], None),
    "python -m": (["-m", "script"], None),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.slow
def test_a_plain_script_trains(way: str, tmp_path: Path, expected: float) -> None:
    words, text = WAYS[way]
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, *words, str(tmp_path / "logs")],
        input=text, capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    begins, outcome = done.stdout.splitlines()
    assert begins == "the script begins", "and no process of ours runs it once more"
    assert json.loads(outcome) == ["finished", expected]


@pytest.mark.slow
def test_a_thread_trains(tmp_path: Path, expected: float) -> None:
    results: list[RunResult] = []
    thread = threading.Thread(
        target=lambda: results.append(run(one_epoch(), tmp_path, Control(), lambda _: None))  # in processes of its own
    )
    thread.start()
    thread.join()
    assert loss_of(results[0]) == expected


def in_a_daemon(logs: Path, answers: Any) -> None:
    answers.put([loss_of(run(one_epoch(), logs, Control(), lambda _: None, crew)) for crew in (None, LocalCrew())])


@pytest.mark.slow
def test_a_daemonic_process_trains_in_processes_and_by_itself(tmp_path: Path, expected: float) -> None:
    """As the workers of a pool are."""
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    worker = context.Process(target=in_a_daemon, args=(tmp_path, answers), daemon=True)
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert answers.get() == [expected, expected]


# All arms in this process


@pytest.fixture
def torch_as_it_was() -> Iterator[None]:
    threads, state, dtype = torch.get_num_threads(), torch.get_rng_state(), torch.get_default_dtype()
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)
    torch.set_default_dtype(dtype)
    torch.set_default_device("cpu")
    torch.set_flush_denormal(False)


def small() -> float:
    """0.0 where numbers below 1e-38 count as 0."""
    return float(torch.tensor(2e-38, dtype=torch.float32, device="cpu") * 0.1)


@pytest.mark.usefixtures("torch_as_it_was")
def test_numbers_below_all_that_matter_count_as_0_while_an_arm_works_and_no_longer(mnist_file: Path) -> None:
    crew = LocalCrew()
    for flushed in (False, True):
        torch.set_flush_denormal(flushed)
        before = small()
        crew.build(one_epoch(), mnist_file)
        with crew._host.as_in_its_own_process(1):
            assert small() == 0
        assert small() == before
        assert (before == 0) == flushed


@pytest.mark.usefixtures("torch_as_it_was")
def test_arms_in_this_process_leave_torch_alone_and_are_left_alone_by_it(tmp_path: Path, expected: float) -> None:
    torch.set_num_threads(3)
    torch.manual_seed(7)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    before = torch.get_rng_state()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        result = run(one_epoch(), tmp_path, Control(), lambda _: None, LocalCrew())
        assert torch.is_inference_mode_enabled()
        assert torch.is_autocast_enabled("cpu")
    assert loss_of(result) == expected
    assert torch.get_num_threads() == 3
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_default_dtype() == torch.float64
    assert torch.get_default_device().type == "meta"
    assert torch.is_grad_enabled()


@pytest.mark.usefixtures("torch_as_it_was")
@pytest.mark.parametrize("techniques", [{"batch_norm": {}}, {"l1": {"mode": "loss"}}])
def test_so_it_is_where_gradients_are_computed_by_torch(tmp_path: Path, techniques: dict[str, Any]) -> None:
    preset = small_preset(regularized=techniques, train={"epochs": 1})
    alone = run(preset, tmp_path, Control(), lambda _: None, LocalCrew())
    torch.manual_seed(99)
    with torch.no_grad():
        other = run(preset, tmp_path, Control(), lambda _: None, LocalCrew())
        assert not torch.is_grad_enabled()
    assert loss_of(other) == loss_of(alone)


def test_what_goes_wrong_in_an_arm_leaves_torch_alone_too(mnist_file: Path) -> None:
    crew = LocalCrew(threads=2)
    crew.build(one_epoch(), mnist_file)
    threads = torch.get_num_threads()
    with pytest.raises(RegtuiError):
        crew.each(ArmCalls.retune, ["regularized"], "nothing.rate", 0.5)
    assert torch.get_num_threads() == threads
    assert crew.threads == 2


# What is missing is said


def test_a_program_that_does_not_know_its_python_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(RegtuiError, match="does not know where its Python is"):
        run(one_epoch(), tmp_path, Control(), lambda _: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    with pytest.raises(RegtuiError, match=r"can't be started: .*nowhere"):
        run(one_epoch(), tmp_path, Control(), lambda _: None)
    assert not any(tmp_path.iterdir())


def test_a_process_that_cannot_begin_tells_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regtui.engine.child.without_current_folder", lambda _path: [str(tmp_path)])
    with ProcessCrew(processes=1) as crew, pytest.raises(RegtuiError) as caught:
        crew.warm_up()
    assert "ended with exit code 1: ModuleNotFoundError: No module named" in str(caught.value)
    assert sys.executable in str(caught.value)


def test_a_process_works_without_a_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")
    with ProcessCrew(processes=1) as crew:
        assert crew.warm_up() == torch.__version__


def test_a_torch_that_cannot_be_imported_is_told_at_the_first_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = without_current_folder(sys.path)
    (tmp_path / "torch.py").write_text("raise OSError('libtorch.so: no such file')")
    monkeypatch.setattr("regtui.engine.child.without_current_folder", lambda _path: [str(tmp_path), *path])
    with ProcessCrew(processes=1) as crew, pytest.raises(RegtuiError, match=r"libtorch\.so: no such file"):
        crew.warm_up()


def imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int) -> set[int]:
    """The processes that import torch though nobody has asked them for anything."""
    path = without_current_folder(sys.path)
    (tmp_path / "torch.py").write_text(
        "import os, pathlib, time\n"
        "pathlib.Path(__file__).with_name(f'{os.getpid()}.imported').touch()\n"
        "raise OSError('no more')"
    )
    monkeypatch.setattr("regtui.engine.child.without_current_folder", lambda _path: [str(tmp_path), *path])
    with ProcessCrew(processes=processes) as crew:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("*.imported")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(RegtuiError, match="no more"):
            crew.warm_up()
    return {int(file.stem) for file in tmp_path.glob("*.imported")}


def test_torch_is_imported_before_anybody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(imports(tmp_path, monkeypatch, 1)) == 1


@pytest.mark.skipif(not ForkServer.is_possible(), reason="elsewhere each process imports it")
def test_torch_is_imported_once_for_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(imports(tmp_path, monkeypatch, 3)) == 1
