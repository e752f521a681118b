"""The comparison by which a resumed run is found equal to one never interrupted: it sees what is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from regtui.engine.crew import LocalCrew
from regtui.engine.run import run
from regtui.protocol.control import Control
from tests.conftest import small_preset
from tests.same_run import assert_same, seams


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of the same preset."""
    logs = tmp_path_factory.mktemp("logs")
    first, second = (run(small_preset(), logs, Control(), lambda _: None, LocalCrew()).folder for _ in range(2))
    return first, second


@pytest.fixture
def copy(runs: tuple[Path, Path], tmp_path: Path) -> Path:
    return shutil.copytree(runs[0], tmp_path / "copy")


def log(folder: Path) -> list[str]:
    return (folder / "events.jsonl").read_text().splitlines()


def write(folder: Path, lines: list[str]) -> None:
    (folder / "events.jsonl").write_text("".join(f"{line}\n" for line in lines))


def test_runs_of_the_same_preset_are_the_same_whatever_the_time(runs: tuple[Path, Path]) -> None:
    assert log(runs[0]) != log(runs[1])
    assert_same(*runs)


def test_seams_and_parts_of_an_epoch_make_no_difference(runs: tuple[Path, Path], copy: Path) -> None:
    lines = log(copy)
    steps = json.loads(lines[1])
    first, rest = steps | {"losses": steps["losses"][:4]}, steps | {"losses": steps["losses"][4:], "first_step": 5}
    seam = {"t": 1, "kind": "interrupted", "epoch": 1, "step": 10, "arms": [], "epochs": 3, "device": "cpu"}
    write(copy, [lines[0], json.dumps(first), json.dumps(seam), json.dumps(rest), *lines[2:]])
    assert_same(copy, runs[0])
    assert seams(copy) == 1


def without(kind: str, last: bool = False) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        lines = log(folder)
        places = [number for number, line in enumerate(lines) if f'"kind":"{kind}"' in line]
        del lines[places[-1 if last else 0]]
        write(folder, lines)

    return damage


def twice(kind: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        write(folder, [line for line in log(folder) for _ in range(1 + (f'"kind":"{kind}"' in line))])

    return damage


def with_another_number(folder: Path) -> None:
    lines = log(folder)
    number = max(n for n, line in enumerate(lines) if "epoch_done" in line)
    told = json.loads(lines[number])
    told["val_loss"] += 1e-15 * told["val_loss"]
    lines[number] = json.dumps(told)
    write(folder, lines)


def with_another_weight(folder: Path) -> None:
    path = next((folder / "checkpoint").glob("baseline-*"))
    tensors = load_file(path)
    name = next(name for name in tensors if name.startswith("model."))
    flat = tensors[name].view(-1)
    flat[0] = torch.nextafter(flat[0], torch.tensor(9.0))
    save_file(tensors, path)


def with_another_summary(folder: Path) -> None:
    told = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(told | {"interventions": 1}))


@pytest.mark.parametrize(
    "damage",
    [
        *(without(kind) for kind in ("run_started", "steps_done", "epoch_done", "arm_stopped", "scored")),
        *(without(kind, last=True) for kind in ("steps_done", "epoch_done", "run_finished")),
        *map(twice, ("run_started", "steps_done", "epoch_done", "arm_stopped", "scored", "run_finished")),
        *(with_another_number, with_another_weight, with_another_summary),
        lambda folder: (folder / "checkpoint" / "baseline-20.safetensors").touch(),
        lambda folder: (folder / "predictions.safetensors").write_bytes(b"others"),
    ],
)
def test_whatever_is_missing_twice_or_another_is_seen(
    damage: Callable[[Path], None], runs: tuple[Path, Path], copy: Path
) -> None:
    assert_same(copy, runs[0])
    damage(copy)
    with pytest.raises((AssertionError, ValueError)):
        assert_same(copy, runs[0])
