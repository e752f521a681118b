"""A run that is killed at any moment and resumed ends equal, in all but times, to one that nobody disturbed."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals

import psutil
import pytest

from tests.held import Gate
from tests.kills import VICTIMS, Kill, KilledRun
from tests.same_run import assert_same, lines, seams
from tests.terminal import Terminal

APART = {"smoke": 0.05, "dropout": 2.0}
"""Seconds from a line of the log to the next."""
SIGNALS = (Signals.SIGINT, Signals.SIGTERM, Signals.SIGQUIT, Signals.SIGHUP, Signals.SIGUSR1, Signals.SIGUSR2)


@pytest.fixture(scope="module")
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The preset's run that nobody disturbed."""
    return KilledRun(tmp_path_factory.mktemp("whole"), "--preset", *request.param.split()).end()


def assert_ends_equal(run: KilledRun, whole: Path) -> None:
    """Resume a run that was killed until it has ended."""
    if run.status != "finished":
        run.end()
    assert run.folder is not None
    assert_same(run.folder, whole)


@pytest.mark.slow
@pytest.mark.parametrize("whole", ["smoke"], indirect=True)
def test_killed_in_an_epoch_it_goes_on_after_the_one_before(whole: Path, tmp_path: Path) -> None:
    run = KilledRun(tmp_path / "logs", "--preset", "smoke")
    for number, (epoch, victim) in enumerate([(2, "program"), (3, "worker"), (3, "everything")]):
        run.harm(Kill(0, 0.0, victim), Gate(tmp_path / f"gate{number}", epoch))
        assert run.status == ("failed" if victim == "worker" else "")
    assert_ends_equal(run, whole)
    assert run.folder is not None
    assert [line["epoch"] for line in lines(run.folder) if line["kind"] == "interrupted"] == [1, 2, 2]


@pytest.mark.soak
@pytest.mark.parametrize("whole", ["smoke"], indirect=True)
@pytest.mark.parametrize("seed", range(50))
def test_killed_at_50_moments_it_ends_as_if_it_had_not_been(seed: int, whole: Path, tmp_path: Path) -> None:
    harm_and_end("smoke", seed, whole, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("whole", ["dropout"], indirect=True)
@pytest.mark.parametrize("seed", range(10))
def test_a_longer_run_killed_at_10_moments_ends_as_if_it_had_not_been(seed: int, whole: Path, tmp_path: Path) -> None:
    harm_and_end("dropout", seed, whole, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("whole", ["smoke"], indirect=True)
@pytest.mark.parametrize("seed", range(30))
def test_ended_by_signals_at_30_moments_it_ends_as_if_it_had_not_been(seed: int, whole: Path, tmp_path: Path) -> None:
    harm_and_end("smoke", seed, whole, tmp_path, SIGNALS)


@pytest.mark.soak
@pytest.mark.parametrize("whole", ["smoke --epochs 200"], indirect=True)
@pytest.mark.parametrize("seed", range(5))
def test_left_running_and_killed_it_ends_as_if_it_had_not_been(seed: int, whole: Path, tmp_path: Path) -> None:
    chance = random.Random(f"left running {seed}")
    run = KilledRun(tmp_path, "--preset", "smoke", "--epochs", "200")
    with Terminal("-m", "regtui", "--log-dir", tmp_path, "--preset", "smoke", "--epochs", "200", "--start") as terminal:
        terminal.until(lambda: run.lines > 20)
        terminal.press("q")
        terminal.until("Leave it running")
        terminal.press_until("l", lambda: terminal.has_ended)
        assert terminal.wait() == 0
    assert run.folder is not None
    with suppress(psutil.NoSuchProcess):  # it has ended by itself
        other = psutil.Process(json.loads((run.folder / "run.json").read_text())["pid"])
        time.sleep(chance.uniform(0, 3))
        other.kill()
        other.wait(60)
    assert_ends_equal(run, whole)
    assert seams(run.folder) >= 1


def harm_and_end(
    preset: str, seed: int, whole: Path, logs: Path, numbers: Sequence[Signals] = (Signals.SIGKILL,)
) -> None:
    """Send signals at drawn moments, often also while it is resumed, and compare what the run comes to."""
    chance = random.Random(f"{preset} {seed} {numbers}")
    run = KilledRun(logs, "--preset", preset)
    harmed = 0
    while harmed == 0 or (chance.random() < 0.4 and run.status != "finished"):
        moment = run.moment(chance, len(lines(whole)), APART[preset])
        kill = Kill(*moment, chance.choice(VICTIMS), chance.choice(numbers))
        outcome = run.harm(kill)
        harmed += 1
        print(
            f"{preset} {seed}: {kill.number.name} to {kill.victim} at line {kill.lines} + {kill.later:.3f} s:", end=" "
        )
        print(f"code {outcome.code}, {run.lines} lines, {run.status or 'no summary'} {outcome.err.strip()}")
        is_python_s_own = (kill.lines, outcome.code) == (0, -Signals.SIGINT)  # before it has read any of the program
        assert is_python_s_own or "Traceback" not in outcome.err
    assert_ends_equal(run, whole)
    assert run.folder is not None
    assert seams(run.folder) <= harmed
