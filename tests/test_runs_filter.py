"""The filter of the list: words and comparisons."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from regtui.errors import InputError
from regtui.runs.files import Field
from regtui.runs.filter import parse_filter
from regtui.runs.info import RunInfo

MORE: dict[str, dict[str, Field]] = {
    "dropout": {"regularized.dropout.rate": 0.5},
    "l2": {"regularized.l2.strength": 1e-4},
    "Early": {"data.dataset": "FASHION"},
}
RUNS = [
    RunInfo(
        Path(f"logs/2026-{name}"),
        datetime(2026, 1, 1, tzinfo=UTC),
        "finished",
        fields={"preset": name, "status": "finished", "seed": seed, "test.difference": difference, **MORE[name]},
    )
    for name, seed, difference in [
        ("dropout", 0, 0.6),
        ("l2", 1, -0.2),
        ("Early", 10, 0.4),
    ]
]


def names(text: str) -> list[str]:
    return [run.preset for run in parse_filter(text).select(RUNS)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["dropout", "l2", "Early"]),
        ("EARLY", ["Early"]),
        ("finished 2026-", ["dropout", "l2", "Early"]),
        ("drop finished", ["dropout"]),
        ("drop l2", []),
        ("test.difference>0.5", ["dropout"]),
        ("test.difference>0.5 regularized.dropout.rate=0.5 status=finished", ["dropout"]),
        ("test.difference<=-0.2", ["l2"]),
        ("seed>=1", ["l2", "Early"]),
        ("seed<10", ["dropout", "l2"]),
        ("seed=1e1", ["Early"]),
        ("seed!=1", ["dropout", "Early"]),
        ("seed<inf", ["dropout", "l2", "Early"]),
        ("seed=one", []),
        ("seed!=one", ["dropout", "l2", "Early"]),
        ("seed<nan", []),
        ("regularized.l2.strength=0.0001", ["l2"]),
        ("regularized.l2.strength!=1", ["l2"]),
        ("data.dataset=fashion", ["Early"]),
        ("preset<e", ["dropout"]),
        ("preset=dropout=", []),
    ],
)
def test_a_filter_keeps_what_meets_all_its_terms(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(("text", "what"), [("seed<", "value"), ("<5", "key"), ("=", "key"), ("drop seed!=", "value")])
def test_half_a_comparison_is_refused(text: str, what: str) -> None:
    with pytest.raises(InputError, match=f"lacks its {what}"):
        parse_filter(text)


def test_a_key_that_no_run_has_is_named_with_the_nearest() -> None:
    assert parse_filter("test.diference>0").unknown(RUNS) == (
        "no run has a field 'test.diference'; did you mean 'test.difference'?"
    )
    assert parse_filter("zzz=1").unknown(RUNS) == "no run has a field 'zzz'"
    assert parse_filter("regularized.dropout.rate=9 seed=0 word").unknown(RUNS) == ""
    assert parse_filter("zzz=1").unknown([]) == ""


@pytest.mark.parametrize("term", ["verdict=better", "verdict!=worse", "verdict=Better"])
def test_a_verdict_that_one_run_can_t_have_is_told_with_those_it_can(term: str) -> None:
    told = parse_filter(term).unknown(RUNS)
    assert told.startswith(f"{term}: the verdict of one run is more, fewer, closer, farther, undecided, same or none")
    assert "several seeds" in told
    assert parse_filter("verdict=more").unknown([*RUNS, replace(RUNS[0], fields={"verdict": "fewer"})]) == ""


def test_a_setting_that_came_later_than_a_run_is_at_its_default() -> None:
    old = replace(RUNS[0], fields={**RUNS[0].fields, "train.epochs": 3, "regularized.dropout.rate": 0.5})
    for text in ("train.schedule=constant", "train.warmup_epochs<1", "regularized.dropout.input_rate=0"):
        assert parse_filter(text).select([old]) == [old]
        assert parse_filter(text).unknown([old]) == ""
    for text in ("train.schedule=cosine", "baseline.dropout.rate<1", "train.schedul=constant", "arms.=3", "arms.x=3"):
        assert parse_filter(text).select([old]) == []
    assert "did you mean" in parse_filter("train.epoch=3").unknown([old])
