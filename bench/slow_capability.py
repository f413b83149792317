"""A capability that costs a slot for a while and hardly any CPU: what a call of a model or a service is like."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from flexrun_sdk import capability

NODE_SECONDS = 0.25


class Waited(BaseModel):
    """What it gives."""

    word: str


@capability(id="bench.wait", facets_out="waited")
async def wait(word: str) -> Waited:
    """Hold a slot for NODE_SECONDS."""
    await asyncio.sleep(NODE_SECONDS)
    return Waited(word=word)
