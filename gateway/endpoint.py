"""Endpoints. Each is declared once, beside its handler: for the router, for reading its requests, and for OpenAPI.

    ENDPOINTS = Endpoints("runs")

    @ENDPOINTS.get("/api/v1/flex/runs", name="listRuns", summary="List runs", responses=[…])
    async def list_runs(request: web.Request, query: RunListQuery) -> web.Response: ...

What a handler takes after the request is read by the type of the parameter, in the order of the parameters, before the
handler is called: a `Query` from the query, another model from the body, and what has a `FromRequest` in its annotation
by that. OpenAPI shows the same types. A query parameter that the endpoint does not take is a 400.

What is not a GET is in the operations log, before the handler is called and once it has answered, unless the endpoint
says why not (`unrecorded`, `recorded_after`).
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import (
    Annotated,
    Any,
    Literal,
    Required,
    TypedDict,
    Unpack,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import orjson
from aiohttp import web

from eventstore.tenancy import EVERY_TENANT, work_from_now_on_for
from gateway.body import expect_continue, read_body
from gateway.deps import GATEWAY
from gateway.parsing import parse_body
from gateway.query import Parameter, Query, query_parameters, read_query, refuse_unknown
from gateway.recording import begin_operation, note_operation
from gateway.scopes import CALLER, may, require, require_operators_tenant
from schemas.base import Model
from schemas.tokens import Scope
from schemas.withheld import NEEDED, WITHHELD, without_payload

STREAM = "text/event-stream"
JSON = "application/json"
HTML = "text/html"

MASKED_AT_ONCE_BYTES = 64 * 1024
"""Payload is taken out of larger answers in a thread: they would hold up all others."""

_IN_PATH = re.compile(r"{(\w+)}")

Handler = Callable[..., Awaitable[web.StreamResponse]]
Method = Literal["get", "post", "delete"]


@dataclass(frozen=True, slots=True)
class FromRequest:
    """In the annotation of a handler's parameter: what reads it, and what OpenAPI says of it.

    `read` may be asynchronous. One that reads the body says which model OpenAPI is to show for it.
    """

    read: Callable[[web.Request], Any]
    parameters: Sequence[Parameter] = ()
    body: type[Model] | None = None


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """Annotates a body that may be larger than the gateway's others."""

    limit_bytes: int


MAY_BE_EMPTY = object()
"""In the annotation of a handler's body: no body at all counts as an empty object."""


@dataclass(frozen=True, slots=True)
class DocumentedResponse:
    """One way in which an endpoint answers: media type → model, None for text and for any JSON object.

    The model of `text/event-stream` is that of the data of one frame.
    """

    status: int
    description: str
    content: Mapping[str, type[Model] | None] = field(default_factory=dict[str, "type[Model] | None"])


class Documentation(TypedDict, total=False):
    """What OpenAPI says of an endpoint beside what its handler takes.

    `name` is the operation's id. `headers` and `reads` are what the handler or the middleware reads by itself.
    `open` endpoints ask for no token, and pass over query parameters that they do not know: probes and mail programs
    add some to addresses that they call.

    `takes` is the media type of a body that is no model: a file, which the handler reads by itself.

    `needs` is the scope that a caller must have, or all of several: without one it is `admin`, and for `open` endpoints
    there is none. `operator` endpoints are about the installation, and for callers of the default tenant only.
    `across_tenants` ones work for every tenant: the handler says itself what of it is the caller's.

    `acts_on` is the kind of object that a change is about, such as `webhook`: by default that of the last id in the
    path. An id that the path lacks is the field `webhook_id` of the request's log line. `unrecorded` says why a change
    is not in the operations log; `recorded_after`, why it is there only once it is answered; `records_itself`, that the
    handler decides by `begin_operation` whether it is one.

    Callers without the scope `runs:payload` get the answer with markers in the place of what its model marks as
    payload; `no_payload` says why they get it as it is.
    """

    name: Required[str]
    summary: Required[str]
    description: str
    responses: Required[Sequence[DocumentedResponse]]
    problems: Mapping[int, str]
    headers: Sequence[Parameter]
    reads: Sequence[type[Query] | Parameter]
    open: bool
    takes: str
    needs: Scope | tuple[Scope, ...]
    operator: bool
    across_tenants: bool
    acts_on: str
    unrecorded: str
    recorded_after: str
    records_itself: bool
    no_payload: str


@dataclass(frozen=True, slots=True)
class _Argument:
    """One parameter of a handler."""

    read: Callable[[web.Request], Awaitable[Any]]
    parameters: Sequence[Parameter] = ()
    body: type[Model] | None = None
    body_required: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One method on one path."""

    method: Method
    path: str
    tag: str
    about: Documentation
    handler: Handler
    arguments: tuple[_Argument, ...]

    @property
    def name(self) -> str:
        return self.about["name"]

    @property
    def open(self) -> bool:
        return self.about.get("open", False)

    @property
    def needs(self) -> tuple[Scope, ...]:
        """The scopes that callers must have; none for endpoints that are open."""
        if self.open:
            return ()
        needed = self.about.get("needs", "admin")
        return needed if isinstance(needed, tuple) else (needed,)

    @property
    def recorded(self) -> bool:
        """Whether each request is an operation. Reads are where the gateway is told so."""
        return self.method != "get" and "unrecorded" not in self.about

    @property
    def acts_on(self) -> tuple[str, str | None]:
        """The kind of object, and the parameter of the path that has its id."""
        in_path = _IN_PATH.findall(self.path)
        kind = self.about.get("acts_on") or (in_path[-1].removesuffix("_id") if in_path else self.tag)
        return kind, f"{kind}_id" if f"{kind}_id" in in_path else None

    @property
    def body(self) -> type[Model] | None:
        return next((each.body for each in self.arguments if each.body is not None), None)

    @property
    def body_required(self) -> bool:
        return all(each.body_required for each in self.arguments)

    @property
    def parameters(self) -> list[Parameter]:
        """Of the path, of the head, and of the query."""
        taken = [each for argument in self.arguments for each in argument.parameters]
        in_path = [each for each in taken if each.place == "path"]
        others = [each for each in taken if each.place != "path"]
        read_later: list[Parameter] = []
        for each in self.about.get("reads", ()):
            read_later += [each] if isinstance(each, Parameter) else query_parameters(each)
        return [*in_path, *self.about.get("headers", ()), *others, *read_later]

    def route(self) -> web.RouteDef:
        """For aiohttp's router."""
        known = tuple(each.name for each in self.parameters if each.place == "query")

        async def handle(request: web.Request) -> web.StreamResponse:
            if self._is_noted(request):
                note_operation(request, self.name, *self.acts_on)
            if self.path not in request.app[OPEN_PATHS]:
                require(request[CALLER], *self.needs)
                if self.about.get("operator"):
                    require_operators_tenant(request[CALLER])
            if self.about.get("operator") or self.about.get("across_tenants"):
                work_from_now_on_for(EVERY_TENANT)
            if request.query_string and not self.open:
                refuse_unknown(request, known)
            arguments = [await each.read(request) for each in self.arguments]
            if self._begins:
                await begin_operation(request, arguments)
            response = await self.handler(request, *arguments)
            return response if self._shows_all(request) else await self._without_payload(response)

        options: dict[str, Any] = {"name": self.name}
        if self.method == "post":
            options["expect_handler"] = expect_continue
        return web.RouteDef(self.method.upper(), self.path, handle, options)

    def _shows_all(self, request: web.Request) -> bool:
        """Whether the answer goes out as it is: there is no payload in it, or the caller may see it."""
        return self.open or "no_payload" in self.about or may(request[CALLER], NEEDED)

    async def _without_payload(self, response: web.StreamResponse) -> web.StreamResponse:
        """The answer with markers in the place of payload. A stream has seen to its frames by itself."""
        if not isinstance(response, web.Response) or response.content_type != JSON:
            return response
        models = [
            each.content.get(JSON) for each in self.about["responses"] if each.status == response.status
        ]
        mask = partial(_masked, models[0] if models else None, bytes(cast(bytes, response.body)))
        is_large = len(mask.args[1]) > MASKED_AT_ONCE_BYTES
        response.body = await asyncio.to_thread(mask) if is_large else mask()
        return response

    @property
    def _begins(self) -> bool:
        """Whether each request is recorded before the handler is called."""
        return self.recorded and not (self.about.get("records_itself") or "recorded_after" in self.about)

    def _is_noted(self, request: web.Request) -> bool:
        if self.about.get("records_itself"):
            return False
        reads = request.app[GATEWAY].config.record_reads and not self.open and request.method == "GET"
        return self.recorded or reads


def _masked(model: type[Model] | None, raw: bytes) -> bytes:
    """A document of this model without payload; of one that has no model, the marker alone."""
    shown = without_payload(model, orjson.loads(raw)) if model is not None else dict(WITHHELD)
    return orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE)


class Endpoints:
    """The endpoints of a module, which share a tag."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._declared: list[Endpoint] = []

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._declared)

    def get(self, path: str, **about: Unpack[Documentation]) -> Callable[[Handler], Handler]:
        """Declare the handler of GET, and of HEAD."""
        return self._declare("get", path, about)

    def post(self, path: str, **about: Unpack[Documentation]) -> Callable[[Handler], Handler]:
        """Declare the handler of POST. `Expect: 100-continue` is answered when the handler's body is read."""
        return self._declare("post", path, about)

    def delete(self, path: str, **about: Unpack[Documentation]) -> Callable[[Handler], Handler]:
        """Declare the handler of DELETE."""
        return self._declare("delete", path, about)

    def _declare(self, method: Method, path: str, about: Documentation) -> Callable[[Handler], Handler]:
        def declare(handler: Handler) -> Handler:
            self._declared.append(
                Endpoint(method, path, self._tag, about, handler, tuple(_arguments_of(handler)))
            )
            return handler

        return declare


def _arguments_of(handler: Handler) -> Iterator[_Argument]:
    types = get_type_hints(handler, include_extras=True)
    for name in list(inspect.signature(handler).parameters)[1:]:
        yield _argument(types[name], f"{handler.__qualname__}({name})")


def _argument(annotation: Any, where: str) -> _Argument:
    kind, *metadata = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    for each in metadata:
        if isinstance(each, FromRequest):
            return _Argument(_reader(each.read), each.parameters, each.body)
    if isinstance(kind, type) and issubclass(kind, Query):
        return _Argument(_reader(partial(read_query, model=kind)), query_parameters(kind))
    if isinstance(kind, type) and issubclass(kind, Model):
        optional = MAY_BE_EMPTY in metadata
        limit = next((each.limit_bytes for each in metadata if isinstance(each, BodyLimit)), None)
        return _Argument(_body_reader(kind, optional, limit), body=kind, body_required=not optional)
    raise TypeError(f"{where} is neither a Query nor a model, and has no FromRequest")


def _reader(read: Callable[[web.Request], Any]) -> Callable[[web.Request], Awaitable[Any]]:
    async def read_now(request: web.Request) -> Any:
        made = read(request)
        return await made if inspect.isawaitable(made) else made

    return read_now


def _body_reader(
    model: type[Model], optional: bool, limit_bytes: int | None
) -> Callable[[web.Request], Awaitable[Model]]:
    async def read(request: web.Request) -> Model:
        """Raises DocumentRefused, ProblemError, CheckerUnavailable."""
        gateway = request.app[GATEWAY]
        raw = await read_body(request, gateway.config, limit_bytes)
        if optional and not raw.strip():
            raw = b"{}"
        return await parse_body(gateway.deps.contracts.sandbox, model, raw)

    return read


ENDPOINTS = web.AppKey("endpoints", tuple[Endpoint, ...])
"""All endpoints of an application."""

OPEN_PATHS = web.AppKey("open_paths", frozenset[str])
"""The paths of those that ask for no token, as the router names them."""

UNAUTHORIZED = {
    401: "No token, or one that is not known (`unauthorized`).",
    429: "So many wrong tokens came from this address that this one is not looked at (`too_many_wrong_tokens`);"
    " Retry-After says until when.",
}
UNAVAILABLE = {503: "The database is away (`store_unavailable`); Retry-After says when to try again."}
QUERY_INVALID = {400: "A parameter is wrong or unknown (`query_invalid`)."}
