"""docs/diagnosis.md: the rules of diagnosis as a table, made from the code by `python -m tests.diagnosis_page`."""

from __future__ import annotations

from pathlib import Path

from regtui.evidence.rules import RULES

PAGE = Path(__file__).parent.parent / "docs" / "diagnosis.md"
INTRODUCTION = """\
# Diagnosis

Below a verdict stands what the curves say: of a run at most three sentences with numbers, of a study two; then what to
try next, as a command. `regtui show`, a headless run, the details (`d`) on screen and the HTML report have the
same. These are the rules, the most important first, each with the case in which it is wrong: a sentence is a hint where
to look, never a verdict.

A run that was steered or stopped, or has fewer than three epochs, says nothing of its curves. Of a study a rule holds
where at least three quarters of the seeds, and four at least, show it; "losses" are validation losses where nothing
else is said.

This page is made from `regtui/evidence/rules.py` by `python -m tests.diagnosis_page`.
"""


def page() -> str:
    """The page as it should be."""
    blocks = [INTRODUCTION]
    for rule in RULES:
        told = f"run: `{_place(rule.in_run)}`" if rule.in_run is not None else ""
        study = f"study: `{_place(rule.in_study)}`" if rule.in_study is not None else ""
        blocks.append(
            f"## {rule.name[0].upper()}{rule.name[1:]}\n\n"
            f"| | |\n| --- | --- |\n"
            f"| looks at | {rule.looks_at} |\n"
            f"| holds when | {rule.holds_when} |\n"
            f"| suggests | {rule.suggests} |\n"
            f"| **is wrong when** | {rule.wrong_when} |\n"
            f"| its test | {', '.join(filter(None, (told, study)))} |\n"
        )
    return "\n".join(blocks)


def _place(test: object) -> str:
    module = test.__module__.replace("regtui.", "").replace(".", "/")
    return f"{module}.py::{test.__name__}"  # type: ignore[attr-defined]


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
