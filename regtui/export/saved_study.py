"""A saved study as read from its folder, for the exports."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from regtui.errors import InputError
from regtui.study.folder import StudyFolder
from regtui.study.outcome import StudyOutcome, outcome_of
from regtui.study.record import state_of
from regtui.study.words import StudyWords
from regtui.text import one_line


class SavedStudy:
    """One study, judged by the runs in its folder.

    Attributes:
        name: The folder's name.
        outcome: What it came to.
    """

    def __init__(self, name: str, outcome: StudyOutcome) -> None:
        """Take what is exported."""
        self.name = name
        self.outcome = outcome

    @cached_property
    def words(self) -> StudyWords:
        """What is said of it."""
        return StudyWords(self.outcome)


def read_saved_study(folder: Path) -> SavedStudy:
    """Read a study, ended or not.

    Raises:
        InputError: It is none, its plan was changed, two of its runs are of one job, or none has ended.
    """
    study = StudyFolder.open(folder)
    outcome = outcome_of(study, state_of(study))
    if not outcome.runs[0]:
        raise InputError(f"{one_line(folder)}: there is nothing to export; no run of this study has ended")
    return SavedStudy(folder.resolve().name, outcome)
