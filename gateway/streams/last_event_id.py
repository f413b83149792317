"""Where a client continues to read: the id of the last event that it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from aiohttp import web

from gateway.endpoint import FromRequest
from gateway.problems import ProblemError
from gateway.query import Parameter, query_problem

LAST_EVENT_ID = "Last-Event-ID"
LATEST = "latest"
_NUMBER = re.compile(r"[0-9]{1,18}")
_UNSIGNED: dict[str, Any] = {"type": "integer", "minimum": 0}
_POSITION: dict[str, Any] = {"oneOf": [_UNSIGNED, {"const": LATEST}]}
_PARAMETERS = (
    Parameter(LAST_EVENT_ID, "header", "The id of the last frame that was read.", _UNSIGNED),
    Parameter(
        "lastEventId", "query", "The same, where a header cannot be set; the header counts.", _POSITION
    ),
    Parameter(
        "after", "query", "The same, or `latest`; both others count for more, so that it may stay.", _POSITION
    ),
)


@dataclass(frozen=True, slots=True)
class LastEventId:
    """Where a client continues: after event `seq`, or (None) after the last one that there is."""

    seq: int | None

    def within(self, head: int) -> int:
        """The seq after which to read a run of `head` events. Raises ProblemError (400) beyond its end."""
        if self.seq is None:
            return head
        if self.seq > head:
            detail = f"The run has {head} events and the cursor says {self.seq}: it is of another run, or was made up."
            raise ProblemError(400, "last_event_id_beyond_end", detail)
        return self.seq


def read_last_event_id(request: web.Request) -> LastEventId | None:
    """The cursor that the client gives: `Last-Event-ID`, `?lastEventId=` or `?after=`. Raises ProblemError (400).

    In this order, because a client that reconnects repeats its first query and adds the header, or `lastEventId` where
    it cannot set one.
    """
    header = request.headers.get(LAST_EVENT_ID)
    if header:
        if _NUMBER.fullmatch(header) is None:
            detail = f"{LAST_EVENT_ID} is the id of the last frame that was read, a whole number; not {header[:50]!r}."
            raise ProblemError(400, "last_event_id_invalid", detail)
        return LastEventId(int(header))
    for name in ("lastEventId", "after"):
        text = request.query.get(name)
        if text == LATEST:
            return LastEventId(None)
        if text is not None:
            if _NUMBER.fullmatch(text) is None:
                raise query_problem(name, f"{name} must be a whole number from 0, or {LATEST}.")
            return LastEventId(int(text))
    return None


ReadFrom = Annotated[LastEventId | None, FromRequest(read_last_event_id, _PARAMETERS)]
"""The cursor of a request; None without one."""
