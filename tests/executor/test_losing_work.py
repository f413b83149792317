"""Work that is taken away, given back, or reported too late."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from eventstore.statements import statement
from eventstore.store import Lease
from executor.capability import CapabilityContext
from runs.commands import AbortRun, Actor, FailNode, PauseRun, ResumeRun, StartNode
from tests.support.capabilities import FunctionCapability, Gate, Stubborn, returns
from tests.support.given import node
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually
from tests.support.wired_engine import BrokerAddress
from tests.support.wiring import QUICK, ExecutorWiring, StoreWiring, now

ANN = Actor("ann", verified=True)
LAPSE = "update flex_work set lease_until = clock_timestamp() where run_id = %s and kind = 'node'"


def abort() -> AbortRun:
    return AbortRun(now=now(), actor=ANN, reason="no longer needed")


def taken_away(node_id: str, attempt: int) -> FailNode:
    """What the keeper says when a lease is over."""
    return FailNode(
        now=now(), node_id=node_id, attempt=attempt, error_code="worker_lost", message="gone", lost=True
    )


async def sql(database_url: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        cursor = await connection.execute(statement.encode(), parameters)
        return await cursor.fetchall() if cursor.description else []


async def test_an_abort_in_another_process_cancels_the_capability_within_a_second(
    database_url: str, broker_address: BrokerAddress
) -> None:
    gate = Gate("test.a")
    executor = ExecutorWiring(database_url, [gate], broker_address=broker_address)
    async with StoreWiring(database_url) as runs, executor:
        run_id = await executor.submit(node("a"), node("b", capabilityId="test.a"))
        await eventually(lambda: len(gate.inside) == 2)
        aborted_at = time.monotonic()
        await runs.execute(run_id, abort())
        await eventually(lambda: len(gate.cancelled) == 2)
        assert time.monotonic() - aborted_at < 1
        await eventually(lambda: executor.worker.busy == 0)
        assert (await runs.events(run_id))[-1].type == "complete"


async def test_an_abort_in_the_same_process_cancels_the_capability(database_url: str) -> None:
    gate = Gate("test.a")
    async with ExecutorWiring(database_url, [gate], listens=False) as executor:
        run_id = await executor.submit(node("a"))
        await eventually(lambda: gate.inside)
        await executor.execute(run_id, abort())
        await eventually(lambda: gate.cancelled == ["a"], timeout_seconds=1)


async def test_an_abort_without_a_wake_up_is_found_by_the_heartbeat(database_url: str) -> None:
    gate = Gate("test.a")
    async with (
        StoreWiring(database_url) as runs,
        ExecutorWiring(database_url, [gate], listens=False) as executor,
    ):
        run_id = await executor.submit(node("a"))
        await eventually(lambda: gate.inside)
        await executor.worker.beat()
        assert not gate.cancelled
        await runs.execute(run_id, abort())
        await executor.worker.beat()
        await eventually(lambda: gate.cancelled == ["a"], timeout_seconds=1)


async def test_a_run_of_two_branches_goes_on_when_one_attempt_is_taken_away(database_url: str) -> None:
    gate = Gate("test.a")
    executor = ExecutorWiring(database_url, [gate], keeps=False)
    async with StoreWiring(database_url) as runs, executor:
        run_id = await executor.submit(node("a"), node("b", capabilityId="test.a"))
        await eventually(lambda: len(gate.inside) == 2)
        await runs.execute(run_id, taken_away("a", 1))
        await eventually(lambda: gate.inside.count("a") == 2)
        assert gate.cancelled == ["a"]
        gate.open.set()
        state = await executor.ended(run_id)
    assert {n.id: n.attempt for n in state.nodes.values()} == {"a": 2, "b": 1}


async def test_a_worker_that_comes_back_late_is_refused(database_url: str) -> None:
    """The first worker gets no wake-ups and its capability cannot be stopped; a second one takes the node over."""
    stubborn = Stubborn("test.a")
    deaf = ExecutorWiring(
        database_url, [stubborn], listens=False, keeps=False, config=replace(QUICK, slots=1)
    )
    async with StoreWiring(database_url) as runs, deaf:
        run_id = await runs.submit(node("a"))
        await eventually(lambda: stubborn.inside)
        async with ExecutorWiring(database_url, [returns("test.a", "in time")]) as second:
            await runs.execute(run_id, taken_away("a", 1))
            assert (await second.ended(run_id)).output == "in time"
        before = await runs.events(run_id)
        stubborn.let_go.set()
        await eventually(lambda: deaf.worker.busy == 0)
        assert await runs.events(run_id) == before
    assert [e.payload["attempt"] for e in before if e.type == "node_complete"] == [2]


async def test_a_worker_that_has_gone_silent_loses_its_node_to_another(
    database_url: str, broker_address: BrokerAddress
) -> None:
    gate = Gate("test.a")
    silent = ExecutorWiring(
        database_url,
        [gate],
        listens=False,
        keeps=False,
        config=replace(QUICK, slots=1),
        broker_address=broker_address,
    )
    async with silent:
        run_id = await silent.submit(node("a"))
        await eventually(lambda: gate.inside)
        await sql(database_url, LAPSE, run_id)
        async with ExecutorWiring(
            database_url, [returns("test.a", "taken over")], broker_address=broker_address
        ) as second:
            state = await second.ended(run_id)
            (error,) = await second.events(run_id, "node_error")
    assert state.output == "taken over"
    assert error.payload["error"]["code"] == "worker_lost"
    assert error.payload["nextAttemptAt"] is not None


async def test_heartbeats_keep_a_lease(database_url: str) -> None:
    gate = Gate("test.a")
    async with ExecutorWiring(database_url, [gate]) as executor:
        run_id = await executor.submit(node("a"))
        await eventually(lambda: gate.inside)
        look = "select worker, lease_until from flex_work where run_id = %s and kind = 'node'"
        ((worker, first),) = await sql(database_url, look, run_id)
        await executor.worker.beat()
        ((_, second),) = await sql(database_url, look, run_id)
        gate.open.set()
        await executor.ended(run_id)
    assert worker == executor.worker_id
    assert second > first


async def test_leases_are_extended_by_a_process_that_has_run_out_of_file_descriptors(
    database_url: str,
) -> None:
    gate = Gate("test.a")
    look = "select lease_until from flex_work where run_id = %s and kind = 'node'"
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    statement.cache_clear()
    async with ExecutorWiring(database_url, [gate]) as executor:
        run_id = await executor.submit(node("a"))
        await eventually(lambda: gate.inside)
        ((first,),) = await sql(database_url, look, run_id)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                os.open(os.devnull, os.O_RDONLY)
            await executor.worker.beat()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        ((second,),) = await sql(database_url, look, run_id)
        gate.open.set()
        await executor.ended(run_id)
    assert second > first


async def test_a_lease_that_another_worker_has_stops_the_capability(database_url: str) -> None:
    gate = Gate("test.a")
    async with ExecutorWiring(database_url, [gate], keeps=False) as executor:
        run_id = await executor.submit(node("a"))
        await eventually(lambda: gate.inside)
        await sql(database_url, "update flex_work set worker = 'somebody else' where run_id = %s", run_id)
        await executor.worker.beat()
        await eventually(lambda: gate.cancelled == ["a"])
        await eventually(lambda: executor.worker.busy == 0)
        assert await executor.events(run_id, "node_error", "node_complete") == []


async def test_a_lease_without_work_behind_it_is_given_back_after_two_beats(database_url: str) -> None:
    async with StoreWiring(database_url) as runs:
        run_id = await runs.submit(node("a", queue="elsewhere"))
        async with ExecutorWiring(database_url, [returns("test.a", 1)], listens=False) as executor:
            start = StartNode(now=now(), node_id="a", attempt=1)
            await runs.handler.execute(run_id, start, lease=Lease(executor.worker_id, 60))
            await executor.worker.beat()
            assert await runs.events(run_id, "node_error") == []
            await executor.worker.beat()
            (error,) = await runs.events(run_id, "node_error")
    assert error.payload["error"]["code"] == "worker_stopped"
    assert error.payload["willRetry"]


async def test_closing_gives_running_nodes_back_at_once(
    database_url: str, broker_address: BrokerAddress
) -> None:
    gate = Gate("test.a")
    async with StoreWiring(database_url) as runs:
        async with ExecutorWiring(
            database_url, [gate], config=replace(QUICK, drain_seconds=0.05), broker_address=broker_address
        ) as first:
            run_id = await first.submit(node("a"))
            await eventually(lambda: gate.inside)
        assert gate.cancelled == ["a"]
        (error,) = await runs.events(run_id, "node_error")
        assert error.payload["error"]["code"] == "worker_stopped"
        assert error.payload["willRetry"]
        async with ExecutorWiring(
            database_url, [returns("test.a", "after a restart")], broker_address=broker_address
        ) as second:
            state = await second.ended(run_id)
    assert state.output == "after a restart"
    assert (state.nodes["a"].failures, state.nodes["a"].losses) == (0, 1)


async def test_closing_lets_a_node_end_and_starts_no_other(database_url: str) -> None:
    gate = Gate("test.a", "done")
    async with StoreWiring(database_url) as runs:
        first = ExecutorWiring(
            database_url, [gate, returns("test.b", 2)], config=replace(QUICK, drain_seconds=10)
        )
        async with first:
            run_id = await first.submit(node("a"), node("b", "a"))
            await eventually(lambda: gate.inside)
            closing = asyncio.create_task(first.worker.close())
            await asyncio.wait({closing}, timeout=0.05)
            assert not closing.done()
            gate.open.set()
            await closing
        state = await runs.state(run_id)
        assert {n.id: n.status for n in state.nodes.values()} == {"a": "completed", "b": "ready"}
        async with ExecutorWiring(database_url, [returns("test.b", 2)]) as second:
            assert (await second.ended(run_id)).output == 2


async def test_a_paused_run_ends_its_node_and_goes_on_when_resumed(database_url: str) -> None:
    gate = Gate("test.a", "done")
    async with ExecutorWiring(database_url, [gate, returns("test.b", 2)]) as executor:
        run_id = await executor.submit(node("a"), node("b", "a"))
        await eventually(lambda: gate.inside)
        await executor.execute(run_id, PauseRun(now=now(), actor=ANN))
        gate.open.set()
        await executor.reached(run_id, lambda state: state.nodes["a"].status == "completed")
        await eventually(lambda: executor.worker.busy == 0)
        assert (await executor.state(run_id)).nodes["b"].status == "ready"
        await executor.execute(run_id, ResumeRun(now=now(), actor=ANN))
        assert (await executor.ended(run_id)).output == 2


async def test_an_output_that_is_due_when_a_paused_run_goes_on_is_delivered(database_url: str) -> None:
    gate = Gate("test.a", "done")
    async with ExecutorWiring(database_url, [gate]) as executor:
        run_id = await executor.submit(node("a"))
        await eventually(lambda: gate.inside)
        await executor.execute(run_id, PauseRun(now=now(), actor=ANN))
        gate.open.set()
        await executor.reached(run_id, lambda state: state.nodes["a"].status == "completed")
        assert (await executor.state(run_id)).status == "paused"
        await executor.execute(run_id, ResumeRun(now=now(), actor=ANN))
        assert (await executor.ended(run_id)).output == "done"


async def test_a_result_waits_for_a_database_that_is_away(database_url: str) -> None:
    gate = Gate("test.a", "kept")
    parts = urlsplit(database_url)
    async with (
        TcpProxy(parts.hostname or "127.0.0.1", parts.port or 5432) as proxy,
        StoreWiring(database_url) as runs,
    ):
        executor = ExecutorWiring(
            proxy.url(database_url), [gate], config=replace(QUICK, lease_seconds=60), patience_seconds=0.3
        )
        async with executor:
            run_id = await runs.submit(node("a"))
            await eventually(lambda: gate.inside)
            proxy.refusing = True
            proxy.cut()
            tries = proxy.accepted
            gate.open.set()
            await eventually(lambda: proxy.accepted > tries + 5)
            proxy.refusing = False
            state = await runs.ended(run_id)
    assert state.output == "kept"
    assert state.nodes["a"].attempt == 1


async def test_a_heartbeat_without_a_database_stops_nothing(database_url: str) -> None:
    gate = Gate("test.a", "kept")
    parts = urlsplit(database_url)
    async with (
        TcpProxy(parts.hostname or "127.0.0.1", parts.port or 5432) as proxy,
        StoreWiring(database_url) as runs,
        ExecutorWiring(proxy.url(database_url), [gate], patience_seconds=0.2) as executor,
    ):
        run_id = await runs.submit(node("a"))
        await eventually(lambda: gate.inside)
        proxy.refusing = True
        proxy.cut()
        await executor.worker.beat()
        proxy.refusing = False
        gate.open.set()
        assert (await runs.ended(run_id)).output == "kept"
    assert gate.cancelled == []


async def test_lines_of_an_attempt_that_is_over_stay_out_of_the_log(database_url: str) -> None:
    logged = asyncio.Event()
    go = asyncio.Event()

    async def babbles(context: CapabilityContext) -> Any:
        try:
            await go.wait()
        except asyncio.CancelledError:
            await context.log("I was cancelled")
            logged.set()
            raise

    async with ExecutorWiring(database_url, [FunctionCapability("test.a", babbles)]) as executor:
        run_id = await executor.submit(node("a"))
        await executor.reached(run_id, lambda state: state.nodes["a"].status == "running")
        await executor.execute(run_id, abort())
        await asyncio.wait_for(logged.wait(), 5)
        assert await executor.events(run_id, "log") == []
