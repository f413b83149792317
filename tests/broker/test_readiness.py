"""What a broker reports: whether it can send and receive now, and why not."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aio_pika
import psycopg
import pytest
from structlog.testing import capture_logs

from broker.interface import WorkHint
from broker.readiness import Found, ReadinessProbe
from broker.waiting import WaitingWork
from tests.support.carriage import BrokerTimes, House, Planner, Site, open_planner
from tests.support.rabbit_control import rabbitmqctl
from tests.support.rabbit_server import RabbitServer
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually


@pytest.fixture
def rabbit_site(database_url: str, amqp_url: str, broker_namespace: str) -> Site:
    """RabbitMQ only."""
    return Site(database_url, amqp_url, broker_namespace)


async def note(_body: bytes) -> None:
    """Takes every message."""


async def consuming(house: House) -> Planner:
    """Subscribe to work and to messages."""
    planner = open_planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=2)
    await house.broker.consume_messages("hitl", note, prefetch=1)
    return planner


async def no_trouble(house: House) -> bool:
    return await house.broker.troubles() == []


async def test_a_broker_that_carries_has_no_trouble(house: House) -> None:
    await consuming(house)
    await eventually(lambda: no_trouble(house))
    await house.all_complete([await house.start_run()])
    assert await house.broker.troubles() == []
    assert (await ReadinessProbe(house.store, house.broker).found()).ready


async def test_a_queue_that_others_declared_is_named(rabbit_site: Site) -> None:
    name = f"{rabbit_site.namespace}.v1.plan"
    async with (
        await aio_pika.connect(rabbit_site.broker_url) as connection,
        connection.channel() as channel,
        House(rabbit_site) as house,
    ):
        await channel.declare_queue(name, durable=True)
        await consuming(house)

        async def both_named() -> bool:
            troubles = await house.broker.troubles()
            assert "messages cannot be sent: a queue exists with other arguments" in troubles
            assert "plan.front, plan cannot be consumed: a queue exists with other arguments" in troubles
            return True

        await eventually(both_named)
        found = await ReadinessProbe(house.store, house.broker).found()
        assert not found.ready
        assert found.database == ()
        await channel.queue_delete(name)
        await eventually(lambda: no_trouble(house))


async def test_a_server_that_accepts_and_closes_is_named(rabbit_site: Site) -> None:
    parts = urlsplit(rabbit_site.broker_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:
        behind = Site(rabbit_site.database_url, proxy.url(rabbit_site.broker_url), rabbit_site.namespace)
        async with House(behind) as house:
            await consuming(house)
            await eventually(lambda: no_trouble(house))
            proxy.hanging_up = True
            proxy.cut()

            async def named() -> bool:
                troubles = await house.broker.troubles()
                return troubles == [
                    "messages cannot be sent: not connected to RabbitMQ",
                    "nothing can be received: not connected to RabbitMQ",
                ]

            await eventually(named)
            proxy.hanging_up = False
            await eventually(lambda: no_trouble(house))


async def test_permissions_that_are_taken_away_are_named(database_url: str) -> None:
    async with (
        RabbitServer() as server,
        House(Site(database_url, server.url, "flexrun"), BrokerTimes(publish_seconds=2)) as house,
    ):
        await consuming(house)
        await eventually(lambda: no_trouble(house))
        await rabbitmqctl(server, "clear_permissions", "guest")

        async def sending_named() -> bool:
            return "messages cannot be sent: RabbitMQ refuses permission" in await house.broker.troubles()

        await eventually(sending_named)
        await rabbitmqctl(server, "close_all_connections", "the test says so")

        async def receiving_named() -> bool:
            troubles = await house.broker.troubles()
            refused = "RabbitMQ has no such virtual host, or does not let this account use it"
            assert f"nothing can be received: {refused}" in troubles, troubles
            return True

        await eventually(receiving_named, 20)
        await rabbitmqctl(server, "set_permissions", "guest", ".*", ".*", ".*")
        await eventually(lambda: no_trouble(house), 20)
        await house.all_complete([await house.start_run()])


async def test_an_alarm_of_the_server_is_named(database_url: str) -> None:
    async with (
        RabbitServer() as server,
        House(Site(database_url, server.url, "flexrun"), BrokerTimes(publish_seconds=1)) as house,
    ):
        await eventually(lambda: no_trouble(house))
        await rabbitmqctl(server, "set_vm_memory_high_watermark", "0.000001")

        async def named() -> bool:
            return (await house.broker.troubles())[0].startswith("messages cannot be sent: RabbitMQ")

        await eventually(named)
        await rabbitmqctl(server, "set_vm_memory_high_watermark", "0.6")
        await eventually(lambda: no_trouble(house))


@pytest.fixture
async def silent_house(site: Site) -> AsyncIterator[House]:
    """A process whose commits send no hints, and the only one on its database."""
    async with House(site, BrokerTimes(poll_seconds=600), dispatches=False) as opened:
        yield opened


async def test_work_that_waits_beside_a_free_slot_is_named_and_logged(silent_house: House) -> None:
    house = silent_house

    class Idle:
        queues = ("plan",)
        idle_seconds = 60.0

    waiting = WaitingWork(house.store, lambda: [Idle()], longest_wait_seconds=10)
    run_id = await house.start_run()
    await waiting.look()
    assert waiting.trouble is None, "it has not waited for long"
    async with await psycopg.AsyncConnection.connect(house.site.database_url) as connection:
        await connection.execute("update flex_work set due_at = due_at - interval '30 seconds'")
    with capture_logs() as logs:
        await waiting.look()
        await waiting.look()
    assert waiting.trouble is not None
    assert waiting.trouble.startswith("work of plan has waited for 3")
    assert [line["event"] for line in logs] == ["work_waits_and_is_not_taken"]
    planner = open_planner(house)
    await planner.handle(WorkHint(run_id, "plan", "", 1, "plan"))
    await waiting.look()
    assert waiting.trouble is None


async def test_a_consumer_is_idle_only_while_it_has_room(house: House) -> None:
    planner = Planner(house)
    consumer = await house.broker.consume(["plan"], planner.handle, slots=1)
    await eventually(lambda: consumer.idle_seconds > 0.2)
    runs = await house.start_runs(2)
    await eventually(lambda: planner.claimed)
    assert consumer.idle_seconds == 0
    planner.gate.set()
    await house.all_complete(runs)


def test_a_process_that_leaves_its_work_is_deaf_and_one_without_a_server_is_not_ready() -> None:
    assert Found().state == "ready"
    assert Found(work=("work of plan has waited",)).state == "deaf"
    assert Found(broker=("messages cannot be sent",), work=("work of plan has waited",)).state == "not_ready"
    found = Found(missing=("planner",))
    assert found.ready
    assert found.parts() == [
        {"name": "database", "status": "ok"},
        {"name": "broker", "status": "ok"},
        {"name": "work", "status": "ok"},
        {"name": "planner", "status": "missing", "detail": "no process has the role planner"},
    ]
