"""Cursors of lists: opaque to clients, checked when they come back."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from aiohttp import web

from gateway.query import query_problem
from runs.event import parse_time, rfc3339


def write_page_cursor(moment: datetime, *names: str) -> str:
    """The place of a row in a list that is ordered by a moment and then by names."""
    return base64.urlsafe_b64encode(" ".join((rfc3339(moment), *names)).encode()).decode()


def read_page_cursor(request: web.Request, names: int) -> tuple[datetime, list[str]] | None:
    """What `write_page_cursor` was given; None without a cursor. Raises ProblemError (400)."""
    text = request.query.get("cursor")
    if text is None:
        return None
    try:
        moment, *found = base64.b64decode(text, altchars=b"-_", validate=True).decode().split(" ")
        if len(found) != names:
            raise ValueError(text)
        return parse_time(moment), found
    except (binascii.Error, ValueError):
        raise query_problem("cursor", "this is not a nextCursor of this list.") from None
