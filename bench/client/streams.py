"""Open streams: idle ones that only stay open, and a thousand readers of one run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from bench.client.report import cpu_seconds, percentiles_ms, say
from bench.client.wire import CallFailed, Subscriber, address, get_stream
from eventstore.handler import RunHandler
from eventstore.notifier import Notifier
from eventstore.store import EventStore
from runs.commands import RecordLog

_OPENING_AT_ONCE = 50
_LINE = "A line of some length, as a capability writes it while it works. " * 4


async def open_streams(url: str, paths: Sequence[tuple[str, int]]) -> list[Subscriber]:
    """One open stream for each (path, seq after which to read)."""
    gate = asyncio.Semaphore(_OPENING_AT_ONCE)
    loop = asyncio.get_running_loop()

    async def one(path: str, after: int) -> Subscriber:
        async with gate:
            subscriber = Subscriber(get_stream(url, path, after))
            await loop.create_connection(lambda: subscriber, *address(url))
            await subscriber.opened
            return subscriber

    return await asyncio.gather(*(one(*each) for each in paths))


async def hold_streams(job: dict[str, Any]) -> None:
    """`url`, `paths` [[path, after]], `count`: open so many, report `open`, and keep them until stdin ends."""
    paths = [tuple(job["paths"][number % len(job["paths"])]) for number in range(job["count"])]
    held = await open_streams(job["url"], paths)
    say("open", streams=len(held))
    await asyncio.to_thread(sys.stdin.buffer.read)
    lost = sum(each.lost for each in held)
    if lost:
        raise CallFailed(f"{lost} of {len(held)} idle streams were lost")
    say("result", streams=len(held))


async def fan_out(job: dict[str, Any]) -> None:
    """`url`, `database_url`, `path`, `run_id`, `subscribers`, `rounds`, `events`.

    Two figures. One event at a time: the next is appended when every subscriber has the one before. As fast as the
    log takes them: all are appended one after the other, and the clock stops when every subscriber has the last.
    """
    store = await EventStore.open(job["database_url"])
    notifier = Notifier(store)
    await notifier.start()
    try:
        head = (await store.load(job["run_id"], fresh=True)).seq
        readers = await open_streams(job["url"], [(job["path"], head)] * job["subscribers"])
        readers[0].kept = bytearray()
        writer = _Writer(RunHandler(store), job["run_id"])
        await _one_at_a_time(writer, readers, rounds=3)
        rounds = await _one_at_a_time(writer, readers, job["rounds"])
        say("begin")
        cpu, began = cpu_seconds(), perf_counter()
        last = await writer.write(job["events"])
        appended = perf_counter() - began
        await asyncio.gather(*(reader.expect(last) for reader in readers))
        seconds, cpu = perf_counter() - began, cpu_seconds() - cpu
        say("end")
        _require_all(readers[0], head, last)
    finally:
        await notifier.close()
        await store.close()
    frames = job["events"] * len(readers)
    say(
        "result",
        subscribers=len(readers),
        frames=frames,
        seconds=seconds,
        append_seconds=appended,
        client_cpu_seconds=cpu,
        round_ms=percentiles_ms(rounds),
        frames_per_second_paced=round(len(readers) * len(rounds) / sum(rounds)),
        frames_per_second=round(frames / seconds),
    )


class _Writer:
    """Appends lines to one run, as a worker in another process would."""

    def __init__(self, handler: RunHandler, run_id: str) -> None:
        self._handler = handler
        self._run_id = run_id

    async def write(self, count: int) -> int:
        """Append so many events, one commit each; the seq of the last."""
        seq = 0
        for _ in range(count):
            command = RecordLog(now=datetime.now(UTC), message=_LINE)
            outcome = await self._handler.execute(self._run_id, command)
            seq = outcome.state.seq
        return seq


async def _one_at_a_time(writer: _Writer, readers: Sequence[Subscriber], rounds: int) -> list[float]:
    """Seconds from the call of an append to the last subscriber's having it, for each round."""
    taken: list[float] = []
    for _ in range(rounds):
        began = perf_counter()
        last = await writer.write(1)
        await asyncio.gather(*(reader.expect(last) for reader in readers))
        taken.append(perf_counter() - began)
    return taken


def _require_all(reader: Subscriber, head: int, last: int) -> None:
    """One of them kept its bytes: every frame once, in order."""
    lines = bytes(reader.kept or b"").split(b"\n")
    seen = [int(line.removeprefix(b"id: ")) for line in lines if line.startswith(b"id: ")]
    if seen != list(range(head + 1, last + 1)):
        raise CallFailed(f"a subscriber has {len(seen)} frames out of {last - head}, or not in order")
