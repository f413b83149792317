"""What the path, the query and the head of a request say, checked."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from aiohttp import web

from gateway.problems import ProblemError
from runs.errors import RunUnknown
from schemas.refusal import FieldProblem

_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,18}")
LAST_EVENT_ID = "Last-Event-ID"
LATEST = "latest"


def known_form(run_id: str) -> str:
    """The id as it is kept. Raises RunUnknown for a text that no run can have as its id."""
    if _RUN_ID.fullmatch(run_id) is None:
        raise RunUnknown(f"there is no run {run_id[:100]!r}: that is not a run id")
    return run_id.lower()


def path_run_id(request: web.Request) -> str:
    """The run id in the path. Raises RunUnknown."""
    return known_form(request.match_info["run_id"])


def read_number(
    request: web.Request, name: str, default: int, *, least: int = 0, most: int | None = None
) -> int:
    """A whole number from the query. Raises ProblemError (400)."""
    text = request.query.get(name)
    if text is None:
        return default
    number = int(text) if _NUMBER.fullmatch(text) else -1
    if number < least or (most is not None and number > most):
        expected = f"a whole number from {least}" + (f" to {most}" if most is not None else "")
        raise query_problem(name, f"{name} must be {expected}.")
    return number


@dataclass(frozen=True, slots=True)
class LastEventId:
    """Where a client reads on: after event `seq`, or (None) after the last one that there is."""

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


def refuse_unknown(request: web.Request, known: Collection[str]) -> None:
    """Raise ProblemError (400) for a query parameter that would be passed over, most likely a typing mistake."""
    unknown = [name for name in request.query if name not in known]
    if unknown:
        there_are = f"there are {', '.join(known)}" if known else "there are none here"
        raise query_problem(unknown[0], f"There is no parameter {unknown[0][:50]!r}; {there_are}.")


def query_problem(name: str, message: str) -> ProblemError:
    """The 400 for one parameter of the query."""
    problem = FieldProblem("query_invalid", "", message)
    return ProblemError(400, "query_invalid", f"Query parameter {name[:50]!r}: {message}", errors=[problem])
