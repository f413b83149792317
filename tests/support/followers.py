"""Readers of runs that lose their connection at random moments and resume with Last-Event-ID, at any gateway."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
import orjson

API = "/api/v1/flex"
LOST = (aiohttp.ClientError, ConnectionError, TimeoutError)
"""What a broken, refused or silent connection raises."""

_SILENCE = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=10)
_RESET = struct.pack("ii", 1, 0)
_PAUSE_SECONDS = 0.1


class PromiseBroken(AssertionError):
    """A reader received something other than the next frame."""


def open_session() -> aiohttp.ClientSession:
    """A session whose every request has a connection of its own, so that cutting one cuts one reader."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True), timeout=_SILENCE)


def hang_up(response: aiohttp.ClientResponse, *, rudely: bool) -> None:
    """Leave in the middle of an answer: with an RST, or with a FIN."""
    if rudely and response.connection is not None and response.connection.transport is not None:
        line = response.connection.transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    response.close()


@dataclass(kw_only=True)
class Follower:
    """One reader of one run. `frames` are the exact bytes of each frame, checked to be 1, 2, 3 … as they come.

    `mean_bytes`: after about so many bytes it cuts its connection, on any byte of a frame; None for never.
    `gateways` may be asked in any order; while none answers, it tries again.
    """

    http: aiohttp.ClientSession
    gateways: Sequence[str]
    run_id: str
    chance: Random
    mean_bytes: float | None = None
    watch: Callable[[dict[str, Any]], None] | None = None
    frames: list[bytes] = field(default_factory=list[bytes])
    complete: bool = False
    connections: int = 0

    async def follow(self) -> list[bytes]:
        """Read to `complete`. Raises PromiseBroken."""
        while not self.complete:
            with suppress(*LOST):
                await self._connect()
            if not self.complete:
                await asyncio.sleep(self.chance.uniform(0, _PAUSE_SECONDS))
        return self.frames

    async def take(self, response: aiohttp.ClientResponse) -> None:
        """Read an open stream until it ends, is lost or is cut. Raises PromiseBroken, and what a lost one raises."""
        self.connections += 1
        left = self._budget()
        rest = b""
        async for chunk in response.content.iter_any():
            kept = chunk if left is None else chunk[:left]
            *blocks, rest = (rest + kept).split(b"\n\n")
            for block in blocks:
                self._keep(block)
            if self.complete:
                return
            if left is not None:
                left -= len(kept)
                if left <= 0:
                    hang_up(response, rudely=self.chance.random() < 0.5)
                    return

    async def _connect(self) -> None:
        url = f"{self.chance.choice(self.gateways)}{API}/runs/{self.run_id}/events"
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(len(self.frames))}
        async with self.http.get(url, headers=headers) as response:
            if response.status == 200:
                await self.take(response)
            elif response.status != 503:
                detail = (await response.text())[:500]
                raise PromiseBroken(
                    f"{response.status} for {self.run_id} after {len(self.frames)} frames: {detail}"
                )

    def _budget(self) -> int | None:
        return None if self.mean_bytes is None else 1 + int(self.chance.expovariate(1 / self.mean_bytes))

    def _keep(self, block: bytes) -> None:
        block = without_hints(block)
        number = len(self.frames) + 1
        if self.complete or not (block.startswith(b"event: ") and block.endswith(b"\nid: %d" % number)):
            last = "complete" if self.complete else "frame"
            raise PromiseBroken(f"{self.run_id}: after {last} {number - 1} came {block[:200]!r}")
        self.frames.append(block)
        self.complete = block.startswith(b"event: complete\n")
        if self.watch is not None:
            self.watch(document_of(block))


def document_of(frame: bytes) -> dict[str, Any]:
    """The FlexEvent in a frame's bytes."""
    return orjson.loads(frame.split(b"\ndata: ", 1)[1].split(b"\n", 1)[0])


def without_hints(block: bytes) -> bytes:
    """A block of a stream without the lines that may stand before its frame: comments and the retry hint."""
    while block.startswith((b":", b"retry: ")):
        _, _, block = block.partition(b"\n")
    return block


def types_of(frames: Sequence[bytes]) -> list[str]:
    """The types of frames, in order."""
    return [document_of(frame)["type"] for frame in frames]


async def read_all(http: aiohttp.ClientSession, gateway: str, run_id: str) -> bytes:
    """Everything that a gateway has of a finished run, as it goes over the wire after the retry hint."""
    headers = {"Accept": "text/event-stream"}
    async with http.get(f"{gateway}{API}/runs/{run_id}/events", headers=headers) as response:
        assert response.status == 200, await response.text()
        return without_hints(await response.read())
