"""The tests' own tools hold what they promise, or no other test means anything."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import aio_pika
import psutil
import psycopg
import pytest

from tests.support import databases
from tests.support.postgres_server import PostgresServer
from tests.support.rabbit_management import delete_queues
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]

SESSION_OF_ITS_OWN = """
import os, time
from tests.support.services import Services
services = Services()
os.environ.pop("FLEXRUN_TEST_DATABASE_URL", None)
print(services.ask("postgres"), flush=True)
time.sleep(600)
"""


def test_a_database_is_empty_and_this_tests_own(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("create table mine (id int)")
        connection.commit()
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    assert tables == [("mine",)]


def test_a_dropped_database_cuts_whoever_is_still_connected(postgres_url: str) -> None:
    url = databases.create_database(postgres_url)
    with psycopg.connect(url) as connection:
        databases.drop_database(postgres_url, url)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")


async def test_killing_a_postgres_loses_no_commit() -> None:
    async with PostgresServer() as server:
        async with await psycopg.AsyncConnection.connect(server.url, autocommit=True) as connection:
            await connection.execute("create table kept (id int)")
            for value in range(100):
                await connection.execute("insert into kept values (%s)", (value,))
            await server.kill()
        await server.start()
        async with await psycopg.AsyncConnection.connect(server.url) as connection:
            assert await (await connection.execute("select count(*) from kept")).fetchone() == (100,)


async def test_services_end_with_the_process_that_asked_for_them(tmp_path: Path) -> None:
    session = subprocess.Popen(
        [sys.executable, "-c", SESSION_OF_ITS_OWN],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert session.stdout is not None
    url = (await asyncio.to_thread(session.stdout.readline)).strip()
    started = psutil.Process(session.pid).children(recursive=True)
    async with await psycopg.AsyncConnection.connect(url):
        session.kill()
    session.communicate()
    await eventually(lambda: not any(process.is_running() for process in started))


async def test_queues_of_a_test_can_be_deleted_by_their_prefix(
    service: Callable[[str], str], amqp_url: str, broker_namespace: str
) -> None:
    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        await channel.declare_queue(
            f"{broker_namespace}.mine", durable=True, arguments={"x-queue-type": "quorum"}
        )
        await channel.declare_queue(f"other-{broker_namespace}", exclusive=True)
        management_url = service("rabbitmq_management")
        if not management_url:  # a broker named in the environment keeps its queues
            await channel.queue_delete(f"{broker_namespace}.mine")
            return
        delete_queues(management_url, broker_namespace)
        await channel.declare_queue(f"other-{broker_namespace}", passive=True)
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await channel.declare_queue(f"{broker_namespace}.mine", passive=True)


async def test_the_proxy_carries_cuts_stalls_and_refuses(postgres_url: str) -> None:
    port = int(postgres_url.rsplit(":", 1)[1].split("/", maxsplit=1)[0])
    async with TcpProxy("127.0.0.1", port) as proxy:
        url = proxy.url(postgres_url)
        connection = await psycopg.AsyncConnection.connect(url)
        await connection.execute("select 1")
        assert proxy.open_connections == 1

        proxy.stalled = True
        held = asyncio.create_task(connection.execute("select 2"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(held), 0.1)
        proxy.stalled = False
        assert await (await held).fetchone() == (2,)

        assert proxy.cut() == 1
        with pytest.raises(psycopg.OperationalError):
            await connection.execute("select 3")
        await eventually(lambda: proxy.open_connections == 0)

        proxy.refusing = True
        with pytest.raises(psycopg.OperationalError):
            await psycopg.AsyncConnection.connect(url)
        proxy.refusing = False
        await (await psycopg.AsyncConnection.connect(url)).close()


async def test_waiting_reports_the_last_value_and_failure() -> None:
    async def never() -> int:
        return 0

    def fails() -> bool:
        raise AssertionError(json.dumps({"seen": 3}))

    with pytest.raises(AssertionError, match="the answer; last value: 0"):
        await eventually(never, timeout_seconds=0.01, describe="the answer")
    with pytest.raises(AssertionError, match=r'\{"seen": 3\}'):
        await eventually(fails, timeout_seconds=0.01)
