"""Posting an envelope to a real gateway and reading its answer."""

from __future__ import annotations

from random import Random
from typing import Any

import aiohttp
import jsonschema

from schemas.contract_schema import effective_schema
from tests.support.followers import API, Follower, document_of

Frame = dict[str, Any]


async def stream_run(http: aiohttp.ClientSession, gateway: str, envelope: dict[str, Any]) -> list[Frame]:
    """The frames of `POST run.stream`, until the gateway ends the stream: at `complete`, or when a person is asked."""
    async with http.post(f"{gateway}{API}/run.stream", json=envelope) as response:
        assert response.status == 200, await response.text()
        follower = Follower(
            http=http, gateways=[gateway], run_id=response.headers["X-Run-Id"], chance=Random(0)
        )
        await follower.take(response)
    return [document_of(frame) for frame in follower.frames]


async def get_json(http: aiohttp.ClientSession, url: str) -> Frame:
    """The document at a URL."""
    async with http.get(url) as response:
        assert response.status == 200, await response.text()
        return await response.json()


def delivered(envelope: dict[str, Any], frames: list[Frame]) -> Any:
    """The output of a run that completed, valid under its contract by a library that the engine does not use."""
    last = frames[-1]
    assert (last["type"], last["payload"]["status"]) == ("complete", "completed"), last
    output = last["payload"]["output"]
    jsonschema.validate(output, effective_schema(envelope["outputContract"]))
    return output
