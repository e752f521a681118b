"""What a user reads has plain words: no others for 'correct', 'rise again', 'switch', 'get below'."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
NOT_PLAIN = re.compile(r"\b(mend(s|ed)?|turn(s|ed|ing)?|beat(s|en)?)\b|It can be kept", re.IGNORECASE)


def texts(source: str) -> Iterator[str]:
    """The texts of several words in a program that are no docstrings."""
    tree = ast.parse(source)
    documented = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documented:
            yield from [node.value] * (" " in node.value.strip())


def test_what_a_user_reads_has_plain_words() -> None:
    found = [(path.name, text) for path in (ROOT / "regtui").rglob("*.py") for text in texts(path.read_text())]
    written = [ROOT / "README.md", *(ROOT / "presets").glob("*.toml"), *(ROOT / "regtui").rglob("*.j2")]
    found += [(path.name, line) for path in written for line in path.read_text().splitlines()]
    assert len(found) > 1000
    assert [one for one in found if NOT_PLAIN.search(one[1])] == []
