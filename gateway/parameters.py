"""Which parameters each endpoint takes in its query, as the table of endpoints declares them."""

from __future__ import annotations

from aiohttp import web

from gateway.endpoints import DOORS
from gateway.people.endpoints import PEOPLE_DOORS
from gateway.query import refuse_unknown
from gateway.webhook_endpoints import WEBHOOK_DOORS

_NAMES: dict[str, tuple[str, ...]] = {
    door.name: tuple(each.name for each in door.parameters if each.place == "query")
    for door in (*DOORS, *PEOPLE_DOORS, *WEBHOOK_DOORS)
    if not door.open
}
"""Not of open endpoints: probes and mail programs add parameters of their own to addresses that they call."""


def refuse_unknown_parameters(request: web.Request) -> None:
    """Raise ProblemError (400) for a parameter that the endpoint of this request does not know."""
    known = _NAMES.get(request.match_info.route.name or "")
    if known is not None and request.query_string:
        refuse_unknown(request, known)
