"""Time in a run that may be paused: in a pause nothing with a due time expires."""

from __future__ import annotations

from datetime import datetime

from runs.draft import Draft
from runs.errors import NotReady
from runs.transitions import PAUSED


def running_time(draft: Draft) -> datetime:
    """The time that ends are compared with: now, or the beginning of the pause that the run is in."""
    state = draft.state
    return state.paused_at if state.status == PAUSED and state.paused_at is not None else draft.now


def check_running(draft: Draft) -> None:
    """Raise NotReady while the run is paused: nothing expires then."""
    if draft.state.status == PAUSED:
        raise NotReady("the run is paused, and its time with it")
