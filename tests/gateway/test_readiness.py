"""`/readyz` answers 200 only while a run could be started and finished, and otherwise says in words why not."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from contracts.checker import ContractChecker
from eventstore.listener import LogListener
from eventstore.migrate import migrate
from tests.support.gateways import API, ENVELOPE, RunningGateway, running_gateway
from tests.support.postgres_server import PostgresServer
from tests.support.small_disks import fill, small_disk
from tests.support.waiting import eventually


async def says(gateway: RunningGateway, words: str) -> bool:
    answer, body = await gateway.get("/readyz")
    assert answer.status == 503, body
    assert words in body["detail"], body
    assert body["code"] == "not_ready"
    assert body["state"] == "not_ready"
    assert any(words in part["detail"] for part in body["parts"] if part["status"] == "failed"), body
    assert answer.headers["Retry-After"]
    return True


async def is_ready(gateway: RunningGateway) -> bool:
    return (await gateway.get("/readyz"))[0].status == 200


async def test_a_database_that_became_read_only(gateway: RunningGateway, postgres_url: str) -> None:
    await eventually(lambda: is_ready(gateway))
    name = urlsplit(gateway.database_url).path.lstrip("/")
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as operator:

        async def set_read_only(value: str) -> None:
            statement = sql.SQL("alter database {} set default_transaction_read_only = {}")
            await operator.execute(statement.format(sql.Identifier(name), sql.Literal(value)))
            await operator.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
            )

        await set_read_only("on")
        await eventually(lambda: says(gateway, "the database is read-only"))
        await set_read_only("off")
        await eventually(lambda: is_ready(gateway))
    await gateway.start_run()


async def take_all_connections(url: str, taken: list[psycopg.AsyncConnection]) -> None:
    while True:
        taken.append(await psycopg.AsyncConnection.connect(url))


async def test_no_connection_is_left_for_the_writer(contracts: ContractChecker) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(PostgresServer(settings={"max_connections": "10"}))
        await migrate(server.url)
        gateway = await stack.enter_async_context(running_gateway(server.url, contracts))
        others = [await psycopg.AsyncConnection.connect(server.url) for _ in range(8)]
        with pytest.raises(psycopg.OperationalError):
            await take_all_connections(server.url, others)
        await eventually(lambda: says(gateway, "the database has no connection left for the writer"))
        for other in others:
            await other.close()
        await eventually(lambda: is_ready(gateway))
        await gateway.start_run()


@pytest.fixture
def disk() -> Iterator[Path]:
    """A file system of 100 MB, for which the tests must be root."""
    with small_disk() as folder:
        yield folder


async def test_a_full_disk(contracts: ContractChecker, disk: Path) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(PostgresServer(place=disk))
        await migrate(server.url)
        gateway = await stack.enter_async_context(running_gateway(server.url, contracts))
        await eventually(lambda: is_ready(gateway))
        filler = disk / "filler"
        fill(filler)
        await eventually(lambda: says(gateway, "the disk of the database is full"))
        assert (await gateway.get("/healthz"))[0].status == 200
        large = {**ENVELOPE, "inputs": {"text": os.urandom(100_000).hex()}}
        answer, body = await gateway.post(f"{API}/runs", large)
        assert (answer.status, body["code"]) == (503, "store_unavailable")
        filler.unlink()
        await eventually(lambda: is_ready(gateway))
        await gateway.start_run()


async def test_roles_that_no_process_plays_are_named(gateway: RunningGateway) -> None:
    _, body = await gateway.get("/readyz")
    assert (body["status"], body["missingRoles"]) == ("degraded", ["planner", "executor"])
    planner = LogListener(gateway.database_url, roles=["planner"])
    await planner.start()

    async def missing(*roles: str) -> bool:
        answer, body = await gateway.get("/readyz")
        assert answer.status == 200
        assert body["status"] == ("degraded" if roles else "ready")
        return body["missingRoles"] == list(roles)

    await eventually(lambda: missing("executor"))
    executor = LogListener(gateway.database_url, roles=["executor", "gateway"])
    await executor.start()
    await eventually(missing)
    await executor.close()
    await eventually(lambda: missing("executor"))
    await planner.close()


async def test_a_thousand_questions_cost_one_probe_a_second(gateway: RunningGateway) -> None:
    async def probes() -> int:
        async with await psycopg.AsyncConnection.connect(gateway.database_url) as connection:
            cursor = await connection.execute(
                "select temp_files from pg_stat_database where datname = current_database()"
            )
            row = await cursor.fetchone()
            return row[0] if row else 0

    await asyncio.gather(*(gateway.get("/readyz") for _ in range(50)))
    first = await eventually(probes)
    await asyncio.gather(*(gateway.get("/readyz") for _ in range(1000)))
    began = asyncio.get_running_loop().time()
    after = await eventually(probes)
    seconds = asyncio.get_running_loop().time() - began
    assert after - first <= 2 * (seconds + 20)
    answer, _ = await gateway.post(f"{API}/runs", ENVELOPE)
    assert answer.status == 202
