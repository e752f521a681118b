"""What SECURITY.md promises: nothing that is read runs code, no name leads out of its folder, the umask holds."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regtui.arm.checkpoint import read as read_state
from regtui.cli import completion
from regtui.cli.show import print_run
from regtui.data import source
from regtui.engine import detach
from regtui.engine.crew import LocalCrew
from regtui.engine.run import run
from regtui.errors import InputError, RegtuiError
from regtui.export.write import write_saved
from regtui.foreign.read import read_log
from regtui.preset.faults import PresetError
from regtui.preset.file import load
from regtui.preset.save import save_as
from regtui.preset.validation import validate
from regtui.protocol.control import Control
from regtui.protocol.events import EpochDone
from regtui.runs.checkpoint import MANIFEST, read_manifest, weights_file
from regtui.runs.find import find_run
from regtui.runs.log import RunLog
from regtui.runs.note import Note, read_note, write_note
from regtui.runs.predictions import read_predictions
from regtui.runs.resumable import resumable
from regtui.runs.trash import discard, restore
from regtui.runs.weights import read_weights
from regtui.settings import read_settings, remember
from regtui.study.design import Wishes, make_plan
from regtui.study.folder import StudyFolder, find_study, is_conducted
from regtui.study.plan_file import read_checkpoints
from tests.conftest import small_preset
from tests.hostile import write_run
from tests.test_fuzz_files import look_at

quick = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("logs"), "other")


# Nothing runs code


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def bombs(mark: Path) -> dict[str, bytes]:
    """What would leave a mark, for readers that trust what they read."""
    torch_file, numpy_file = io.BytesIO(), io.BytesIO()
    torch.save({"model": Bomb(mark)}, torch_file)
    np.save(numpy_file, np.array([Bomb(mark)], dtype=object), allow_pickle=True)
    return {
        "pickle": pickle.dumps({"arms": Bomb(mark)}, protocol=2),
        "torch": torch_file.getvalue(),
        "numpy": numpy_file.getvalue(),
        "yaml": f"seed: !!python/object/apply:os.mkdir [{str(mark)!r}]\n".encode(),
        "python": f"__import__('os').mkdir({str(mark)!r})\n".encode(),
        "json": json.dumps({"py/reduce": [{"py/function": "os.mkdir"}, {"py/tuple": [str(mark)]}]}).encode(),
    }


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """A folder that a bomb would make; that there are bombs is tried first."""
    made = tmp_path / "mark"
    for name, open_it in (("pickle", pickle.loads), ("torch", lambda b: torch.load(io.BytesIO(b), weights_only=False))):
        open_it(bombs(made)[name])
        made.rmdir()
    yield made
    assert not made.exists()


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_no_file_of_a_run_runs_code(kind: str, whole: Path, mark: Path, tmp_path: Path) -> None:
    content = bombs(mark)[kind]
    for spoiled in [path for path in whole.rglob("*") if path.is_file()]:
        folder = shutil.copytree(whole, tmp_path / "logs" / whole.name)
        (folder / spoiled.relative_to(whole)).write_bytes(content)
        look_at(folder)
        for which in ("last", "best"):
            with suppress(RegtuiError):
                read_weights(folder, "regularized", which)
        for read in (read_predictions, read_note, resumable):
            with suppress(RegtuiError):
                read(folder)
        shutil.rmtree(tmp_path / "logs")


@pytest.mark.parametrize("kind", ["pickle", "torch", "numpy", "yaml", "python", "json"])
def test_no_other_file_that_is_read_runs_code(
    kind: str, mark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(bombs(mark)[kind])
    (tmp_path / "regtui").mkdir()
    shutil.copy(file, tmp_path / "regtui" / "config.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    study = tmp_path / "a-study-b"
    (study / "runs").mkdir(parents=True)
    for name in ("study.toml", "study.json", "added.toml"):
        shutil.copy(file, study / name)
    readers: list[Callable[[], object]] = [
        lambda: load(str(file)),
        lambda: read_state(file),
        lambda: read_log(file, "a log"),
        lambda: read_settings(),
        lambda: StudyFolder.open(study),
        lambda: read_checkpoints(file),
        *(lambda name=name: read_log(Path(shutil.copy(file, tmp_path / name)), name) for name in LOGS),
    ]
    for read in readers:
        with suppress(RegtuiError):
            read()


LOGS = ("metrics.csv", "trainer_state.json", "events.jsonl", "events.out.tfevents.1.x", "chart.csv", "hparams.yaml")


@pytest.mark.slow  # torchvision takes seconds to import
@pytest.mark.parametrize("kind", ["pickle", "torch"])
@pytest.mark.parametrize("dataset", ["fashion-mnist", "cifar10"])
def test_no_file_of_a_data_set_runs_code(dataset: Any, kind: str, mark: Path, tmp_path: Path) -> None:
    layout = source.LAYOUTS[dataset]
    for file in [f"{layout.folder}/{name}" for name in layout.files] + [
        f"{layout.class_name}/processed/{name}" for name in ("training.pt", "test.pt")
    ]:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(bombs(mark)[kind])
    with pytest.raises(InputError):
        source.ensure(dataset, tmp_path)


def test_toml_that_would_take_minutes_to_change_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    content = "".join(f"{'.'.join(['a'] * 60)}{n} = 1\n" for n in range(1_000))
    file = tmp_path / "regtui" / "config.toml"
    file.parent.mkdir()
    file.write_text(content)
    began = time.process_time()
    remember({"theme": "light"})
    save_as(small_preset(), "mine", tmp_path, original=file)
    assert time.process_time() - began < 10, "it would take an hour"
    assert file.read_text() == content


def test_a_shell_that_completes_waits_for_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "deep.toml").write_text("a." * 90_000 + "b = 1")
    for name in (str(tmp_path / "pipe.toml"), str(tmp_path / "deep.toml"), "/dev/zero"):
        assert completion._table(SimpleNamespace(params={"preset": name}, args=[])) == {}  # type: ignore[arg-type]


# No name leads out


climbing = st.one_of(
    st.sampled_from(
        [
            "..",
            "../x",
            "../../x",
            "/tmp/x",
            "a/../../x",
            "a/b",
            "\\..\\x",
            "C:\\x",
            ".",
            "",
            "~",
            "x\0",
            "x\n",
            "-",
            "--x",
        ]
    ),
    st.text(max_size=12),
    st.lists(st.sampled_from(["..", "/", "\\", "a", ".", "\0", "\n", "~", "é"]), max_size=6).map("".join),
)


@contextmanager
def nothing_beside(place: Path, *allowed: str) -> Iterator[None]:
    """Nothing may come into being, or go, in `place` but in the folders named."""

    def there() -> set[Path]:
        found = {path for path in place.rglob("*") if path.relative_to(place).parts[0] not in allowed}
        return found | set(place.parent.iterdir())

    before = there()
    yield
    assert there() == before


@quick
@given(name=climbing)
def test_an_arm_that_a_log_names_is_no_path_in_an_export(name: str, whole: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    place = tmp_path / "place"
    folder = shutil.copytree(whole, place / "logs" / whole.name)
    for file in ("events.jsonl", "summary.json", f"checkpoint/{MANIFEST}"):
        path = folder / file
        path.write_text(path.read_text().replace('"regularized"', json.dumps(name)))
    with nothing_beside(place, "out"):
        for to in ("csv", "html", "tensorboard"):
            with suppress(InputError):
                write_saved([folder], to, place / "out" / "a" / "b")
        with suppress(InputError), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            print_run(str(folder), place, json=False)
    if (place / "out").exists():
        made = {path.relative_to(place / "out/a/b").parts[0] for path in (place / "out/a/b").iterdir()}
        assert made <= {whole.name, f"{whole.name}.html"}


@quick
@given(name=climbing)
def test_a_file_that_a_manifest_names_is_in_the_checkpoint(name: str, whole: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    folder = shutil.copytree(whole / "checkpoint", tmp_path / "checkpoint")
    path = folder / MANIFEST
    content = json.loads(path.read_text())
    content["arms"]["regularized"]["last"] = content["arms"]["regularized"]["best"] = f"{name}-7.safetensors"
    path.write_text(json.dumps(content))
    with suppress(InputError):
        found = weights_file(folder, "regularized", "last")
        assert found is None or found.path.parent == folder
        for files in (manifest.arms if (manifest := read_manifest(folder)) else {}).values():
            assert (folder / files.last).parent == folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Somebody's files outside a run, some of them named as those that a checkpoint or a run removes or replaces."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    names = ("model-5.safetensors", "regularized-30.safetensors", "thing.tmp", MANIFEST, "precious.txt")
    for name in names:
        (folder / name).write_text("precious")
    yield folder
    assert {path.name: path.read_text() for path in folder.iterdir()} == dict.fromkeys(names, "precious")


def test_nothing_is_written_or_removed_through_a_checkpoint_that_is_a_link(
    elsewhere: Path, whole: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(whole, tmp_path / "logs" / whole.name)
    shutil.rmtree(folder / "checkpoint")
    (folder / "checkpoint").symlink_to(elsewhere)
    with pytest.raises(InputError, match="checkpoint' can't be used: a link stands where the folder should be; links"):
        resumable(folder)

    begun: list[Path] = []

    def replace(event: object) -> None:
        if isinstance(event, EpochDone) and not (checkpoint := begun[0] / "checkpoint").is_symlink():
            shutil.rmtree(checkpoint)
            checkpoint.symlink_to(elsewhere)

    result = run(small_preset(train={"epochs": 2}), tmp_path / "logs", Control(), replace, LocalCrew(), begun.append)
    assert result.summary.status == "finished"
    assert "the weights are not saved since epoch" in result.summary.unsaved
    assert "a link stands where the folder should be; links are not followed; move it away" in result.summary.unsaved


def test_messages_are_not_written_through_links(
    elsewhere: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(whole, tmp_path / "logs" / whole.name)
    for name in ("traceback.txt", detach.MESSAGES):
        (folder / name).symlink_to(elsewhere / "precious.txt")
    with RunLog.resumed(folder, checkpoints=False) as log:
        log.traceback("Traceback")
    assert (folder / "traceback.txt").read_text() == "Traceback"
    monkeypatch.setattr("regtui.engine.detach.subprocess.Popen", lambda *_args, **_options: Mock(pid=7))
    assert detach.start((), folder, lambda _pid: True) == 7
    assert not (folder / detach.MESSAGES).is_symlink()


def test_a_study_s_runs_behind_a_link_and_a_plan_that_is_a_pipe_are_left_alone(elsewhere: Path, tmp_path: Path) -> None:
    study = StudyFolder.create(make_plan(small_preset(), Wishes("2")), tmp_path)
    study.runs.rmdir()
    study.runs.symlink_to(elsewhere)
    with pytest.raises(InputError, match="a link stands where its folder 'runs' should be"), study.held():
        pass
    (study.path / "study.toml").unlink()
    os.mkfifo(study.path / "study.toml")
    looked = threading.Thread(target=is_conducted, args=[study.path], daemon=True)
    looked.start()
    looked.join(120)
    assert not looked.is_alive(), "a pipe to which nobody writes would block for ever"


@quick
@given(name=climbing)
def test_a_preset_s_name_is_no_path_in_the_folder_of_its_run_or_study(name: str, tmp_path: Path) -> None:
    try:
        preset = validate({"name": name, "train": {"device": "cpu"}, "regularized": {"l2": {}}}, "test")
    except PresetError:
        return
    place = tmp_path / "place"
    place.mkdir(exist_ok=True)
    with nothing_beside(place, "logs"):
        with RunLog(place / "logs", preset) as log:
            assert log.folder.resolve().parent == (place / "logs").resolve()
            log.discard()
        saved = save_as(preset, preset.name, place / "logs" / "presets", original=None)
        assert saved.resolve().parent == (place / "logs" / "presets").resolve()
        study = StudyFolder.create(make_plan(preset, Wishes("2")), place / "logs")
        assert study.path.resolve().parent == (place / "logs").resolve()


@quick
@given(name=climbing)
def test_the_beginning_of_a_name_means_what_is_in_the_folder_of_logs(name: str, whole: Path, tmp_path: Path) -> None:
    decoy = tmp_path / "decoy"
    if not decoy.exists():
        shutil.copytree(whole, decoy)
    logs = whole.parent
    for find in (find_run, find_study):
        with suppress(InputError):
            found = find(name, logs)
            assert found.parent == logs or Path(name) == found, "else it is the very path that was typed"


# The umask


def modes(folder: Path) -> set[tuple[str, int]]:
    """What is below a folder: kind and mode of everything but sockets, which are for their user alone."""
    found = [folder, *folder.rglob("*")]
    return {
        ("folder" if path.is_dir() else "file", path.stat().st_mode & 0o777) for path in found if not path.is_socket()
    }


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o002])
def test_whatever_is_written_has_the_mode_that_the_umask_says(
    mask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "made" / "config"))
    before = os.umask(mask)
    try:
        made = tmp_path / "made"
        made.mkdir()
        outcome = run(small_preset(train={"epochs": 2}), made / "logs", Control(), lambda _: None, LocalCrew())
        write_note(outcome.folder, Note("a note", ("tag",)))
        write_saved([outcome.folder], "csv", made / "csv")
        write_saved([outcome.folder], "html", made / "html")
        restore(discard(outcome.folder, made / "logs"))
        save_as(small_preset(), "mine", made / "presets", original=None)
        remember({"theme": "light"})
        StudyFolder.create(make_plan(small_preset(), Wishes("2")), made / "logs")
    finally:
        os.umask(before)
    assert modes(made) == {("folder", 0o777 & ~mask), ("file", 0o666 & ~mask)}
