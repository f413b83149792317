"""`/api/hitl/links`: making a signed link for a request, which links there are, and taking one back."""

from __future__ import annotations

from datetime import datetime, timedelta

from aiohttp import web

from eventstore.links import (
    MAX_LINKS_OF_REQUEST,
    LinkCursor,
    LinkFilters,
    LinkRow,
    NewLink,
    add_link,
    get_link,
    list_links,
    revoke_link,
)
from eventstore.queries import RequestRow, get_request
from gateway.answers import json_answer
from gateway.auth import Tokens
from gateway.body import expect_continue
from gateway.deps import GATEWAY, Gateway
from gateway.middleware import caller, note
from gateway.page_cursor import read_page_cursor, write_page_cursor
from gateway.people.bodies import read_model
from gateway.people.link_page import PAGE_PATH
from gateway.people.link_signer import UNVERIFIED, LinkEnded, link_actor, new_link_id
from gateway.problems import ProblemError
from gateway.query import known_form, read_number
from runs.commands import Actor, RemoveRequest
from runs.errors import NotAllowed, RequestResolved, RequestUnknown
from runs.event import JsonObject, rfc3339
from runs.rules.permissions import check_allowed
from schemas.control import LinkBody

ROUTES = web.RouteTableDef()

PATH = "/api/hitl/links"
MAKER_ROLE = "links"
"""Whose token has this role may make links in the names of others."""

DEFAULT_LINK_SECONDS = 7 * 24 * 3600.0
DEFAULT_PAGE_LINKS = 50
MAX_PAGE_LINKS = 200


@ROUTES.post("/api/hitl/link", name="makeLink", expect_handler=expect_continue)
async def make_link(request: web.Request) -> web.Response:
    """A link that lets its holder decide this request, in the caller's name or in that of `for`."""
    gateway = request.app[GATEWAY]
    body = await read_model(request, LinkBody)
    actor = _link_actor(caller(request), body.for_, gateway.deps.tokens)
    row = await get_request(gateway.deps.store, body.request_id)
    if row is None or (body.run_id is not None and known_form(body.run_id) != row.run_id):
        raise RequestUnknown(f"there is no request {body.request_id}", requestId=body.request_id)
    note(request, run_id=row.run_id)
    await _require_useful(gateway, row, actor)
    link_id = new_link_id()
    ends = _end(row, gateway.deps.clock(), body.expires_in_seconds)
    new = NewLink(
        link_id=link_id,
        run_id=row.run_id,
        request_id=row.request_id,
        person=actor.name if actor.verified else None,
        known=gateway.deps.tokens.named(actor.name) is not None,
        with_tokens=gateway.deps.tokens.configured,
        made_by=caller(request).name,
        expires_at=ends,
    )
    if not await gateway.carry_out(add_link(gateway.deps.store, new)):
        detail = f"This request has {MAX_LINKS_OF_REQUEST} links already."
        raise ProblemError(409, "links_full", detail)
    path = PAGE_PATH.format(token=await gateway.links.sign(link_id))
    origin = gateway.config.public_url or f"{request.scheme}://{request.host}"
    shown: JsonObject = {
        "linkId": link_id,
        "url": origin.rstrip("/") + path,
        "runId": row.run_id,
        "requestId": row.request_id,
        "for": new.person,
        "expiresAt": rfc3339(ends),
    }
    return json_answer(shown, status=201, run_id=row.run_id)


def _end(row: RequestRow, now: datetime, asked_seconds: float | None) -> datetime:
    ends = now + timedelta(seconds=asked_seconds or DEFAULT_LINK_SECONDS)
    return min(ends, row.expires_at or ends).replace(microsecond=0)


def _link_actor(asked_by: Actor, name: str | None, tokens: Tokens) -> Actor:
    """In whose name the link decides. Raises NotAllowed."""
    if name is None or name == asked_by.name:
        return asked_by if asked_by.verified else UNVERIFIED
    if asked_by.verified and MAKER_ROLE not in asked_by.roles:
        detail = f"links in the name of {name} can be made with the role {MAKER_ROLE!r} only"
        raise NotAllowed(f"{asked_by.name} may make links in their own name; {detail}")
    return tokens.named(name) or Actor(name, verified=True)


async def _require_useful(gateway: Gateway, row: RequestRow, actor: Actor) -> None:
    """Raise RunError where nobody could decide with this link."""
    state = await gateway.deps.store.load(row.run_id, fresh=True)
    request = state.requests[row.request_id]
    if not request.open or state.finished:
        raise RequestResolved(f"request {request.id} waits for nobody any more", requestId=request.id)
    if actor.verified:
        command = RemoveRequest(now=gateway.deps.clock(), request_id=request.id, actor=actor)
        check_allowed(state, request, command)


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
