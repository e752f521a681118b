"""False calls on real training: studies of two arms that are the same experiment but for their random streams.

`python -m tests.bench.study_aa` trains 240 small networks twice, with dropout 0.2 in both arms, whose masks differ, and
judges them as 40 studies of 6 seeds. Whatever is called is a false call; at alpha 0.05 two of 40 are to be expected.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path

from scipy.stats import binom

from regtui.evidence.decided import Decided
from regtui.evidence.over_seeds import Compared, Pairs, compare
from regtui.preset.arms import BASELINE
from regtui.preset.file import load
from regtui.study.conduct import conduct
from regtui.study.design import Wishes, make_plan
from regtui.study.folder import StudyFolder
from regtui.study.local import LocalEngine
from regtui.study.outcome import StudyOutcome
from regtui.study.scores import gather, read_scores
from regtui.tasks import METRICS

ARM = "regularized"
SAME = ("baseline.dropout.rate=0.2", f"{ARM}.dropout.rate=0.2", "data.val_samples=500")


def main() -> None:
    """Train, judge and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--studies", type=int, default=40)
    options.add_argument("--seeds", type=int, default=6)
    options.add_argument("--jobs", type=int, default=2)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as logs:
        study = StudyFolder.create(make_plan(load("smoke", SAME), Wishes(str(asked.studies * asked.seeds))), Path(logs))
        outcomes: list[StudyOutcome] = []
        began = time.monotonic()
        state = conduct(study, LocalEngine(asked.jobs), threading.Event(), lambda _news: None, outcomes.append)
        print(f"{len(study.plan.seeds)} runs of two arms, {state} after {time.monotonic() - began:.0f} s")
        whole = outcomes[-1].cells[""].arms[ARM].score
        _tell("all of them as one study", [whole])
        scores = {key: of for key, path in study.find_runs().done.items() if (of := read_scores(path)) is not None}
        read = gather(study.plan, "", scores, study.plan.seeds, METRICS["accuracy"])
        for title, better, values in (("accuracy", "higher", read.values), ("test loss", "lower", read.losses)):
            groups = [study.plan.seeds[i :: asked.studies] for i in range(asked.studies)]
            found = [
                compare(
                    {ARM: Pairs(*({seed: values[arm][seed] for seed in seeds} for arm in (BASELINE, ARM)))},
                    Decided("higher" if better == "higher" else "lower", asked.seeds),
                )[ARM]
                for seeds in groups
            ]
            _tell(f"{asked.studies} studies of {asked.seeds} seeds by {title}", found)


def _tell(title: str, found: list[Compared]) -> None:
    called = [of.call for of in found if of.call in ("helps", "hurts")]
    by_flip = sum(of.p_flip is not None and of.p_flip <= 0.05 for of in found)
    count = len(found)
    print(f"{title}: {len(called)} called ({called.count('helps')} helps, {called.count('hurts')} hurts)")
    print(
        f"  by sign-flip {by_flip}; at least so many of {count} by chance: {binom.sf(len(called) - 1, count, 0.05):.2f}"
    )
    means = [of.mean for of in found if of.mean is not None]
    spreads = [of.deviation for of in found if of.deviation is not None]
    related = [of.correlation for of in found if of.correlation is not None]
    print(
        f"  mean difference {statistics.mean(means):+.4f}, standard deviation within a study "
        f"{statistics.mean(spreads):.4f}, correlation {statistics.mean(related):.2f}"
    )


if __name__ == "__main__":
    main()
