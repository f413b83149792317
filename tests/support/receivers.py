"""A webhook's receiver on a real socket: it checks every signature, counts requests in flight, and answers as set."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web


@dataclass(frozen=True)
class Call:
    """One request that arrived, whole and with a signature that is right."""

    hook: str
    message_id: str
    timestamp: int
    frame: dict[str, Any]
    request: web.Request = field(compare=False, repr=False)

    @property
    def run_id(self) -> str:
        return self.frame["runId"]

    @property
    def seq(self) -> int:
        return int(self.frame["id"])


Behaviour = Callable[[Call], Awaitable[int | web.StreamResponse]]


async def take(_call: Call) -> int:
    """What a good receiver does."""
    return 204


@dataclass
class Receiver:
    """Serves `/{hook}` for any name; `secrets` (name → `whsec_…`) says how its messages are signed.

    `behave` decides each answer. `most_of_run` and `most_of_hook` are the most requests that were ever in flight at a
    time, for one run of one hook and for one hook.
    """

    url: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    behave: Behaviour = take
    calls: list[Call] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    most_of_run: int = 0
    most_of_hook: Counter[str] = field(default_factory=Counter)
    _of_run: Counter[tuple[str, str]] = field(default_factory=Counter)
    _of_hook: Counter[str] = field(default_factory=Counter)

    def of(self, hook: str) -> list[Call]:
        """What arrived for one hook."""
        return [call for call in self.calls if call.hook == hook]

    def under_way(self, hook: str) -> int:
        return self._of_hook[hook]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Check the signature, note the call, and answer."""
        hook, body = request.match_info["hook"], await request.read()
        fault = verify(self.secrets.get(hook, ""), request.headers, body)
        if fault:
            self.refused.append(fault)
            return web.Response(status=401)
        headers = request.headers
        call = Call(
            hook, headers["webhook-id"], int(headers["webhook-timestamp"]), orjson.loads(body), request
        )
        self.calls.append(call)
        lane = (hook, call.run_id)
        self._of_run[lane] += 1
        self._of_hook[hook] += 1
        self.most_of_run = max(self.most_of_run, self._of_run[lane])
        self.most_of_hook[hook] = max(self.most_of_hook[hook], self._of_hook[hook])
        try:
            answer = await self.behave(call)
        finally:
            self._of_run[lane] -= 1
            self._of_hook[hook] -= 1
        return web.Response(status=answer) if isinstance(answer, int) else answer


def verify(secret: str, headers: Any, body: bytes) -> str:
    """What is wrong with a message, as Standard Webhooks has a receiver check it; empty for one that is right."""
    kind, _, key = secret.partition("_")
    if kind != "whsec":
        return "no such secret"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = hmac.new(base64.b64decode(key), signed, hashlib.sha256).digest()
    for signature in headers["webhook-signature"].split(" "):
        version, _, value = signature.partition(",")
        if version == "v1" and hmac.compare_digest(base64.b64decode(value), expected):
            return ""
    return "wrong signature"


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Receiver]:
    """A receiver that listens on loopback until the end of the block, even with requests in flight then."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{hook}", receiver.handle)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
    finally:
        await runner.cleanup()


def failing(times: int, status: int = 500) -> Behaviour:
    """Refuse the first `times` attempts at each message, then take it."""
    seen: Counter[str] = Counter()

    async def behave(call: Call) -> int:
        seen[call.message_id] += 1
        return status if seen[call.message_id] <= times else 204

    return behave


async def never(_call: Call) -> int:
    """Take the request and never answer."""
    await asyncio.Event().wait()
    return 204
