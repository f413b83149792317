"""`/api/hitl/links`: making a signed link for a request, which links there are, and taking one back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

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
from eventstore.queries.requests import RequestRow, get_request
from gateway.auth import Tokens
from gateway.deps import GATEWAY, Gateway
from gateway.endpoint import (
    JSON,
    QUERY_INVALID,
    UNAUTHORIZED,
    UNAVAILABLE,
    DocumentedResponse,
    Endpoints,
    FromRequest,
)
from gateway.errors import LimitReached, NotFound
from gateway.middleware import bind_log_fields, caller
from gateway.page_cursor import page_cursor, write_page_cursor
from gateway.people.documentation import BODY_INVALID, DEFAULT_PAGE, MAX_PAGE, NOT_ALLOWED, UNDECIDABLE
from gateway.people.link_page import PAGE_PATH
from gateway.people.link_signer import UNVERIFIED, LinkEnded, link_actor, new_link_id
from gateway.query import Parameter, Query, QueryValue, whole_number
from gateway.response import Response, document, json_response
from gateway.run_id import canonical_run_id, run_id_value
from gateway.runs.documentation import RUN_UNKNOWN
from runs.commands import Actor, RemoveRequest
from runs.errors import NotAllowed, RequestResolved, RequestUnknown
from runs.event import JsonObject, parse_time
from runs.rules.permissions import check_allowed
from schemas.base import RunId, Timestamp
from schemas.control import LinkBody

ENDPOINTS = Endpoints("people")

MAKER_ROLE = "links"
"""The role whose tokens may make links in the names of others."""

DEFAULT_LINK_SECONDS = 7 * 24 * 3600.0

PathLinkId = Annotated[
    str,
    FromRequest(
        lambda request: request.match_info["link_id"],
        [Parameter("link_id", "path", "The link's id, as the list has it.")],
    ),
]


class NoSuchLink(NotFound):
    """No link of this caller has this id."""

    code = "link_unknown"


class LinksFull(LimitReached):
    """The request has as many links as it may have."""

    code = "links_full"


def _read_cursor(key: Sequence[str]) -> LinkCursor:
    created_at, link_id = key
    return LinkCursor(parse_time(created_at), link_id)


class LinkListQuery(Query):
    """Which links to list, and from where on."""

    run_id: Annotated[str | None, run_id_value("Only those of this run.")] = None
    request_id: Annotated[str | None, QueryValue("Only those of this request.")] = None
    cursor: Annotated[LinkCursor | None, page_cursor(_read_cursor)] = None
    limit: Annotated[int, whole_number("How many, at most.", least=1, most=MAX_PAGE)] = DEFAULT_PAGE


class LinkMade(Response):
    """A link to send to a person. `for` is null where whoever opens it says their name."""

    link_id: str
    url: str
    run_id: RunId
    request_id: str
    for_: str | None
    expires_at: Timestamp


class LinkSummary(Response):
    """A link without its address. `ended`: its person has no access any more, or it was made without tokens."""

    link_id: str
    run_id: RunId
    request_id: str
    for_: str | None
    status: Literal["active", "expired", "revoked", "ended"]
    made_by: str
    created_at: Timestamp
    expires_at: Timestamp
    revoked_at: Timestamp | None
    revoked_by: str | None

    @classmethod
    def of(cls, row: LinkRow, tokens: Tokens, now: datetime) -> JsonObject:
        """A link as its row has it, and what it is good for now."""
        return document(cls, row, for_=row.person, status=_status(row, tokens, now))


def _status(row: LinkRow, tokens: Tokens, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    try:
        link_actor(row, tokens)
    except LinkEnded:
        return "ended"
    return "expired" if now >= row.expires_at else "active"


class LinkList(Response):
    """Newest first; `nextCursor` is there while there are more."""

    links: list[LinkSummary]
    next_cursor: str | None = None


@ENDPOINTS.post(
    "/api/hitl/link",
    name="makeLink",
    needs=("links:make", "hitl:respond", "runs:payload"),
    acts_on="link",
    summary="A signed link that lets its holder decide one request",
    description="It decides in the caller's name. In the name of somebody else (`for`) links are made by tokens"
    " with the role `links`, or by anybody where no tokens are configured. It shows what is asked, and decides it: so"
    " nobody makes one who may not do both.",
    responses=[DocumentedResponse(201, "The link.", {JSON: LinkMade})],
    problems=BODY_INVALID | UNAUTHORIZED | NOT_ALLOWED | UNDECIDABLE | UNAVAILABLE,
)
async def make_link(request: web.Request, body: LinkBody) -> web.Response:
    """A link that lets its holder decide this request, in the caller's name or in that of `for`."""
    gateway = request.app[GATEWAY]
    actor = _link_actor(caller(request), body.for_, gateway.deps.tokens)
    row = await get_request(gateway.deps.store, body.request_id)
    if row is None or (body.run_id is not None and canonical_run_id(body.run_id) != row.run_id):
        raise RequestUnknown(f"there is no request {body.request_id}", requestId=body.request_id)
    bind_log_fields(request, run_id=row.run_id)
    await _require_useful(gateway, row, actor)
    link_id = new_link_id()
    bind_log_fields(request, link_id=link_id)
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
    if not await gateway.shield_write(add_link(gateway.deps.store, new)):
        raise LinksFull(f"This request has {MAX_LINKS_OF_REQUEST} links already.")
    path = PAGE_PATH.format(token=await gateway.links.sign(link_id))
    origin = gateway.config.public_url or f"{request.scheme}://{request.host}"
    made = document(LinkMade, new, url=origin.rstrip("/") + path, for_=new.person)
    return json_response(made, status=201, run_id=row.run_id)


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
    """Raise RunError where no person could decide with this link."""
    state = await gateway.deps.store.load(row.run_id, fresh=True)
    request = state.requests[row.request_id]
    if not request.open or state.finished:
        raise RequestResolved(f"request {request.id} waits for nobody any more", requestId=request.id)
    if actor.verified:
        command = RemoveRequest(now=gateway.deps.clock(), request_id=request.id, actor=actor)
        check_allowed(state, request, command)


