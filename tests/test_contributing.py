"""CONTRIBUTING.md tells newcomers where things are: every file and name that it gives is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`((?:\w+/)*\w+\.py)(?:::([\w.]+))?`", TEXT)))


@pytest.mark.parametrize(("file", "name"), NAMES)
def test_what_contributing_names_is_there(file: str, name: str) -> None:
    path = next((path for path in (ROOT / "regtui" / file, ROOT / file) if path.exists()), None)
    assert path is not None, f"there is no {file}"
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    for part in name.split(".") if name else ():
        found = [node for node in body if part in _names(node)]
        assert found, f"{file} has no {name}"
        body = getattr(found[0], "body", [])


def test_its_map_has_every_room_in_the_order_of_the_contract() -> None:
    rooms = re.findall(r"^\| `(\w+)/` \|", TEXT, re.MULTILINE)
    assert sorted(rooms) == sorted(path.parent.name for path in (ROOT / "regtui").glob("*/__init__.py"))
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("layers = [")[1]
    places = [re.search(rf'"[^"]*\b{room}\b', contract) for room in rooms]
    assert [place.start() for place in places if place] == sorted(place.start() for place in places if place)
    assert all(places)


def test_its_map_has_every_file_beside_the_rooms() -> None:
    files = {path.name for path in (ROOT / "regtui").glob("[!_]*.py")}
    assert files <= {file for file, _ in NAMES}


def _names(node: ast.stmt) -> list[str]:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []
