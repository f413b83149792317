"""A gateway on a socket of its own, over a real database, with a test's settings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import orjson
import psycopg

from contracts.checker import ContractChecker
from eventstore.clock import Clock
from eventstore.handler import RunHandler
from eventstore.listener import LogListener
from eventstore.store import EventStore
from eventstore.tail import RunTail
from flexrun.roles.trial_plan import plan_check, trial_planner
from gateway.app import create_app
from gateway.auth import Tokens
from gateway.config import GatewayConfig
from gateway.deps import GATEWAY, Gateway, GatewayDeps
from gateway.identity.certificates import Certificates
from gateway.identity.config import OidcConfig
from gateway.identity.issuer_keys import IssuerKeys
from gateway.identity.oidc import Oidc
from gateway.roles import Roles
from gateway.runs.acceptance import read_house
from gateway.serve import GatewayServer, serve
from gateway.streams.sse import Frame, encode_frame
from gateway.tls import ServerTls
from tests.support.waiting import DEADLINE_SECONDS
from tests.support.wired_engine import POSTGRES, WiredEngine, Wiring

API = "/api/v1/flex"
ENVELOPE: dict[str, Any] = {
    "objective": "Say hello",
    "outputContract": {"schema": {"type": "object", "required": ["text"]}},
}
_PATIENCE_SECONDS = DEADLINE_SECONDS
_WIRING = Wiring(writers=2, readers=4, patience_seconds=5, dispatches=False, keeper=None)


@dataclass
class RunningGateway:
    """A gateway and the parts behind it."""

    database_url: str
    store: EventStore
    handler: RunHandler
    tail: RunTail[Frame]
    gateway: Gateway
    server: GatewayServer
    http: aiohttp.ClientSession
    listener: LogListener

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    async def post(self, path: str, body: Any, **headers: str) -> tuple[aiohttp.ClientResponse, Any]:
        """POST a document (or raw bytes); the answer and its JSON. Underscores in header names become hyphens."""
        raw = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        timeout = aiohttp.ClientTimeout(total=_PATIENCE_SECONDS)
        async with self.http.post(self.url + path, data=raw, headers=sent, timeout=timeout) as answer:
            return answer, orjson.loads(await answer.read() or b"null")

    async def get(self, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, Any]:
        """GET a document; the answer and its JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.get(self.url + path, headers=sent) as answer:
            return answer, orjson.loads(await answer.read() or b"null")

    async def start_run(self, **envelope: Any) -> str:
        """The id of a new run."""
        answer, body = await self.post(f"{API}/runs", {**ENVELOPE, **envelope})
        assert answer.status == 202, body
        return body["runId"]

    async def rows(self) -> dict[str, int]:
        """The number of stored rows, by table."""
        async with await psycopg.AsyncConnection.connect(self.database_url) as connection:
            counts: dict[str, int] = {}
            for table in ("flex_events", "flex_runs", "flex_work", "hitl_requests"):
                row = await (await connection.execute(f"select count(*) from {table}")).fetchone()  # noqa: S608 - our own names
                counts[table] = row[0] if row else -1
            return counts


@asynccontextmanager
async def running_gateway(
    database_url: str,
    contracts: ContractChecker,
    *,
    tokens: str | None = None,
    roles: str | None = None,
    notified: bool = False,
    link_secret: str | None = None,
    clock: Clock | None = None,
    policies: str | None = None,
    broker: bool = False,
    erasable: bool = False,
    oidc: OidcConfig | None = None,
    tls: ServerTls | None = None,
    certificates: Certificates | None = None,
    **config: Any,
) -> AsyncIterator[RunningGateway]:
    """Serve on a free port. With `notified`, commits of other processes wake this one's tail, as in production.

    With `broker` it has that of Postgres; with `oidc`, tokens of that issuer count; with `tls`, it speaks HTTPS.
    """
    wiring = replace(_WIRING, erasable=erasable)
    known = Tokens.parse(tokens, Roles.parse(roles))
    known.certificates = certificates
    if oidc is not None:
        known.oidc = Oidc(oidc, IssuerKeys(oidc))
        await known.oidc.keys.start()
    async with WiredEngine(database_url, POSTGRES, wiring) as engine:
        store, handler = engine.store, engine.handler
        tail = RunTail(store, engine.listener if notified else None, encode_frame)
        await tail.start()
        deps = GatewayDeps(
            store=store,
            handler=handler,
            tail=tail,
            contracts=contracts,
            tokens=known,
            config=GatewayConfig(**config),
            house=read_house(policies),
            broker=engine.broker if broker else None,
            metrics=engine.metrics.answer,
            link_secret=link_secret,
            listener=engine.listener if notified else None,
            clock=clock or store.clock,
            capabilities=engine.parts.capabilities,
            facets=engine.parts.facets,
            plan=trial_planner(engine.parts.sandbox),
            check_plan=plan_check(engine.parts.sandbox),
            version="test",
        )
        app = create_app(deps)
        server = await serve(app, "127.0.0.1", 0, tls=tls)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            yield RunningGateway(
                database_url, store, handler, tail, app[GATEWAY], server, http, engine.listener
            )
        await server.close()
        await tail.close()
        if known.oidc is not None:
            await known.oidc.keys.close()


@dataclass
class SseReader:
    """Takes a stream apart, byte for byte: comments, retry hints and frames."""

    response: aiohttp.ClientResponse
    comments: list[bytes] = field(default_factory=list)
    retries: list[int] = field(default_factory=list)
    frames: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[dict[str, Any]] = field(default_factory=list)
    """Frames without an `id:` line, which are no part of the log's order."""
    _rest: bytes = b""

    async def until(self, count: int) -> Self:
        """Read until there are `count` frames."""
        while len(self.frames) < count and await self._more():
            pass
        assert len(self.frames) >= count, f"the stream ended after {len(self.frames)} frames"
        return self

    async def until_comment(self) -> Self:
        """Read until there is a comment."""
        while not self.comments and await self._more():
            pass
        assert self.comments
        return self

    async def until_picture(self) -> Self:
        """Read until there is a frame without an `id:` line."""
        while not self.pictures and await self._more():
            pass
        assert self.pictures
        return self

    async def until_pictures(self, count: int) -> Self:
        """Read until there are `count` frames without an `id:` line."""
        while len(self.pictures) < count and await self._more():
            pass
        assert len(self.pictures) >= count
        return self

    async def until_type(self, event_type: str) -> Self:
        """Read until there is a frame of this type."""
        while event_type not in self.types and await self._more():
            pass
        assert event_type in self.types
        return self

    async def to_end(self) -> Self:
        """Read until the server ends the stream."""
        while await self._more():
            pass
        assert self._rest == b""
        return self

    @property
    def types(self) -> list[str]:
        return [frame["type"] for frame in self.frames]

    @property
    def ids(self) -> list[int]:
        return [int(frame["id"]) for frame in self.frames]

    async def _more(self) -> bool:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            chunk = await self.response.content.readany()
        *blocks, self._rest = (self._rest + chunk).split(b"\n\n")
        for block in blocks:
            self._take(self._head(block + b"\n"))
        self._rest = self._head(self._rest)
        return bool(chunk)

    def _head(self, block: bytes) -> bytes:
        """Take the whole lines that may stand before a frame, and return what is left of the block."""
        while block.startswith((b":", b"retry: ")) and b"\n" in block:
            line, _, block = block.partition(b"\n")
            if line.startswith(b":"):
                self.comments.append(line)
            else:
                self.retries.append(int(line[7:]))
        return block

    def _take(self, block: bytes) -> None:
        kind, data, *last = block.removesuffix(b"\n").split(b"\n")
        frame = orjson.loads(data.removeprefix(b"data: "))
        assert kind == b"event: " + frame["type"].encode()
        if last:
            assert last == [b"id: " + frame["id"].encode()]
            self.frames.append(frame)
        else:
            assert "id" not in frame
            self.pictures.append(frame)


@asynccontextmanager
async def stream_of(
    gateway: RunningGateway, run_id: str, query: str = "", **headers: str
) -> AsyncIterator[SseReader]:
    """An open stream on `runs/{id}/events`."""
    sent = {"Accept": "text/event-stream"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    async with gateway.http.get(f"{gateway.url}{API}/runs/{run_id}/events{query}", headers=sent) as response:
        assert response.status == 200, await response.text()
        yield SseReader(response)


@asynccontextmanager
async def run_stream(
    gateway: RunningGateway, envelope: Any = None, **headers: str
) -> AsyncIterator[SseReader]:
    """An open stream on `run.stream`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    body = orjson.dumps(envelope or ENVELOPE)
    async with gateway.http.post(f"{gateway.url}{API}/run.stream", data=body, headers=sent) as response:
        assert response.status == 200, await response.text()
        yield SseReader(response)
