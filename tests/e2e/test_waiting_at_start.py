"""A process waits for its database and its broker at start as it does later, says so, and is not ready until then."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psycopg
import pytest

from tests.support.cli import run
from tests.support.ports import free_port
from tests.support.postgres_server import PostgresServer
from tests.support.processes import FlexrunProcess, Setting, Site
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import DEADLINE_SECONDS, eventually


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[TcpProxy]:
    """A proxy to the database that can be closed."""
    parts = urlsplit(database_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5432) as proxy:
        yield proxy


async def _asks(url: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.json()


async def _says(process: FlexrunProcess, *words: str) -> None:
    await eventually(
        lambda: all(word in process.last_words(100_000) for word in words), 60, describe=str(words)
    )


@pytest.mark.parametrize("role", ["gateway", "planner", "executor", "up"])
async def test_a_process_waits_for_its_database(
    role: str, proxy: TcpProxy, database_url: str, tmp_path: Path
) -> None:
    proxy.refusing = True
    port = free_port()
    setting = Setting(proxy.url(database_url), extra={"HEALTH_PORT": str(port)})
    process = Site(setting, tmp_path).add(role)
    process.launch()
    try:
        await _says(process, "database_away", "still trying")
        assert (await _asks(f"http://127.0.0.1:{port}/healthz"))[0] == 200
        status, body = await _asks(f"http://127.0.0.1:{port}/readyz")
        assert (status, body["detail"]) == (503, "Not ready: the database is waited for.")
        assert body["status"] == "starting"
        assert [part["name"] for part in body["parts"] if part["status"] == "failed"] == ["database"]
        assert "is ready" not in process.last_words(100_000)
        proxy.refusing = False
        await process.ready()
        await _says(process, "database_back")
        status, body = await _asks(f"http://127.0.0.1:{port}/readyz")
        assert (status, body["status"]) == (200, "ready")
        assert {"name": "database", "status": "ok"} in body["parts"]
    finally:
        assert await process.stop() == 0


@pytest.mark.parametrize("role", ["executor", "up"])
async def test_a_process_that_waits_stops_when_told_to(role: str, tmp_path: Path) -> None:
    setting = Setting(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    process = Site(setting, tmp_path).add(role)
    process.launch()
    await _says(process, "database_away")
    process.send(signal.SIGTERM)
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await process.ended() == 0


async def test_what_waiting_does_not_mend_is_an_error_at_once(database_url: str) -> None:
    parts = urlsplit(database_url)
    address = f"{parts.hostname}:{parts.port}"
    for url, words in (
        (f"postgresql://nobody-we-know@{address}{parts.path}", "does not exist"),
        (f"postgresql://{parts.username}@{address}/no-such-database", "does not exist"),
    ):
        done = await run("executor", "--database", url)
        assert done.status == 2, done.err
        assert "cannot start" in done.err
        assert words in done.err


async def test_a_wrong_password_is_an_error_at_once() -> None:
    async with PostgresServer() as server:
        async with await psycopg.AsyncConnection.connect(server.url, autocommit=True) as connection:
            ((path,),) = await (await connection.execute("show hba_file")).fetchall()
            rules = Path(path)
            rules.write_text("host all ann 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
            await connection.execute("select pg_reload_conf()")
        url = f"postgresql://ann:wrong-word@127.0.0.1:{server.port}/postgres"
        done = await run("executor", "--database", url)
    assert done.status == 2, done.err
    assert "authentication failed" in done.err
    assert "wrong-word" not in done.err


@pytest.mark.parametrize(
    ("account", "vhost", "words"),
    [
        ("guest:wrong", "", "RabbitMQ refuses the account"),
        ("guest:guest", "no-such-vhost", "RabbitMQ has no such virtual host"),
    ],
)
async def test_a_worker_that_cannot_consume_is_not_ready_and_says_why(
    account: str, vhost: str, words: str, database_url: str, amqp_url: str, tmp_path: Path
) -> None:
    parts = urlsplit(amqp_url)
    port = free_port()
    broker_url = f"amqp://{account}@{parts.hostname}:{parts.port}/{vhost}"
    process = Site(Setting(database_url, broker_url, extra={"HEALTH_PORT": str(port)}), tmp_path).add(
        "executor"
    )
    process.launch()
    try:
        await _says(process, "flexrun executor is not ready yet, it goes on trying", words)
        assert "is ready" not in process.last_words(100_000)
        assert "object at 0x" not in process.last_words(100_000)
        status, body = await _asks(f"http://127.0.0.1:{port}/readyz")
        assert status == 503
        assert words in body["detail"]
        assert body["status"] == "not_ready"
        assert [part["name"] for part in body["parts"] if part["status"] == "failed"] == ["broker"]
        assert (await _asks(f"http://127.0.0.1:{port}/healthz"))[0] == 200
    finally:
        assert await process.stop() == 0
