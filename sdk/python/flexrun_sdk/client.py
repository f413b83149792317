"""A client of flexrun: submit a run, follow it without missing a frame, decide what it asks, end it.

    with Client("http://127.0.0.1:8080") as client:
        run_id = client.submit({"objective": "…", "outputContract": {"mode": "facets", "facets": ["post_copy"]}})
        for frame in client.stream(run_id):
            print(frame["type"])

`AsyncClient` has the same methods, to be awaited.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote
from uuid import uuid4

from aiohttp import ClientError, ClientTimeout

from flexrun_sdk.gateways import (
    API,
    GatewayError,
    Gateways,
    GatewayUnreachable,
    is_passing,
    pause_seconds,
    problem_of,
)
from flexrun_sdk.sse import SseParser

T = TypeVar("T")

SILENCE_SECONDS = 60.0
"""Four missed comments of a quiet stream: the connection is taken for dead, and made again."""

PATIENCE_SECONDS = 60.0
"""How long a call is tried again while no gateway answers."""

_OK, _NO_CONTENT = 200, 204

Frame = dict[str, Any]


class RunNotCompleted(Exception):
    """The run has ended without an output; `error` is what it says of it."""

    def __init__(self, run_id: str, status: str, error: Mapping[str, Any]) -> None:
        super().__init__(
            f"run {run_id} is {status}: {error.get('message') or error.get('code') or 'no reason'}"
        )
        self.run_id = run_id
        self.status = status
        self.error = error


class AsyncClient:
    """Calls to the gateways at `url`: one address, or several of the same installation."""

    def __init__(
        self,
        url: str | Sequence[str] = "http://127.0.0.1:8080",
        token: str | None = None,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._gateways = Gateways(url, token)
        self._patience_seconds = patience_seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._gateways.close()

    async def submit(self, envelope: Mapping[str, Any], *, idempotency_key: str | None = None) -> str:
        """Start a run; its id. It is one run, however often the call has to be repeated."""
        headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
        accepted = await self._call("POST", f"{API}/runs", dict(envelope), headers)
        return accepted["runId"]

    async def stream(self, run_id: str, *, after: int = 0) -> AsyncIterator[Frame]:
        """The frames after `after`, each once and in order, up to `complete`; through restarts of gateways."""
        cursor, fruitless = after, 0
        while True:
            try:
                async for frame in self._stream_once(run_id, cursor):
                    fruitless = 0
                    if frame.get("id"):
                        cursor = int(frame["id"])
                    yield frame
                    if frame["type"] == "complete":
                        return
            except _NothingFollows:
                return
            except (ClientError, TimeoutError, OSError, GatewayUnreachable):
                self._gateways.next()
            await asyncio.sleep(pause_seconds(fruitless))
            fruitless += 1

    async def result(self, run_id: str) -> Any:
        """The output of the run, as soon as it is complete. Raises RunNotCompleted."""
        async for frame in self.stream(run_id):
            if frame["type"] == "complete":
                payload = frame["payload"]
                if "erased" in payload:
                    raise RunNotCompleted(run_id, "erased", payload["erased"])
                if payload["status"] != "completed":
                    raise RunNotCompleted(run_id, payload["status"], payload.get("error") or {})
                return payload.get("output")
        raise RunNotCompleted(run_id, "unknown", {})

    async def show(self, run_id: str) -> dict[str, Any]:
        """The run as it is now: status, nodes, open requests, usage."""
        return await self._call("GET", f"{API}/runs/{_in_path(run_id)}")

    async def requests(self, run_id: str | None = None) -> list[dict[str, Any]]:
        """What waits for people: in one run, or in all."""
        query = f"?runId={_in_path(run_id)}" if run_id else ""
        found = await self._call("GET", f"/api/hitl/pending{query}")
        return found["requests"]

    async def approve(
        self, run_id: str, request_id: str | None = None, *, note: str | None = None
    ) -> dict[str, Any]:
        """Say yes to what the run asks; `request_id` is needed where it asks more than one thing."""
        return await self.respond(run_id, {"approved": True}, request_id, note=note)

    async def reject(
        self, run_id: str, request_id: str | None = None, *, note: str | None = None
    ) -> dict[str, Any]:
        """Say no."""
        return await self.respond(run_id, {"approved": False}, request_id, note=note)

    async def edit(
        self, run_id: str, output: Any, request_id: str | None = None, *, note: str | None = None
    ) -> dict[str, Any]:
        """Put `output` (a plan, where a plan is asked about) in the place of what is shown, and approve it so."""
        return await self.respond(
            run_id, {"responseType": "edit", "editedOutput": output}, request_id, note=note
        )

    async def answer(
        self, run_id: str, text: str, request_id: str | None = None, *, note: str | None = None
    ) -> dict[str, Any]:
        """Answer a question in words."""
        return await self.respond(run_id, {"freeformText": text}, request_id, note=note)

    async def respond(
        self,
        run_id: str,
        response: Mapping[str, Any],
        request_id: str | None = None,
        *,
        note: str | None = None,
    ) -> dict[str, Any]:
        """Any response, in the words of `POST /api/hitl/resume`."""
        body: dict[str, Any] = {
            "runId": run_id,
            "requestId": request_id or await self._only_request(run_id),
            "responses": [dict(response)],
        }
        return await self._call("POST", "/api/hitl/resume", body | ({"note": note} if note else {}))

    async def abort(self, run_id: str, *, reason: str | None = None) -> dict[str, Any]:
        """End the run now; what works on it is told within a second."""
        body = {"reason": reason} if reason else {}
        return await self._call("POST", f"{API}/runs/{_in_path(run_id)}/abort", body)

    async def _only_request(self, run_id: str) -> str:
        found = await self.requests(run_id)
        if len(found) != 1:
            problem = {
                "code": "request_ambiguous" if found else "request_unknown",
                "detail": f"{len(found)} requests of run {run_id} are open; name one.",
            }
            raise GatewayError(409 if found else 404, problem)
        return found[0]["requestId"]

    async def _call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """One call, again while no gateway answers. Only what may be repeated comes here."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._patience_seconds
        failures = 0
        while True:
            try:
                return await self._gateways.call(method, path, body, headers=headers)
            except (GatewayError, GatewayUnreachable) as error:
                passing = isinstance(error, GatewayUnreachable) or is_passing(error.status)
                if not passing or loop.time() >= give_up_at:
                    raise
            await asyncio.sleep(pause_seconds(failures))
            failures += 1

    async def _stream_once(self, run_id: str, after: int) -> AsyncIterator[Frame]:
        url = f"{self._gateways.url}{API}/runs/{_in_path(run_id)}/events"
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        timeout = ClientTimeout(total=None, sock_connect=SILENCE_SECONDS, sock_read=SILENCE_SECONDS)
        async with self._gateways.session.get(
            url, headers=headers, timeout=timeout, allow_redirects=False
        ) as answer:
            if answer.status == _NO_CONTENT:
                raise _NothingFollows
            if answer.status != _OK:
                if is_passing(answer.status):
                    raise GatewayUnreachable(f"{url} answers {answer.status}")
                raise GatewayError(answer.status, problem_of(await answer.read()))
            parser = SseParser()
            async for chunk in answer.content.iter_any():
                for data in parser.feed(chunk):
                    yield json.loads(data)


