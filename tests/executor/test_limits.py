"""Limits over all executors, and the circuit breaker of an endpoint: work waits, and none is burnt."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import psycopg
import pytest
from aiohttp import web

from eventstore import breaker
from eventstore.capabilities import capability_rows
from eventstore.limits import ParkedRow, parked_of_run
from executor.admissions import Admissions, Parked
from executor.capability import CapabilityContext
from executor.homes import open_homes
from executor.homes.parts import HomeParts
from executor.registry import CapabilityRegistry
from executor.remote import RemoteCapabilities
from sandbox.sandbox import Sandbox
from tests.support.capabilities import FunctionCapability, Gate
from tests.support.given import node
from tests.support.http_service import ServiceCall, answers, http_service, register_service
from tests.support.waiting import DEADLINE_SECONDS, eventually
from tests.support.wired_engine import BrokerAddress
from tests.support.wiring import REMOTE, ExecutorWiring, StoreWiring

NODES = 12


class Counted:
    """Capabilities of several executors, which count together how many run at a time.

    None ends before `together` of them have run at the same time, once.
    """

    def __init__(self, together: int = 1, **limits: int) -> None:
        self.inside = self.most = self.calls = 0
        self._together = together
        self._have_met = asyncio.Event()
        self._limits = limits

    def capability(self) -> FunctionCapability:
        return FunctionCapability("test.a", self._work, limits=self._limits)

    async def _work(self, context: CapabilityContext) -> str:
        self.inside += 1
        self.calls += 1
        self.most = max(self.most, self.inside)
        if self.inside >= self._together:
            self._have_met.set()
        await asyncio.wait_for(self._have_met.wait(), DEADLINE_SECONDS)
        await asyncio.sleep(0.02)  # the work itself takes time, or none would overlap
        self.inside -= 1
        return "done"


async def test_five_executors_never_run_more_than_the_limit_and_all_work_is_done(
    database_url: str, broker_address: BrokerAddress
) -> None:
    counted = Counted(together=2, maxConcurrent=2)
    async with AsyncExitStack() as stack:
        executors = [
            await stack.enter_async_context(
                ExecutorWiring(database_url, [counted.capability()], broker_address=broker_address)
            )
            for _ in range(5)
        ]
        nodes = [node(f"n{number}", capabilityId="test.a") for number in range(NODES)]
        run_id = await executors[0].submit(*nodes)
        state = await executors[0].ended(run_id)
        assert state.status == "completed"
    assert (counted.most, counted.calls) == (2, NODES)


async def test_no_more_begin_in_a_minute_than_the_limit_says(database_url: str) -> None:
    counted = Counted(perMinute=3)
    async with ExecutorWiring(database_url, [counted.capability()]) as executor:
        nodes = [node(f"n{number}", capabilityId="test.a") for number in range(5)]
        run_id = await executor.submit(*nodes)
        waiting = await eventually(lambda: _parked(executor, run_id, 2))
        assert {row.kind for row in waiting} == {"limit"}
        assert waiting[0].words == "waits for capability test.a: 3 starts a minute"
        await eventually(lambda: counted.calls == 3)

        async def all_done_after_a_minute() -> bool:
            # Again and again: what is asked for at this very moment still waits for the minute before.
            await _age_starts(database_url)
            return (await executor.state(run_id)).finished

        await eventually(all_done_after_a_minute)
    assert counted.calls == 5


async def test_what_waits_for_a_limit_says_so(database_url: str) -> None:
    gate = Gate("test.a", limits={"maxConcurrent": 2})
    async with ExecutorWiring(database_url, [gate]) as executor:
        run_id = await executor.submit(*[node(each, capabilityId="test.a") for each in "abc"])
        await eventually(lambda: len(gate.inside) == 2)
        [row] = await eventually(lambda: _parked(executor, run_id, 1))
        assert row.words == "waits for capability test.a: 2 of 2 in use"
        gate.open.set()
        await executor.ended(run_id)


async def test_an_endpoint_that_keeps_failing_is_left_alone_then_probed_and_used_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_OPEN_SECONDS", 0.5)
    works = asyncio.Event()
    probing = 0

    async def behave(call: ServiceCall) -> web.StreamResponse:
        nonlocal probing
        if not works.is_set():
            return web.Response(status=500)
        probing = max(probing, service.inside)
        return web.json_response({"output": call.bundle["nodeId"]})

    parts = HomeParts(Sandbox())
    async with (
        ExecutorWiring(database_url, [], homes=parts, config=REMOTE) as executor,
        http_service(behave) as service,
    ):
        await register_service(executor.store, "test.a", service.url)
        run_id = await executor.submit(
            *[node(f"n{each}", capabilityId="test.a", contract={"maxAttempts": 50}) for each in range(8)]
        )
        await eventually(lambda: _status(executor, "failing"))
        assert (await eventually(lambda: _parked(executor, run_id, 8)))[0].kind == "endpoint"
        calls = len(service.calls)
        assert calls <= 5 + 8
        works.set()
        state = await executor.ended(run_id)
        assert state.status == "completed"
        assert await _status(executor, "ok")
        assert all(each.failures < 50 for each in state.nodes.values())


async def test_a_probe_is_kept_through_a_conflict_and_given_back_where_its_attempt_does_not_begin(
    database_url: str,
) -> None:
    async with StoreWiring(database_url) as runs, AsyncExitStack() as stack:
        store, homes = runs.store, HomeParts(Sandbox())
        stack.push_async_callback(homes.stack.aclose)
        remote = RemoteCapabilities(runs.engine.parts.capabilities, open_homes(homes))
        registry = CapabilityRegistry([], remote=remote)
        await register_service(store, "test.a", "http://127.0.0.1:9")
        for _ in range(breaker.FAILURES_IN_A_ROW):
            await breaker.call_failed(store, "test.a", "1.0.0", probed=False)
        await breaker.return_probe(store, "test.a", "1.0.0")
        await registry.refresh()
        state = await runs.state(await runs.submit(node("a")))
        key = (state.run_id, "a", 1)
        one, other = (Admissions(store, runs.engine.broker, registry, name) for name in ("one", "other"))
        await one.admit(state, state.nodes["a"], 1)
        await registry.refresh()
        await one.admit(state, state.nodes["a"], 1)
        with pytest.raises(Parked):
            await other.admit(state, state.nodes["a"], 1)
        await one.not_started(key)
        await registry.refresh()
        await other.admit(state, state.nodes["a"], 1)


async def test_when_work_was_last_taken_is_in_the_registry(database_url: str) -> None:
    parts = HomeParts(Sandbox())
    async with (
        ExecutorWiring(database_url, [], homes=parts, config=REMOTE) as executor,
        http_service(answers({"output": 1})) as service,
    ):
        await register_service(executor.store, "test.a", service.url)
        await executor.ended(await executor.submit(node("a")))

        async def taken() -> object:
            return (await capability_rows(executor.store, "test.a"))[0].last_taken_at

        await eventually(taken)


async def _parked(executor: ExecutorWiring, run_id: str, number: int) -> list[ParkedRow]:
    rows = await parked_of_run(executor.store, run_id)
    assert len(rows) == number, rows
    return list(rows)


async def _status(executor: ExecutorWiring, status: str) -> bool:
    [row] = await capability_rows(executor.store, "test.a")
    return row.status == status and (status != "ok" or row.failures == 0)


async def _age_starts(database_url: str) -> None:
    """A minute goes by for the starts so far, and for what waits for them."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        minute = timedelta(seconds=61)
        await connection.execute("update flex_capability_starts set started_at = started_at - %s", [minute])
        await connection.execute(
            "update flex_work set lease_until = lease_until - %s where worker like 'limit/%%'", [minute]
        )
