"""An endpoint that speaks OpenAI's chat completions, on a real socket: it answers as the test has set it.

`python -m tests.support.model_endpoint PORT` serves one that summarises.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

Behaviour = Callable[["Asked"], Awaitable[web.StreamResponse] | web.StreamResponse]


@dataclass(frozen=True)
class Asked:
    """One request."""

    body: dict[str, Any]
    headers: dict[str, str]
    request: web.Request = field(repr=False, compare=False)

    @property
    def prompt(self) -> str:
        return self.body["messages"][-1]["content"]

    @property
    def mode(self) -> str:
        return self.body.get("response_format", {}).get("type", "text")


def completion(content: str | None, **choice: Any) -> web.Response:
    """A chat completion with this text."""
    message = {"role": "assistant", "content": content, "refusal": choice.pop("refusal", None)}
    document = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "test-model-2026-01-31",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message, **choice}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
    }
    return web.Response(body=orjson.dumps(document), content_type="application/json")


def error(status: int, message: str, headers: dict[str, str] | None = None, **members: Any) -> web.Response:
    """An error in OpenAI's form."""
    document = {"error": {"message": message, "type": "invalid_request_error", **members}}
    return web.json_response(document, status=status, headers=headers)


@dataclass
class ModelEndpoint:
    """Serves `/v1/chat/completions`. `behaviours` are taken in order; the last one stays."""

    behaviours: list[Behaviour]
    url: str = ""
    streams: bool = True
    asked: list[Asked] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(await request.json(), dict(request.headers), request)
        self.asked.append(asked)
        behaviour = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
        answer = behaviour(asked)
        answer = await answer if isinstance(answer, Awaitable) else answer
        if (
            asked.body.get("stream")
            and self.streams
            and isinstance(answer, web.Response)
            and answer.status == 200
        ):
            return await _in_pieces(asked, answer)
        return answer


async def _in_pieces(asked: Asked, answer: web.Response) -> web.StreamResponse:
    """The same answer as a stream of events, three characters each; what is no completion stays as it is."""
    try:
        document = json.loads(answer.text or "")
        choice = document["choices"][0]
        message = choice["message"]
    except (ValueError, LookupError, TypeError):
        return answer
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(asked.request)
    text = message["content"] or ""
    deltas: list[dict[str, Any]] = [{"content": text[start : start + 3]} for start in range(0, len(text), 3)]
    if message["refusal"]:
        deltas.append({"refusal": message["refusal"]})
    chunk = {**document, "object": "chat.completion.chunk", "usage": None}
    for delta in deltas:
        await _event(response, {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    end = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    await _event(response, {**chunk, "choices": [end]})
    if asked.body.get("stream_options"):
        await _event(response, {**chunk, "choices": [], "usage": document["usage"]})
    await response.write(b"data: [DONE]\n\n")
    return response


async def _event(response: web.StreamResponse, document: Any) -> None:
    await response.write(b"data: " + orjson.dumps(document) + b"\n\n")


@asynccontextmanager
async def model_endpoint(*behaviours: Behaviour, port: int = 0) -> AsyncIterator[ModelEndpoint]:
    """An endpoint on a port of this machine."""
    endpoint = ModelEndpoint(list(behaviours))
    app = web.Application()
    app.router.add_post("/v1/chat/completions", endpoint.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield endpoint
    finally:
        await runner.cleanup()


def summarise(asked: Asked) -> web.StreamResponse:
    """What a good model would do: the first sentence of what it is given, in the shape that is asked for."""
    text = re.sub(r"\s+", " ", asked.prompt).strip()
    return completion(json.dumps({"summary": text[:80]}))


async def _serve(port: int) -> None:
    async with model_endpoint(summarise, port=port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