class _NothingFollows(Exception):
    """Everything of a finished run was read."""


class Client:
    """The same for code that is not async; its calls wait on an event loop in a thread of its own."""

    def __init__(
        self,
        url: str | Sequence[str] = "http://127.0.0.1:8080",
        token: str | None = None,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="flexrun-client", daemon=True)
        self._thread.start()
        self._client = self._wait(_made(url, token, patience_seconds))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, and end the thread."""
        if self._thread.is_alive():
            self._wait(self._client.close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def submit(self, envelope: Mapping[str, Any], *, idempotency_key: str | None = None) -> str:
        """See `AsyncClient.submit`."""
        return self._wait(self._client.submit(envelope, idempotency_key=idempotency_key))

    def stream(self, run_id: str, *, after: int = 0) -> Iterator[Frame]:
        """See `AsyncClient.stream`."""
        frames = self._client.stream(run_id, after=after)
        while (frame := self._wait(_next(frames))) is not None:
            yield frame

    def result(self, run_id: str) -> Any:
        """See `AsyncClient.result`."""
        return self._wait(self._client.result(run_id))

    def show(self, run_id: str) -> dict[str, Any]:
        """See `AsyncClient.show`."""
        return self._wait(self._client.show(run_id))

    def requests(self, run_id: str | None = None) -> list[dict[str, Any]]:
        """See `AsyncClient.requests`."""
        return self._wait(self._client.requests(run_id))

    def approve(
        self, run_id: str, request_id: str | None = None, *, note: str | None = None
    ) -> dict[str, Any]:
        """See `AsyncClient.approve`."""
        return self._wait(self._client.approve(run_id, request_id, note=note))

    def reject(
        self, run_id: str, request_id: str | None = None, *, note: str | None = None
    ) -> dict[str, Any]:
        """See `AsyncClient.reject`."""
        return self._wait(self._client.reject(run_id, request_id, note=note))

    def edit(
        self, run_id: str, output: Any, request_id: str | None = None, *, note: str | None = None
    ) -> dict[str, Any]:
        """See `AsyncClient.edit`."""
        return self._wait(self._client.edit(run_id, output, request_id, note=note))

    def answer(
        self, run_id: str, text: str, request_id: str | None = None, *, note: str | None = None
    ) -> dict[str, Any]:
        """See `AsyncClient.answer`."""
        return self._wait(self._client.answer(run_id, text, request_id, note=note))

    def abort(self, run_id: str, *, reason: str | None = None) -> dict[str, Any]:
        """See `AsyncClient.abort`."""
        return self._wait(self._client.abort(run_id, reason=reason))

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()


async def _made(url: str | Sequence[str], token: str | None, patience_seconds: float) -> AsyncClient:
    return AsyncClient(url, token, patience_seconds=patience_seconds)


async def _next(frames: AsyncIterator[Frame]) -> Frame | None:
    return await anext(frames, None)


def _in_path(name: str) -> str:
    return quote(name, safe="")
