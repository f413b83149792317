"""`/api/hitl/links`: which links there are, and taking one back."""

from __future__ import annotations

from aiohttp import web

from eventstore.links import LinkCursor, LinkFilters, LinkRow, get_link, list_links, revoke_link
from gateway.answers import json_answer
from gateway.deps import GATEWAY
from gateway.hitl.cursors import read_page_cursor, write_page_cursor
from gateway.hitl.links import LinkEnded, link_actor
from gateway.middleware import caller, note
from gateway.problems import ProblemError
from gateway.query import known_form, read_number
from gateway.routes.links import MAKER_ROLE
from runs.event import JsonObject, rfc3339

ROUTES = web.RouteTableDef()

PATH = "/api/hitl/links"
DEFAULT_PAGE_LINKS = 50
MAX_PAGE_LINKS = 200


@ROUTES.get(PATH, name="listLinks")
async def show_links(request: web.Request) -> web.Response:
    """A page of links, newest first, without their addresses; of others only for the role `links`."""
    limit = read_number(request, "limit", DEFAULT_PAGE_LINKS, least=1, most=MAX_PAGE_LINKS)
    run_id, cursor = request.query.get("runId"), read_page_cursor(request, names=1)
    filters = LinkFilters(
        run_id=known_form(run_id) if run_id is not None else None,
        request_id=request.query.get("requestId"),
        mine=_only_mine(request),
    )
    after = LinkCursor(cursor[0], cursor[1][0]) if cursor is not None else None
    rows = await list_links(request.app[GATEWAY].deps.store, filters, after=after, limit=limit)
    body: JsonObject = {"links": [_shown(request, row) for row in rows]}
    if len(rows) == limit:
        body["nextCursor"] = write_page_cursor(rows[-1].created_at, rows[-1].link_id)
    return json_answer(body)


@ROUTES.post(PATH + "/{link_id}/revoke", name="revokeLink")
async def revoke(request: web.Request) -> web.Response:
    """The link decides nothing from now on. Again, nothing changes."""
    gateway, link_id = request.app[GATEWAY], request.match_info["link_id"]
    row, mine = await get_link(gateway.deps.store, link_id), _only_mine(request)
    if row is None or (mine is not None and mine not in (row.made_by, row.person)):
        raise ProblemError(404, "link_unknown", f"There is no link {link_id[:100]!r}.")
    note(request, run_id=row.run_id)
    await gateway.carry_out(revoke_link(gateway.deps.store, link_id, caller(request).name))
    revoked = await get_link(gateway.deps.store, link_id)
    return json_answer(_shown(request, revoked or row), run_id=row.run_id)


def _only_mine(request: web.Request) -> str | None:
    """Whose links this caller may see; None for everybody's."""
    who = caller(request)
    return who.name if who.verified and MAKER_ROLE not in who.roles else None


def _shown(request: web.Request, row: LinkRow) -> JsonObject:
    return {
        "linkId": row.link_id,
        "runId": row.run_id,
        "requestId": row.request_id,
        "for": row.person,
        "status": _status(request, row),
        "madeBy": row.made_by,
        "createdAt": rfc3339(row.created_at),
        "expiresAt": rfc3339(row.expires_at),
        "revokedAt": rfc3339(row.revoked_at) if row.revoked_at is not None else None,
        "revokedBy": row.revoked_by,
    }


def _status(request: web.Request, row: LinkRow) -> str:
    deps = request.app[GATEWAY].deps
    if row.revoked_at is not None:
        return "revoked"
    try:
        link_actor(row, deps.tokens)
    except LinkEnded:
        return "ended"
    return "expired" if deps.clock() >= row.expires_at else "active"
