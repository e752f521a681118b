"""The interval for new seeds and new examples, from the predictions of a study's runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regtui.evidence.crossed import crossed
from regtui.evidence.decided import Decided
from regtui.evidence.over_seeds import Pairs, compare
from regtui.runs.predictions import FILE, Predictions, to_bytes
from regtui.study.scopes import both_scopes
from regtui.tasks import LOSS, METRICS

EXAMPLES, SEEDS = 200, 6


def write_run(folder: Path, seed: int, *, regression: bool) -> tuple[float, float]:
    """Predictions of a run, and what its two arms' metric is by them."""
    draw = np.random.default_rng(seed)
    targets = np.random.default_rng(99).integers(0, 3, EXAMPLES)
    arms: dict[str, dict[str, Any]] = {}
    scores: list[float] = []
    for arm, skill in (("baseline", 0.6), ("regularized", 0.8)):
        if regression:
            values = (targets + draw.normal(0, 1 - skill, EXAMPLES)).astype(np.float32)
            arms[arm] = {"values": values}
            spread = ((targets - targets.mean()) ** 2).sum()
            scores.append(1 - float(((values - targets) ** 2).sum() / spread))
        else:
            classes = np.where(draw.random(EXAMPLES) < skill, targets, (targets + 1) % 3).astype(np.uint8)
            arms[arm] = {"classes": classes}
            scores.append(100 * float((classes == targets).mean()))
    kept = targets.astype(np.float32) if regression else targets.astype(np.uint8)
    folder.mkdir()
    (folder / FILE).write_bytes(to_bytes(Predictions(kept, arms)))
    return scores[0], scores[1]


@pytest.mark.parametrize("regression", [False, True])
def test_it_is_that_of_the_differences_example_by_example(tmp_path: Path, *, regression: bool) -> None:
    metric = METRICS["r2" if regression else "accuracy"]
    values = {seed: write_run(tmp_path / str(seed), seed, regression=regression) for seed in range(SEEDS)}
    pairs = Pairs({s: base for s, (base, _) in values.items()}, {s: arm for s, (_, arm) in values.items()})
    score = compare({0: pairs}, Decided("higher", SEEDS))[0]
    folders = {seed: (tmp_path / str(seed), tmp_path / str(seed)) for seed in values}
    found = both_scopes(folders, "regularized", metric, score)
    assert found is not None
    assert score.joint is not None
    assert found[0] <= score.joint[0] < score.joint[1] <= found[1]
    assert (found[0] + found[1]) / 2 == pytest.approx(score.mean, abs=1e-3)
    if not regression:
        by_hand = crossed(
            [100 * np.array(difference) for difference in _by_hand(tmp_path)],
            0.05,
        )
        assert by_hand is not None
        assert found == pytest.approx(by_hand.interval)
        assert both_scopes(folders, "regularized", LOSS, score) is None
    # Scores that these predictions do not bear out are not theirs.
    assert score.mean is not None
    assert both_scopes(folders, "regularized", metric, replace(score, mean=score.mean + 1)) is None
    (tmp_path / "0" / FILE).unlink()
    assert both_scopes(folders, "regularized", metric, score) is None


def _by_hand(folder: Path) -> list[list[float]]:
    from safetensors.numpy import load_file

    rows = []
    for seed in range(SEEDS):
        arrays = load_file(folder / str(seed) / FILE)
        right = [arrays[f"{arm}.classes"] == arrays["targets"] for arm in ("baseline", "regularized")]
        rows.append([float(arm) - float(base) for base, arm in zip(*right, strict=True)])
    return rows
