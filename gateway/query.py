"""What the path and the query of a request say, checked."""

from __future__ import annotations

import re
from collections.abc import Collection

from aiohttp import web

from gateway.problems import ProblemError
from runs.errors import RunUnknown
from schemas.refusal import FieldProblem

_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,18}")
LAST_EVENT_ID = "Last-Event-ID"


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


def read_cursor(request: web.Request) -> int:
    """The last event that the client has: `Last-Event-ID`, or `?after=`, or 0. Raises ProblemError (400).

    The header wins, because a browser that reconnects repeats the first query and adds the header.
    """
    header = request.headers.get(LAST_EVENT_ID)
    if not header:
        return read_number(request, "after", 0)
    if _NUMBER.fullmatch(header) is None:
        detail = (
            f"{LAST_EVENT_ID} is the id of the last frame that was read, a whole number; not {header[:50]!r}."
        )
        raise ProblemError(400, "last_event_id_invalid", detail)
    return int(header)


def refuse_beyond_end(after: int, head: int) -> None:
    """Raise ProblemError (400) for a cursor that no frame of this run has had."""
    if after > head:
        detail = (
            f"The run has {head} events and the cursor says {after}: it is of another run, or was made up."
        )
        raise ProblemError(400, "last_event_id_beyond_end", detail)


def refuse_unknown(request: web.Request, known: Collection[str]) -> None:
    """Raise ProblemError (400) for a query parameter that would be passed over, most likely a typing mistake."""
    unknown = [name for name in request.query if name not in known]
    if unknown:
        raise query_problem(
            unknown[0], f"There is no parameter {unknown[0][:50]!r}; there are {', '.join(known)}."
        )


def wants_stream(request: web.Request) -> bool:
    """Whether the client accepts a stream of events rather than JSON."""
    return "text/event-stream" in request.headers.get("Accept", "").lower()


def query_problem(name: str, message: str) -> ProblemError:
    """The 400 for one parameter of the query."""
    problem = FieldProblem("query_invalid", "", message)
    return ProblemError(400, "query_invalid", f"Query parameter {name[:50]!r}: {message}", errors=[problem])
