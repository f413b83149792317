"""Five executors as processes of their own, and a service that counts its calls: limits and the circuit breaker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from aiohttp import web

from eventstore import breaker
from eventstore.capabilities import capability_rows
from eventstore.limits import ParkedRow, parked_of_run
from tests.support.given import node
from tests.support.http_service import HttpService, ServiceCall, http_service, register_service
from tests.support.processes import Setting, Site
from tests.support.waiting import eventually
from tests.support.wired_engine import BrokerAddress, Wiring
from tests.support.wiring import StoreWiring

EXECUTORS = 5
CARRIED = Wiring(keeper=None)
"""The test's own process starts runs, sends their hints, and carries nothing else."""


@pytest.fixture(params=["postgres", "rabbitmq"])
def broker_address(request: pytest.FixtureRequest) -> BrokerAddress:
    if request.param == "postgres":
        return BrokerAddress()
    return BrokerAddress(request.getfixturevalue("amqp_url"), request.getfixturevalue("broker_namespace"))


@pytest.fixture
async def runs(
    database_url: str, broker_address: BrokerAddress, tmp_path: Path
) -> AsyncIterator[StoreWiring]:
    """What starts runs and reads them, beside five executors that do their nodes."""
    address = broker_address
    allowed = {"CAPABILITY_ALLOW_PRIVATE": "true"}
    setting = Setting(database_url, address.broker_url, address.namespace, lease_seconds=30, extra=allowed)
    site = Site(setting, tmp_path / "site")
    site.add_all(executor=EXECUTORS)
    async with site, StoreWiring(database_url, broker_address=address, wiring=CARRIED) as wiring:
        yield wiring


class Counting:
    """A service whose calls meet: none is answered before `together` of them were inside at the same time, once."""

    def __init__(self, together: int) -> None:
        self._together = together
        self._have_met = asyncio.Event()
        self.fails = False
        self.service: HttpService | None = None

    async def behave(self, call: ServiceCall) -> web.StreamResponse:
        """Answer, or fail, as long as it is told to."""
        assert self.service is not None
        if self.fails:
            return web.Response(status=500)
        if self.service.inside >= self._together:
            self._have_met.set()
        await self._have_met.wait()
        await asyncio.sleep(0.01)  # the work itself takes time, or none would overlap
        return web.json_response({"output": call.bundle["nodeId"]})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[HttpService]:
        async with http_service(self.behave) as self.service:
            yield self.service


async def test_five_processes_never_make_more_calls_at_once_than_the_limit_says(runs: StoreWiring) -> None:
    async with Counting(together=2).serving() as service:
        await register_service(runs.store, "test.a", service.url, limits={"maxConcurrent": 2})
        nodes = [node(f"n{number}", capabilityId="test.a") for number in range(8)]
        started = [await runs.submit(*nodes) for _ in range(4)]
        for run_id in started:
            assert (await runs.ended(run_id)).status == "completed"
            assert await runs.events(run_id, "node_error") == []
        assert (service.most_inside, len(service.calls)) == (2, 32)


async def test_what_fails_for_one_process_is_left_alone_by_all_and_probed_by_one(runs: StoreWiring) -> None:
    counting = Counting(together=1)
    async with counting.serving() as service:
        await register_service(runs.store, "test.a", service.url)
        counting.fails = True
        nodes = [
            node(f"n{number}", capabilityId="test.a", contract={"maxAttempts": 50}) for number in range(20)
        ]
        run_id = await runs.submit(*nodes)
        parked = await eventually(lambda: parked_at_an_endpoint(runs, run_id, len(nodes)))
        assert parked[0].words == "waits for capability test.a: its endpoint fails"
        before = len(service.calls)
        # Those that were under way when the fifth one failed, and no more.
        assert before <= breaker.FAILURES_IN_A_ROW + len(nodes)
        service.most_inside = 0
        await go_by(runs)
        await eventually(lambda: len(service.calls) > before)
        await eventually(lambda: parked_at_an_endpoint(runs, run_id, len(nodes)))
        assert (len(service.calls), service.most_inside) == (before + 1, 1), "the probe is one call"

        counting.fails = False
        await go_by(runs)
        state = await runs.ended(run_id)
        assert state.status == "completed"
        assert sum(each.failures for each in state.nodes.values()) == before + 1, "what waits is not burnt"
        [row] = await capability_rows(runs.store, "test.a")
        assert (row.status, row.failures) == ("ok", 0)


async def go_by(runs: StoreWiring) -> None:
    """The time goes by for which the endpoint is left alone, and what waits for it."""
    async with await psycopg.AsyncConnection.connect(runs.database_url) as connection:
        await connection.execute(
            "update flex_capabilities set open_until = clock_timestamp() where open_until is not null"
        )
        await connection.execute("update flex_work set lease_until = now() where worker like 'endpoint/%'")
        await connection.execute("select pg_notify('flexrun_registry', '-;capabilities')")


async def parked_at_an_endpoint(runs: StoreWiring, run_id: str, number: int) -> list[ParkedRow]:
    rows = await parked_of_run(runs.store, run_id)
    assert [row.kind for row in rows] == ["endpoint"] * number
    return rows
