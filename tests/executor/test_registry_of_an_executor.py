"""What an executor knows of the registry is fetched beside its work: no claim of what it can run waits for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from executor.homes.parts import HomeParts
from sandbox.sandbox import Sandbox
from tests.support.capabilities import Gate
from tests.support.given import node
from tests.support.http_service import answers, http_service, register_service
from tests.support.waiting import eventually
from tests.support.wiring import REMOTE, ExecutorWiring


@asynccontextmanager
async def locked_registry(database_url: str) -> AsyncIterator[None]:
    """Nobody can read the registry meanwhile."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute("lock table flex_capabilities in access exclusive mode")
        yield
        await connection.rollback()


async def test_loaded_code_runs_while_the_registry_cannot_be_read(database_url: str) -> None:
    gate = Gate("test.a")
    async with ExecutorWiring(database_url, [gate], homes=HomeParts(Sandbox())) as executor:
        copy = executor.engine.parts.capabilities
        async with locked_registry(database_url):
            copy._on_change(None)
            run_id = await executor.submit(node("a"))
            await eventually(lambda: len(gate.inside) == 1)
        gate.open.set()
        assert (await executor.ended(run_id)).status == "completed"


async def test_a_service_is_called_while_the_registry_cannot_be_read(database_url: str) -> None:
    async with (
        ExecutorWiring(database_url, [], homes=HomeParts(Sandbox()), config=REMOTE) as executor,
        http_service(answers({"output": 1})) as service,
    ):
        await register_service(executor.store, "test.a", service.url)
        assert (await executor.ended(await executor.submit(node("a")))).status == "completed"
        copy = executor.engine.parts.capabilities
        async with locked_registry(database_url):
            copy._on_change(None)
            run_id = await executor.submit(node("a"))
            await eventually(lambda: len(service.calls) == 2)
        assert (await executor.ended(run_id)).status == "completed"


async def test_a_capability_that_is_registered_while_the_executor_serves_is_known_before_it_is_asked_for(
    database_url: str,
) -> None:
    async with (
        ExecutorWiring(database_url, [], homes=HomeParts(Sandbox()), config=REMOTE) as executor,
        http_service(answers({"output": 1})) as service,
    ):
        copy = executor.engine.parts.capabilities
        assert copy.known_version("test.a", None) is None
        await register_service(executor.store, "test.a", service.url)
        await eventually(lambda: copy.known_version("test.a", None) is not None)
