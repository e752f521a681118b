"""Leaving a study that goes on: what is asked."""

from __future__ import annotations

from regtui.tui.widgets.dialogs import AskWhileItTrains, Choice

QUIT_CHOICES = (
    Choice("g", "go on", "Go on with the study"),
    Choice("l", "running", "Leave it running: another process makes its runs"),
    Choice("k", "keep", "Stop, keep what is done, and leave"),
)


class LeaveStudyQuestion(AskWhileItTrains):
    """Asks what becomes of the study that goes on."""

    def __init__(self, *, is_left_running: bool) -> None:
        """Ask; `is_left_running` says that another process is to take it over already."""
        words = (
            "Its runs that are done are kept. Those that run now go on from their checkpoints, where the study saves "
            "them, or are begun anew."
        )
        if is_left_running:
            words = f"Another process takes it over, unless you choose something else. {words}"
        super().__init__("Leave while the study goes on?", words, QUIT_CHOICES)
