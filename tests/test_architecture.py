"""What the house promises of its own structure."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_readme_names_every_preset() -> None:
    for path in (ROOT / "presets").glob("*.toml"):
        assert f"`{path.stem}`" in README, f"{path.stem} is not in the README"


def test_ci_runs_the_readme_s_own_two_commands() -> None:
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert "regtui --preset dropout --headless" in commands[0]
    assert "pytest" in commands[1]
    assert "README.md" in (ROOT / ".ci" / "run").read_text(), ".ci/run reads the commands from the README"


def test_every_dependency_has_a_tested_pin_in_its_range() -> None:
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    for requirement in wanted:
        name = re.split(r"[<>=!~ \[]", requirement, maxsplit=1)[0]
        assert name in pins, f"{name} has no pin"


def test_what_builds_the_package_is_pinned_as_what_it_runs_with() -> None:
    pins = set((ROOT / "constraints.txt").read_text().splitlines())
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    names = {requirement.partition("==")[0] for requirement in build["requires"]}
    assert build["build-backend"].partition(".")[0] in names
    assert set(build["requires"]) <= pins


def test_the_version_is_told_once() -> None:
    from regtui import __version__

    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_a_class_has_a_name_of_its_own() -> None:
    places = defaultdict(set)
    for path in (ROOT / "regtui").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].add(str(path.relative_to(ROOT)))
    assert not {name: found for name, found in places.items() if len(found) > 1}
