"""The time from a person's approval to the frames that a follower of the run reads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import orjson

from bench.client.report import percentiles_ms
from bench.client.wire import CallFailed, Subscriber, address, get_stream

Figures = dict[str, Any]
RESUME = "/api/hitl/resume"


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A run with one open request, and the seq of its last event."""

    run_id: str
    request_id: str
    head: int


class Approver:
    """Approves over one connection that stays open, as an operator's screen does."""

    def __init__(self, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host = urlsplit(url).netloc
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, url: str) -> Approver:
        host, port = address(url)
        return cls(url, *await asyncio.open_connection(host, port))

    def send(self, run: WaitingRun) -> None:
        """Post the approval of one run."""
        response = {"requestId": run.request_id, "responseType": "approval"}
        body = orjson.dumps({"runId": run.run_id, "operator": "bench", "responses": [response]})
        head = (
            f"POST {RESUME} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)

    async def answer(self) -> None:
        """Read the answer. Raises CallFailed for any but 200."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        body = await self._reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise CallFailed(f"the approval was refused: {body[:500].decode(errors='replace')}")

    def close(self) -> None:
        self._writer.close()


async def measure_approvals(url: str, runs: Sequence[WaitingRun], *, pause_seconds: float = 0.02) -> Figures:
    """Approve one run after the other: milliseconds from the POST to its answer, to the next frame, to `complete`."""
    answers: list[float] = []
    frames: list[float] = []
    completes: list[float] = []
    approver = await Approver.connect(url)
    try:
        for run in runs:
            answered, next_frame, complete = await _approve(url, approver, run)
            answers.append(answered)
            frames.append(next_frame)
            completes.append(complete)
            await asyncio.sleep(pause_seconds)
    finally:
        approver.close()
    return {
        "approvals": len(runs),
        "answer_ms": percentiles_ms(answers),
        "next_frame_ms": percentiles_ms(frames),
        "complete_ms": percentiles_ms(completes),
    }


async def _approve(url: str, approver: Approver, run: WaitingRun) -> tuple[float, float, float]:
    path = f"/api/v1/flex/runs/{run.run_id}/events"
    host, port = address(url)
    transport, subscriber = await asyncio.get_running_loop().create_connection(
        lambda: Subscriber(get_stream(url, path, run.head)), host, port
    )
    try:
        await subscriber.opened
        began = perf_counter()
        answer = asyncio.ensure_future(approver.answer())
        first = subscriber.expect(run.head + 1)
        approver.send(run)
        await first
        next_frame = perf_counter() - began
        await subscriber.expect(run.head + 2)
        complete = perf_counter() - began
        await answer
        return perf_counter() - began, next_frame, complete
    finally:
        transport.abort()
