"""Two databases with one namespace of one RabbitMQ: the second is refused before it takes anything."""

import asyncio
import os
import sys
from dataclasses import replace
from urllib.parse import urlsplit

import aio_pika
import psycopg
import pytest
from structlog.testing import capture_logs

from broker.interface import BrokerRefused, BrokerUnavailable
from broker.rabbitmq.topology import Topology
from eventstore.installation import installation_name
from eventstore.store import EventStore
from tests.support.carriage import BrokerTimes, House, Site, open_planner
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import DEADLINE_SECONDS, eventually


@pytest.fixture
def site(database_url: str, amqp_url: str, broker_namespace: str) -> Site:
    """The installation that comes first."""
    return Site(database_url, amqp_url, broker_namespace)


@pytest.fixture
def other(site: Site, other_database_url: str) -> Site:
    """One with a database of its own, and the same namespace."""
    return replace(site, database_url=other_database_url)


async def name_of(database_url: str) -> str:
    store = await EventStore.open(database_url)
    try:
        return await installation_name(store)
    finally:
        await store.close()


async def test_a_database_keeps_its_name_and_no_other_has_it(site: Site, other: Site) -> None:
    name = await name_of(site.database_url)
    assert await name_of(site.database_url) == name
    assert await name_of(other.database_url) != name


async def test_the_second_installation_is_refused_with_both_names(site: Site, other: Site) -> None:
    async with House(site) as house:
        planner = open_planner(house)
        await house.broker.consume(["plan"], planner.handle, slots=2)
        with pytest.raises(BrokerRefused) as refused:
            await House(other).__aenter__()
        sentence = str(refused.value)
        assert f"belong to the installation {await name_of(site.database_url)}," in sentence
        assert f"is the installation {await name_of(other.database_url)}:" in sentence
        assert "FLEXRUN_NAMESPACE" in sentence
        assert "guest" not in sentence, "the credentials of the URL"
        await house.all_complete([await house.start_run()])
    async with House(site) as again:
        assert again.broker.healthy


async def test_an_installation_in_a_namespace_of_its_own_is_welcome(site: Site, other: Site) -> None:
    async with House(site), House(replace(other, namespace=f"{site.namespace}-other")) as house:
        planner = open_planner(house)
        await house.broker.consume(["plan"], planner.handle, slots=2)
        await house.all_complete([await house.start_run()])


async def test_a_server_that_comes_later_refuses_then(site: Site, other: Site) -> None:
    parts = urlsplit(site.broker_url)
    async with House(site), TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:
        proxy.refusing = True
        behind = replace(other, broker_url=proxy.url(other.broker_url))
        async with House(behind, BrokerTimes(publish_seconds=0.5)) as house:
            proxy.refusing = False
            with capture_logs() as logs:
                await eventually(lambda: any("belong to the installation" in str(line) for line in logs))
            assert not house.broker.healthy
            with pytest.raises(BrokerUnavailable):
                await house.broker.publish_message("hitl", b"x")


async def test_what_waits_in_the_queues_of_an_earlier_release_is_still_handled(site: Site) -> None:
    async with await aio_pika.connect(site.broker_url) as connection, connection.channel() as channel:
        topology = Topology(site.namespace)
        await topology.declare(channel, ["hitl"])
        message = aio_pika.Message(b"decision", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key=topology.queue("hitl"))
    read: list[bytes] = []

    async def note(body: bytes) -> None:
        read.append(body)

    async with House(site) as house:
        await house.broker.consume_messages("hitl", note, prefetch=1)
        await eventually(lambda: read == [b"decision"])


async def test_a_restored_copy_is_the_same_installation_until_it_is_renamed(site: Site, other: Site) -> None:
    name = await name_of(site.database_url)
    with psycopg.connect(other.database_url) as restored:
        restored.execute(
            "insert into flex_secrets (name, value) values ('installation', %s)", (name.encode(),)
        )
    async with House(site), House(other) as copy:
        assert copy.broker.healthy
    with psycopg.connect(other.database_url) as restored:
        restored.execute("delete from flex_secrets where name = 'installation'")
    with pytest.raises(BrokerRefused):
        await House(other).__aenter__()


async def test_the_command_line_says_it_in_a_sentence(site: Site, other: Site) -> None:
    async with House(site):
        environment = {
            **os.environ,
            "FLEXRUN_DATABASE_URL": other.database_url,
            "FLEXRUN_BROKER_URL": other.broker_url,
            "FLEXRUN_NAMESPACE": other.namespace,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "flexrun", "planner", env=environment, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(2 * DEADLINE_SECONDS):
            _, told = await process.communicate()
    text = " ".join(told.decode().split())
    assert process.returncode == 2, text
    assert "flexrun cannot start: the queues" in text
    assert "Traceback" not in text
