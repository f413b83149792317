"""`/api/v1/flex/tokens`: who may call, beside those of `FLEXRUN_TOKENS`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from aiohttp import web

from eventstore.store import is_run_id
from eventstore.tokens import (
    MAX_TOKENS,
    add_token,
    get_token,
    list_tokens,
    made_token,
    revoke_token,
)
from gateway.deps import GATEWAY
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
from gateway.query import Parameter, Query, whole_number
from gateway.response import json_response
from gateway.roles import Roles
from gateway.scopes import CALLER
from gateway.tokens.models import TokenCreated, TokenEntry, TokenList
from runs.event import JsonObject
from schemas.refusal import DocumentRefused, FieldProblem
from schemas.tokens import ACCESS_MARK, Scope, TokenBody, access_roles, scopes_meant

ENDPOINTS = Endpoints("tokens")

PATH = "/api/v1/flex/tokens"
DEFAULT_PAGE_TOKENS = 50
MAX_PAGE_TOKENS = 200
_UNKNOWN = {404: "There is no such token (`token_unknown`)."}


class NoSuchToken(NotFound):
    """No token has this id."""

    code = "token_unknown"

    def __init__(self, token_id: str) -> None:
        super().__init__(
            f"There is no token of the id {token_id[:100]!r}; flexrun tokens list shows the ids."
        )


class TokensFull(LimitReached):
    """There are as many tokens as there may be."""

    code = "tokens_full"


class FirstTokenNeedsAdmin(LimitReached):
    """Nobody could make another token after this one."""

    code = "first_token_needs_admin"


def _read_path(request: web.Request) -> str:
    token_id = request.match_info["token_id"].lower()
    if not is_run_id(token_id):
        raise NoSuchToken(token_id)
    bind_log_fields(request, token_id=token_id)
    return token_id


PathTokenId = Annotated[
    str,
    FromRequest(
        _read_path,
        [Parameter("token_id", "path", "The token's id.", {"type": "string", "format": "uuid"})],
    ),
]


def _read_cursor(key: Sequence[str]) -> str:
    (token_id,) = key
    if not is_run_id(token_id):
        raise ValueError(token_id)
    return token_id


class TokenQuery(Query):
    """From where on to list."""

    cursor: Annotated[str | None, page_cursor(_read_cursor)] = None
    limit: Annotated[int, whole_number("How many, at most.", least=1, most=MAX_PAGE_TOKENS)] = (
        DEFAULT_PAGE_TOKENS
    )


@ENDPOINTS.post(
    PATH,
    name="createToken",
    needs="admin",
    acts_on="token",
    summary="Make a token",
    description="The database keeps its SHA-256 alone. It opens every gateway of this database at once.",
    responses=[DocumentedResponse(201, "It is there. `token` is shown this once.", {JSON: TokenCreated})],
    problems={
        400: "The body is no JSON or no TokenBody, or has a role with a `@` that is not known here (`invalid_json`,"
        " `invalid_body`).",
        409: "There are too many tokens (`tokens_full`), or it would be the first of all and lacks the scope `admin`"
        " (`first_token_needs_admin`).",
    }
    | UNAUTHORIZED
    | UNAVAILABLE,
)
async def create(request: web.Request, body: TokenBody) -> web.Response:
    """Make a token. The response is the only one that shows it."""
    gateway = request.app[GATEWAY]
    tokens, store = gateway.deps.tokens, gateway.deps.store
    opened = _opened(body, tokens.roles)
    if not tokens.configured and "admin" not in opened:
        raise FirstTokenNeedsAdmin(
            "From the first token on every caller needs one, and without the scope 'admin' nobody could make another."
        )
    new = made_token(body, caller(request).name, request[CALLER].tenant)
    bind_log_fields(request, token_id=new.token_id)
    row = await gateway.shield_write(add_token(store, new))
    if row is None:
        raise TokensFull(f"There are {MAX_TOKENS} tokens already; revoke one that is not needed any more.")
    if tokens.stored is not None:
        await tokens.stored.refresh()
    made = TokenCreated.with_token(row, new.token, gateway.deps.clock())
    return json_response(made, status=201)


def _opened(body: TokenBody, roles: Roles) -> frozenset[Scope]:
    """What the token is to open. Raises DocumentRefused for a role that is not known."""
    names = access_roles(body.roles)
    if unknown := roles.unknown(names):
        message = f"There is no role {unknown[0]!r} here; there are {', '.join(sorted(roles.scopes))}."
        index = body.roles.index(ACCESS_MARK + unknown[0])
        raise DocumentRefused([FieldProblem("unknown_role", f"/roles/{index}", message)])
    return scopes_meant(body.scopes) | roles.scopes_of(names)


@ENDPOINTS.get(
    PATH,
    name="listTokens",
    needs="audit:read",
    summary="All tokens of the database, newest first",
    description="Also those that have expired or were revoked. Those of FLEXRUN_TOKENS are not among them.",
    responses=[DocumentedResponse(200, "A page.", {JSON: TokenList})],
    problems=QUERY_INVALID | UNAUTHORIZED | UNAVAILABLE,
)
async def show_list(request: web.Request, query: TokenQuery) -> web.Response:
    """A page of tokens, newest first."""
    deps = request.app[GATEWAY].deps
    rows = await list_tokens(deps.store, before=query.cursor, limit=query.limit)
    now = deps.clock()
    body: JsonObject = {"tokens": [TokenEntry.of(row, now) for row in rows]}
    if len(rows) == query.limit:
        body["nextCursor"] = write_page_cursor(rows[-1].token_id)
    return json_response(body)


@ENDPOINTS.post(
    PATH + "/{token_id}/revoke",
    name="revokeToken",
    needs="admin",
    summary="Have a token open nothing from now on",
    description="Every gateway refuses it within two seconds, and ends its streams.",
    responses=[DocumentedResponse(200, "It is revoked, or was before.", {JSON: TokenEntry})],
    problems=_UNKNOWN | UNAUTHORIZED | UNAVAILABLE,
)
async def revoke(request: web.Request, token_id: PathTokenId) -> web.Response:
    """Revoke a token. Again, nothing changes."""
    gateway = request.app[GATEWAY]
    deps = gateway.deps
    if not await gateway.shield_write(revoke_token(deps.store, token_id, caller(request).name)):
        raise NoSuchToken(token_id)
    if deps.tokens.stored is not None:
        await deps.tokens.stored.refresh()
    row = await get_token(deps.store, token_id)
    if row is None:
        raise NoSuchToken(token_id)
    return json_response(TokenEntry.of(row, deps.clock()))
