"""study.json: every number of an outcome, as JSON that other programs can read."""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields, replace
from pathlib import Path

from regtui.evidence.over_seeds import Compared
from regtui.preset.arms import BASELINE
from regtui.study import record
from regtui.study.folder import StudyFolder
from regtui.study.outcome import judge
from regtui.study.plan import PlannedCell
from regtui.study.record import to_json, write_outcome
from tests.made_scores import made, noisy, plan_of, scores_of


def test_every_number_of_an_outcome_is_in_it(tmp_path: Path) -> None:
    held = PlannedCell(name="e", settings={"train.epochs": 6}, role="sensitivity")
    plan = plan_of(2, seeds=8, cells=[PlannedCell(name=""), held])
    study = StudyFolder.create(plan, tmp_path)
    outcome = judge(plan, scores_of(plan, noisy(1.5), added=[8]), "finished", added=[8], strangers=["other"])
    write_outcome(study, outcome)
    told = json.loads(study.outcome.read_text())
    assert told == json.loads(json.dumps(to_json(outcome, study.name)))
    assert told["runs"] == {"done": 16, "planned": 16}
    assert told["strangers"] == ["other"]
    assert [cell["name"] for cell in told["cells"]] == ["", "e"]
    for cell in told["cells"]:
        of = outcome.cells[cell["name"]]
        assert cell["baseline"]["test"] == {str(seed): value for seed, value in of.baseline.items()}
        for name, arm in cell["arms"].items():
            assert arm["test"] == {str(seed): value for seed, value in of.arms[name].values.items()}
            for part, compared in (("score", of.arms[name].score), ("loss", of.arms[name].loss)):
                assert set(arm[part]) == {field.name for field in fields(Compared)}
                assert compared is not None
                assert arm[part]["mean"] == compared.mean
                assert arm[part]["joint"] == list(compared.joint or ())
                assert arm[part]["differences"] == {str(s): d for s, d in compared.differences.items()}
    assert set(told["cells"][0]["exploratory"]) == set(outcome.cells[""].arms)


def test_what_is_not_finite_is_null() -> None:
    outcome = made(plan_of(seeds=3), noisy(1.0))
    cell = outcome.cells[""]
    arm = replace(cell.arms["regularized"], both_scopes=(-math.inf, math.nan), cost=math.inf)
    cells = {"": replace(cell, arms={"regularized": arm}, baseline={0: math.nan})}
    told = to_json(replace(outcome, cells=cells), "name")
    assert told["cells"][0]["arms"]["regularized"]["both_scopes"] == [None, None]
    assert told["cells"][0]["arms"]["regularized"]["cost"] is None
    assert told["cells"][0][BASELINE]["test"] == {0: None}
    json.dumps(told, allow_nan=False)


def test_every_field_is_told_in_the_schema() -> None:
    words = re.findall(r"[a-z_]+", record.__doc__ or "")
    assert {field.name for field in fields(Compared)} <= set(words)
    told = to_json(made(plan_of(seeds=3), noisy(1.0)), "name")
    assert set(told) <= set(words)
    assert set(told["cells"][0]) | set(told["cells"][0]["arms"]["regularized"]) <= set(words)
