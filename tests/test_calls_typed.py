"""A call to an arm in another process is checked as any other: by mypy, and before that by Python."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from regtui.arm.arm import Arm
from regtui.arm.interface import ArmCalls

ROOT = Path(__file__).parent.parent
CALLS = """
from regtui.arm.arm import Arm
from regtui.arm.interface import ArmCalls, HostCalls
from regtui.arm.reports import Trained
from regtui.engine.crew import Crew
from regtui.engine.process import Process

class Renamed(Arm):
    def train_steps(self, count: int, twice: bool) -> Trained: ...  # override

def calls(crew: Crew, process: Process) -> None:
    reveal_type(crew.each(ArmCalls.measure, ["baseline"]))  # reports.Measured]
    reveal_type(crew.begin(ArmCalls.train_steps, ["baseline"], 10)())  # reports.Trained]
    crew.each(ArmCalls.gauge, ["baseline"])  # attr-defined
    crew.each(ArmCalls.remember, ["baseline"])  # arg-type
    crew.each(ArmCalls.remember, ["baseline"], "3")  # arg-type
    crew.each(ArmCalls.measure, ["baseline"], 3)  # arg-type
    crew.each("measure", ["baseline"])  # arg-type
    process.send(HostCalls.torch_version, 3)  # arg-type
"""


@pytest.mark.slow
def test_mypy_sees_a_wrong_name_and_a_wrong_argument(tmp_path: Path) -> None:
    from mypy import api

    (tmp_path / "calls.py").write_text(CALLS)
    if (ROOT / ".mypy_cache").exists():  # whoever has looked at all of it before needs not do so again
        shutil.copytree(ROOT / ".mypy_cache", tmp_path / "cache")
    rules = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path / "cache")]
    told, _, _ = api.run([*rules, str(tmp_path / "calls.py")])
    for number, line in enumerate(CALLS.splitlines(), 1):
        _, _, expected = line.partition("  # ")
        found = re.findall(rf"calls\.py:{number}: (?:error|note): .*", told)
        assert expected in "".join(found) if expected else not found, told


def test_an_arm_without_one_of_the_methods_cannot_be_made() -> None:
    class Renamed(Arm):
        measure = ArmCalls.measure

    with pytest.raises(TypeError, match=r"abstract method '?measure"):
        Renamed("baseline", None, None, None)  # type: ignore[arg-type]
