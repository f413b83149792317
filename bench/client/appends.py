"""Appends through the engine's own code, without broker, planner or HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import orjson
from uuid_utils import uuid7

from bench.client.report import cpu_seconds, say
from bench.envelopes import three_nodes
from bench.pgbench import LINE
from eventstore.handler import RunHandler
from eventstore.store import EventStore
from runs.commands import RecordLog, StartRun

_WARM_UP_SECONDS = 0.3


async def append_events(job: dict[str, Any]) -> None:
    """`database_url`, `concurrency`, `seconds`: one event per append, each caller on a run of its own."""
    store = await EventStore.open(job["database_url"])
    try:
        handler = RunHandler(store)
        envelope = orjson.loads(three_nodes())
        runs = [str(uuid7()) for _ in range(job["concurrency"])]
        start = StartRun(now=datetime.now(UTC), envelope=envelope, schema_hash="bench", submitted_by=None)
        for run_id in runs:
            await handler.execute(run_id, start)
        await _append_for(handler, runs, _WARM_UP_SECONDS)
        say("begin")
        cpu, began = cpu_seconds(), perf_counter()
        appended = await _append_for(handler, runs, job["seconds"])
        seconds, cpu = perf_counter() - began, cpu_seconds() - cpu
        say("end")
    finally:
        await store.close()
    say("result", appends=appended, seconds=seconds, client_cpu_seconds=cpu)


async def _append_for(handler: RunHandler, runs: list[str], seconds: float) -> int:
    until = perf_counter() + seconds

    async def one(run_id: str) -> int:
        count = 0
        while perf_counter() < until:
            await handler.execute(run_id, RecordLog(now=datetime.now(UTC), message=LINE))
            count += 1
        return count

    return sum(await asyncio.gather(*(one(run_id) for run_id in runs)))
