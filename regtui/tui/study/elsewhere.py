"""What the runs of a study tell that another program makes: read from their logs, as they grow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from regtui.protocol.events import EpochDone
from regtui.runs.follow import Follower
from regtui.study.engine import Began, Ended, News, Told
from regtui.study.folder import StudyFolder
from regtui.study.plan import Job


class RunsElsewhere:
    """Looks at a study's folder, again and again, and tells what an engine would have told."""

    def __init__(self) -> None:
        self._followed: dict[Path, tuple[Job, Follower]] = {}

    def news(self, study: StudyFolder) -> Iterator[News]:
        """What has happened since the last call: runs that began, their epochs, and runs that go on no more.

        Raises:
            InputError: The folder can't be read.
        """
        jobs = {job.key: job for job in study.jobs}
        going = {folder: jobs[key] for folder, key in study.find_runs().unfinished.items() if key is not None}
        for folder in self._followed.keys() - going.keys():
            yield Ended(self._followed.pop(folder)[0], folder, "finished")
        for folder, job in going.items():
            if folder not in self._followed:
                self._followed[folder] = job, Follower(folder, without_steps=True)
                yield Began(job, folder, "elsewhere")
            with suppress(OSError):  # it is being moved or removed
                for event in self._followed[folder][1].new_events():
                    if isinstance(event, EpochDone):
                        yield Told(job, event)
