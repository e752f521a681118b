"""What a study without a screen prints: a table of its runs with the verdict, or JSON; and its progress bar."""

from __future__ import annotations

import json as json_text
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from regtui.cli.cursor import cursor_shown_while_stopped
from regtui.console import PROSE, can_draw, complain, forgiving, room, say
from regtui.preset.arms import BASELINE
from regtui.study.conduct import Opened, Pace
from regtui.study.design import describe_size
from regtui.study.engine import Ended, News
from regtui.study.folder import StudyFolder
from regtui.study.forecast import forecast
from regtui.study.naming import span
from regtui.study.outcome import StudyOutcome, metric_of
from regtui.study.plan import Job, StudyPlan
from regtui.study.scores import read_scores
from regtui.text import NBSP, counted, duration, number, one_line


class StudyTablePrinter:
    """A header, then a line for each run that ends, with the time that is left; at the end the verdict.

    Attributes:
        failed: The runs that failed, or are not all saved.
    """

    def __init__(self, study: StudyFolder, shown: Callable[[int, int, str], None], jobs: int, *, queued: bool) -> None:
        """Print nothing yet.

        Args:
            study: The study.
            shown: Takes the runs that are done, all runs, and words on the time that is left.
            jobs: How many runs are begun before one has ended.
            queued: Whether they wait in a scheduler's queue, so that fewer may be made at a time.
        """
        self.failed: list[Ended] = []
        self._study, self._shown, self._jobs, self._queued = study, shown, jobs, queued
        self._pace = Pace([], set(), 1)
        self._total = self._done = 0

    def tell(self, news: News | Opened) -> None:
        """Print what has happened."""
        if isinstance(news, Opened):
            self._begin(news)
            return
        self._pace(news)
        left = self._pace.seconds_left
        words = "" if left is None else f"{'about ' * (left >= 1)}{duration(left)} left"
        if isinstance(news, Ended):
            self._done += 1
            self.failed += [news] if news.status == "failed" or news.unsaved else []
            line = f"{self._done:>{len(str(self._total))}} of {self._total}  {_ended_words(news, self._study.plan)}"
            say(f"{line}  {words if self._done < self._total else ''}".rstrip())
        self._shown(self._done, self._total, words)

    def end(self, outcome: StudyOutcome) -> None:
        """Print what the study came to."""
        from regtui.study.details import verdict_lines

        say()
        for line in verdict_lines(outcome, min(room(), PROSE)):
            say(line)
        say()
        say(f"study  {one_line(self._study.path)}")

    def _begin(self, news: Opened) -> None:
        self._pace = Pace(news.jobs, set(news.done), self._jobs)
        self._total, self._done = len(news.jobs), len(news.done)
        plan = self._study.plan
        at_once = f"{'up to ' * self._queued}{counted(self._jobs, 'run')} at a time"
        say(f"study  {describe_size(plan)}; {at_once}")
        if self._study.added:
            say(f"       seeds {span(self._study.added)} were added to the plan, and are exploratory")
        say(f"folder {one_line(self._study.path)}")
        if news.done:
            say(f"done   {len(news.done):,} of {counted(len(news.jobs), 'run')}, which are not made again")
        for folder in news.strangers:
            complain(f"regtui: {one_line(folder.name)} is a run of other settings or seeds, and does not count")
        if warning := news.jobs[0].preset.warning:
            self._explain("note", warning)
        if not news.done:
            self._explain("finds", forecast(plan, self._study.path.parent))
        say()

    def _explain(self, what: str, words: str) -> None:
        for line in textwrap.wrap(f"{what:<7}{words}", min(room(), PROSE), subsequent_indent=" " * 7):
            say(line.replace(NBSP, " "))


class StudyJsonPrinter:
    """One JSON object a line: the study's beginning, each run that ends, and what study.json holds at the end.

    Attributes:
        failed: The runs that failed, or are not all saved.
    """

    def __init__(self, study: StudyFolder) -> None:
        self.failed: list[Ended] = []
        self._study = study

    def tell(self, news: News | Opened) -> None:
        """Print what has happened."""
        if isinstance(news, Opened):
            strangers = [one_line(folder.name) for folder in news.strangers]
            counts = {"runs": len(news.jobs), "done": len(news.done)}
            finds = "" if news.done else forecast(self._study.plan, self._study.path.parent)
            self._say(kind="study_started", folder=str(self._study.path), **counts, strangers=strangers, finds=finds)
        elif isinstance(news, Ended):
            self.failed += [news] if news.status == "failed" or news.unsaved else []
            cell, seed, trial = news.job.key
            self._say(
                kind="run_ended",
                **{"cell": cell, "seed": seed, "trial": trial, "status": news.status, "error": one_line(news.error)},
                folder=None if news.folder is None else str(news.folder),
                differences=_differences(news.folder, self._study.plan),
            )

    def end(self, outcome: StudyOutcome) -> None:
        """Print what the study came to."""
        from regtui.study.record import to_json

        self._say(kind="study_ended", **to_json(outcome, self._study.name))

    def _say(self, **content: object) -> None:
        say(json_text.dumps(content, ensure_ascii=False))


def _ended_words(ended: Ended, plan: StudyPlan) -> str:
    """What a run came to: 'seed 3  rate-0_1 +0.42  rate-0_3 +0.65'."""
    form = f"+.{metric_of(plan).digits}f"
    found = "  ".join(f"{arm} {number(value, form)}" for arm, value in _differences(ended.folder, plan).items())
    return f"{job_words(ended.job, plan)}  {found or ended.status}"


def job_words(job: Job, plan: StudyPlan, gap: str = "  ") -> str:
    """A run in words: 'seed 3  train.epochs=20  trial 1', the trial where something is tuned."""
    trial = f"trial {job.trial + 1}" if plan.tune else ""
    return gap.join(filter(None, (f"seed {job.seed}", job.cell, trial)))


def _differences(folder: Path | None, plan: StudyPlan) -> dict[str, float]:
    """Each arm's value in the plan's metric on the test set minus the baseline's, as it is shown."""
    scores = None if folder is None else read_scores(folder)
    if scores is None:
        return {}
    metric = metric_of(plan)
    tested = {arm: metric.factor * of.test[metric.name] for arm, of in scores.arms.items() if metric.name in of.test}
    if BASELINE not in tested:
        return {}
    return {arm: round(value - tested[BASELINE], 9) for arm, value in tested.items() if arm != BASELINE}


@contextmanager
def study_progress(*, wanted: bool) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar on stderr if that is a terminal; yields a function of runs done, all runs, and words."""
    if not (wanted and can_draw(sys.stderr)):
        yield lambda _done, _total, _words: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} runs"),
        TextColumn("{task.fields[words]}"),
    )
    console = Console(file=forgiving(sys.stderr))
    progress = Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty())
    with cursor_shown_while_stopped(), progress:
        task = progress.add_task("runs", total=1, words="loading PyTorch")
        yield lambda done, total, words: progress.update(task, completed=done, total=total, words=words)
