"""docs/reliability.md says which test breaks which promise: each of them exists, and each promise has one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`(test_\w+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMES}))
def test_each_test_that_it_names_exists(file: str) -> None:
    path = ROOT / "tests" / file
    assert path.exists()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    tests = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert {name for in_file, name in NAMES if in_file == file} - tests == set()


def test_each_promise_has_how_it_is_kept_and_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "| ---"))]
    assert len(rows) >= 12
    for row in rows:
        promise, kept, tests = row.strip("| ").split(" | ")
        assert promise
        assert kept
        assert re.fullmatch(r"`test_\w+\.py::test_\w+`(, `test_\w+\.py::test_\w+`)*", tests.strip()), row


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md"])
def test_it_is_found_from(file: str) -> None:
    assert "(docs/reliability.md)" in (ROOT / file).read_text(encoding="utf-8")