@ENDPOINTS.get(
    "/api/hitl/links",
    name="listLinks",
    needs="runs:read",
    summary="Links, newest first, without their addresses",
    description="Those that the caller made or that are in the caller's name; with the role `links`, or where no"
    " tokens are configured, all of them.",
    responses=[DocumentedResponse(200, "A page.", {JSON: LinkList})],
    problems=QUERY_INVALID | UNAUTHORIZED | RUN_UNKNOWN | UNAVAILABLE,
)
async def show_links(request: web.Request, query: LinkListQuery) -> web.Response:
    """A page of links, newest first, without their addresses; of others only for the role `links`."""
    deps = request.app[GATEWAY].deps
    filters = LinkFilters(run_id=query.run_id, request_id=query.request_id, mine=_only_mine(request))
    rows = await list_links(deps.store, filters, after=query.cursor, limit=query.limit)
    now = deps.clock()
    body: JsonObject = {"links": [LinkSummary.of(row, deps.tokens, now) for row in rows]}
    if len(rows) == query.limit:
        body["nextCursor"] = write_page_cursor(rows[-1].created_at, rows[-1].link_id)
    return json_response(body)


@ENDPOINTS.post(
    "/api/hitl/links/{link_id}/revoke",
    name="revokeLink",
    needs="links:make",
    summary="Take a link back; it decides nothing from now on",
    responses=[DocumentedResponse(200, "The link.", {JSON: LinkSummary})],
    problems={404: "There is no such link (`link_unknown`)."} | UNAUTHORIZED | UNAVAILABLE,
)
async def revoke(request: web.Request, link_id: PathLinkId) -> web.Response:
    """The link decides nothing from now on. Again, nothing changes."""
    gateway = request.app[GATEWAY]
    deps = gateway.deps
    row, mine = await get_link(deps.store, link_id), _only_mine(request)
    if row is None or (mine is not None and mine not in (row.made_by, row.person)):
        raise NoSuchLink(f"There is no link {link_id[:100]!r}.")
    bind_log_fields(request, run_id=row.run_id)
    await gateway.shield_write(revoke_link(deps.store, link_id, caller(request).name))
    revoked = await get_link(deps.store, link_id)
    return json_response(LinkSummary.of(revoked or row, deps.tokens, deps.clock()), run_id=row.run_id)


def _only_mine(request: web.Request) -> str | None:
    """The caller whose links alone are shown; None where all are."""
    who = caller(request)
    return who.name if who.verified and MAKER_ROLE not in who.roles else None
