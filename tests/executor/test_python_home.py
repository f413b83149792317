"""A function of an author, called as an executor calls it."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from executor.capability import CapabilityContext, CapabilityError
from executor.homes.python import PythonCapability
from flexrun_sdk import Context, capability, capability_of
from tests.support.waiting import eventually


def _made(function: Any) -> PythonCapability:
    found = capability_of(function)
    assert found is not None
    return PythonCapability(found)


@capability(id="acme.sync", facets_out="a")
def in_a_thread(context: Context) -> dict[str, Any]:
    for number in range(3):
        context.log(str(number))
        context.delta(f"piece {number}")
    context.usage(cost_micros=3, currency="EUR")
    return {"thread": threading.current_thread().name, "left": context.remaining_seconds()}


@capability(id="acme.async", facets_out="a")
async def on_the_loop(context: Context) -> dict[str, Any]:
    context.log("before")
    await asyncio.sleep(0)
    context.delta(patch=[{"op": "add", "path": "/x", "value": 1}])
    await asyncio.Event().wait()
    return {}


async def test_lines_pieces_and_usage_come_from_a_thread_in_their_order():
    lines: list[str] = []
    pieces: list[str] = []

    async def log(message: str, level: str = "info") -> None:
        await asyncio.sleep(0)
        lines.append(message)

    context = CapabilityContext(
        {"attempt": 1},
        log,
        deadline=time.monotonic() + 60,
        delta=lambda text="", patch=(): pieces.append(text),
    )
    output = await _made(in_a_thread).run(context)
    assert output["thread"] == "capability"
    assert 50 < output["left"] <= 60
    assert lines == ["0", "1", "2"]
    assert pieces == ["piece 0", "piece 1", "piece 2"]
    assert context.usage == {"costMicros": 3, "currency": "EUR"}


async def test_an_async_function_is_cancelled_where_it_waits():
    shown = asyncio.Event()
    context = CapabilityContext({}, delta=lambda text="", patch=(): shown.set())
    task = asyncio.create_task(_made(on_the_loop).run(context))
    await shown.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_function_that_ends_the_process_only_fails():
    @capability(id="acme.exit", facets_out="a")
    def leaves() -> None:
        raise SystemExit(3)

    with pytest.raises(CapabilityError, match=r"SystemExit: 3 \(.*in leaves\)"):
        await _made(leaves).run(CapabilityContext({}))


async def test_a_function_in_a_thread_hears_that_nobody_waits_for_it():
    begun, heard = threading.Event(), threading.Event()

    @capability(id="acme.asks", facets_out="a")
    def asks(context: Context) -> dict[str, Any]:
        begun.set()
        while not context.cancelled:
            threading.Event().wait(0.01)
        heard.set()
        return {}

    task = asyncio.create_task(_made(asks).run(CapabilityContext({})))
    await eventually(begun.is_set)
    assert not heard.is_set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(heard.is_set)
