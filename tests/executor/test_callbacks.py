"""A service that answers 202 and calls back, over real sockets: what waits, where, and what ends the wait."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import psycopg
import pytest
from aiohttp import web

from broker.keeper import Keeper, Round
from contracts.checker import ContractChecker
from eventstore.leases import callback_waiter
from executor.attempt import Attempt
from executor.capability import CapabilityContext
from executor.claim import Claim
from executor.in_flight import InFlightTask
from executor.node_runner import NodeRunner
from runs.commands import AbortRun, Actor
from tests.support.callbacks import OUTPUT, call_back, executing, waiting
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.given import node
from tests.support.http_service import ServiceCall, answers, http_service, register_service
from tests.support.no_spare import NO_SPARE
from tests.support.waiting import eventually
from tests.support.wiring import now


async def test_a_node_waits_for_its_callback_without_a_slot_and_is_called_back_once(
    database_url: str, gateway: RunningGateway
) -> None:
    async with (
        executing(database_url, gateway) as executor,
        http_service(answers({}, 202)) as service,
    ):
        await register_service(executor.store, "test.a", service.url)
        run_id = await executor.submit(node("a"))
        url = await waiting(executor, service, run_id)
        [line] = await executor.events(run_id, "log")
        assert "calls back until" in str(line.message or line.payload)
        shown, run = await gateway.get(f"/api/v1/flex/runs/{run_id}")
        assert (shown.status, run["nodes"][0]["waitingFor"]["kind"]) == (200, "callback")

        status, refused = await call_back(url, {"neither": 1})
        assert (status, refused["code"]) == (400, "invalid_body")
        assert (await call_back(url[:-10] + "x/callback", OUTPUT))[0] == 401
        assert await call_back(url, OUTPUT) == (200, {"status": "completed"})
        assert (await executor.ended(run_id)).output == {"text": "later"}
        events = len(await executor.events(run_id))
        assert (await call_back(url, OUTPUT))[0] == 409
        assert (await call_back(url, {"output": "another"}))[0] == 409
        assert len(await executor.events(run_id)) == events
        [completed] = await executor.events(run_id, "node_complete")
        assert completed.payload["usage"] == {"seconds": 2.5}


async def test_a_callback_may_come_before_the_202_is_recorded(
    database_url: str, gateway: RunningGateway
) -> None:
    async def behave(call: ServiceCall) -> web.StreamResponse:
        assert (await call_back(call.bundle["callbackUrl"], OUTPUT))[0] == 200
        return web.Response(status=202)

    async with executing(database_url, gateway) as executor, http_service(behave) as service:
        await register_service(executor.store, "test.a", service.url)
        run_id = await executor.submit(node("a"))
        assert (await executor.ended(run_id)).output == {"text": "later"}
        await eventually(lambda: executor.worker.busy == 0)
        assert len(await executor.events(run_id, "node_start")) == 1


async def test_another_executor_and_gateway_take_over_when_those_of_the_call_are_gone(
    database_url: str,
) -> None:
    async with http_service(answers({}, 202)) as service:
        async with executing(database_url) as executor:
            await register_service(executor.store, "test.a", service.url)
            run_id = await executor.submit(node("a"), node("b", "a", capabilityId="test.a"))
            await waiting(executor, service, run_id)
        token = service.calls[0].bundle["callbackToken"]
        async with (
            ContractChecker(NO_SPARE) as contracts,
            running_gateway(database_url, contracts, notified=True) as other,
            executing(database_url, other) as executor,
        ):
            path = f"/api/v1/flex/work/{token}/callback"
            service.behave = answers({"output": "b"})
            assert (await call_back(other.url + path, OUTPUT))[0] == 200
            assert (await executor.ended(run_id)).output == "b"
            assert [event.node_id for event in await executor.events(run_id, "node_start")] == ["a", "b"]


@pytest.mark.parametrize(
    ("idempotent", "code", "starts"), [(True, "callback_timeout", 2), (False, "outcome_unknown", 1)]
)
async def test_a_callback_that_does_not_come_fails_the_attempt_and_not_its_worker(
    database_url: str, gateway: RunningGateway, idempotent: bool, code: str, starts: int
) -> None:
    async with (
        executing(database_url, gateway) as executor,
        http_service(answers({}, 202)) as service,
    ):
        await register_service(executor.store, "test.a", service.url, {"callbackTimeoutSeconds": 0.2})
        run_id = await executor.submit(node("a", idempotent=idempotent, contract={"maxAttempts": 2}))
        state = await executor.ended(run_id)
        assert state.status == "failed"
        errors = await executor.events(run_id, "node_error")
        assert [event.payload["error"]["code"] for event in errors] == [code] * starts
        assert state.nodes["a"].lost == ()
        assert len(service.calls) == starts
        assert (await call_back(service.calls[0].bundle["callbackUrl"], OUTPUT))[0] == 409


async def test_a_callback_after_the_end_of_its_run_changes_nothing(
    database_url: str, gateway: RunningGateway
) -> None:
    async with (
        executing(database_url, gateway) as executor,
        http_service(answers({}, 202)) as service,
    ):
        await register_service(executor.store, "test.a", service.url)
        run_id = await executor.submit(node("a"))
        url = await waiting(executor, service, run_id)
        await executor.execute(run_id, AbortRun(now=now(), actor=Actor("ann")))
        assert (await call_back(url, OUTPUT))[0] == 409
        assert await _started_work(database_url) == 0


def _per_attempt() -> list[Any]:
    """What this process holds of attempts that run."""
    gc.collect()
    kinds = (NodeRunner, InFlightTask, Claim, Attempt, CapabilityContext)
    return [each for each in gc.get_objects() if type(each) in kinds]


async def test_hundreds_of_nodes_wait_without_a_task_a_slot_or_a_lease_of_a_process(
    database_url: str, gateway: RunningGateway
) -> None:
    runs, number = 30, 150
    of_tests_before = _per_attempt()
    async with (
        executing(database_url, gateway) as executor,
        http_service(answers({}, 202)) as service,
    ):
        await register_service(executor.store, "test.a", service.url)
        nodes = [node(f"n{each}", capabilityId="test.a") for each in range(number // runs)]
        for _ in range(runs):
            await executor.submit(*nodes)

        async def all_wait() -> bool:
            waiting = await _started_work(database_url, callback_waiter("test.a"))
            return waiting == number and executor.worker.busy == 0

        await eventually(all_wait)
        assert await _started_work(database_url, executor.worker_id) == 0
        assert len(asyncio.all_tasks()) < number / 2
        assert all(any(each is old for old in of_tests_before) for each in _per_attempt())

        before = await _versions_of_rows(database_url)
        await executor.worker.beat()
        assert await Keeper(executor.store, executor.handler, executor.broker).run_once() == Round()
        assert await _versions_of_rows(database_url) == before
        assert await _started_work(database_url) == number


async def _versions_of_rows(database_url: str) -> dict[tuple[str, str], str]:
    """Which transaction has written each piece of work last."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        cursor = await connection.execute("select run_id::text, ref, xmin::text from flex_work where started")
        return {(run_id, ref): xmin for run_id, ref, xmin in await cursor.fetchall()}


async def _started_work(database_url: str, worker: str | None = None) -> int:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        cursor = await connection.execute(
            "select count(*) from flex_work where started and worker = coalesce(%s, worker)", [worker]
        )
        row = await cursor.fetchone()
        return row[0] if row else -1
