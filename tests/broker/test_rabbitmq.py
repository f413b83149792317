"""Faults that only RabbitMQ has."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Self
from urllib.parse import urlsplit

import aio_pika
import pytest
import uvloop
from structlog.testing import capture_logs

from broker.interface import BrokerUnavailable, Consumer, MessageRefused
from broker.rabbitmq import settling
from schemas.redaction import redact_message
from tests.support.carriage import BrokerTimes, House, Planner, Site, open_planner, plan_hint
from tests.support.ports import free_port
from tests.support.rabbit_control import delete_queue, put, rabbitmqctl
from tests.support.rabbit_server import RabbitServer
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import DEADLINE_SECONDS, eventually


@pytest.fixture
def site(database_url: str, amqp_url: str, broker_namespace: str) -> Site:
    """RabbitMQ only."""
    return Site(database_url, amqp_url, broker_namespace)


@pytest.fixture
async def house(site: Site) -> AsyncIterator[House]:
    """The parts of one process, with short waits."""
    async with House(
        site, BrokerTimes(hand_on_seconds=0.2, acknowledge_seconds=0.2, publish_seconds=2)
    ) as opened:
        yield opened


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\x00 garbage", "not JSON"),
        (b'{"v": 2}', "data"),
        (b"", "not JSON"),
        (b"x" * 20_000, "20000 bytes"),
    ],
)
async def test_a_poison_message_among_the_hints_is_buried_with_its_reason(
    house: House, site: Site, body: bytes, reason: str
) -> None:
    planner = open_planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=1)
    runs = await house.start_runs(2)
    await house.all_complete(runs)
    await put(site.broker_url, f"{site.namespace}.v1.plan", body)
    letters = await eventually(lambda: house.broker.dead_letters("plan"))
    assert letters[0].body == body
    assert reason in letters[0].reason
    await house.all_complete([await house.start_run()])
    assert await house.broker.depth("plan") == 0


async def test_a_consumer_whose_queue_is_deleted_subscribes_again(house: House, site: Site) -> None:
    planner = open_planner(house)
    await house.broker.consume(["plan", "node.default"], planner.handle, slots=4)
    await house.keeper.start()
    await house.all_complete(await house.start_runs(3))
    for _ in range(3):
        await delete_queue(site.broker_url, f"{site.namespace}.v1.plan")
        await house.all_complete(await house.start_runs(3))


async def test_a_reader_whose_queue_is_deleted_subscribes_again(house: House, site: Site) -> None:
    read: list[bytes] = []

    async def note(body: bytes) -> None:
        read.append(body)

    await house.broker.consume_messages("hitl", note, prefetch=2)
    await house.broker.publish_message("hitl", b"1")
    await eventually(lambda: read == [b"1"])
    await delete_queue(site.broker_url, f"{site.namespace}.v1.hitl")
    await house.broker.publish_message("hitl", b"2")
    await eventually(lambda: read == [b"1", b"2"])


async def test_a_channel_that_the_server_closes_is_opened_again(house: House, site: Site) -> None:
    planner = open_planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=4)
    await house.all_complete(await house.start_runs(3))
    # Another kind of queue under the same name makes the next declaration fail, which closes the channel.
    queue = f"{site.namespace}.v1.plan"
    async with await aio_pika.connect(site.broker_url) as connection, connection.channel() as channel:
        await channel.queue_delete(queue)
        await channel.declare_queue(queue, durable=True)
        with pytest.raises(BrokerUnavailable, match="other arguments"):
            async with House(site) as newcomer:
                await newcomer.broker.publish([plan_hint("01900000-0000-7000-8000-00000000dead")])
        run_id = await house.start_run()
        await channel.queue_delete(queue)
    await house.keeper.start()
    await house.all_complete([run_id])


async def test_long_work_holds_no_message_and_waiting_hints_are_handed_on(house: House, site: Site) -> None:
    planner = Planner(house)
    consumer = await house.broker.consume(["plan"], planner.handle, slots=2)
    runs = await house.start_runs(10)
    await eventually(lambda: len(planner.claimed) == 2)

    async def all_ready() -> bool:
        return await house.broker.depth("plan") == 8

    await eventually(
        all_ready, describe="the hints that wait are in the queue again, where others can take them"
    )
    assert consumer.busy == 2
    planner.gate.set()
    await house.all_complete(runs)
    assert await house.broker.dead_letters("") == []


async def test_no_hint_waits_at_a_busy_worker_while_another_has_a_free_slot(site: Site) -> None:
    async with House(site, BrokerTimes(hand_on_seconds=60, acknowledge_seconds=60)) as house:
        busy, free = Planner(house), Planner(house)
        await house.broker.consume(["plan"], busy.handle, slots=2)
        runs = await house.start_runs(4)
        await eventually(lambda: len(busy.claimed) == 2)
        assert await house.broker.depth("plan") == 2, "what a busy worker holds, the others cannot take"
        await house.broker.consume(["plan"], free.handle, slots=2)
        await eventually(lambda: len(free.claimed) == 2)
        busy.gate.set()
        free.gate.set()
        await house.all_complete(runs)


async def test_a_broker_that_is_not_there_holds_nobody_up(site: Site) -> None:
    nowhere = replace(site, broker_url=f"amqp://guest:guest@127.0.0.1:{free_port()}/")
    started = time.monotonic()
    async with House(nowhere, BrokerTimes(publish_seconds=0.5)) as house:
        assert not house.broker.healthy
        run_id = await house.start_run()
        with pytest.raises(BrokerUnavailable, match="not connected"):
            await house.broker.publish([plan_hint(run_id)])
        with pytest.raises(BrokerUnavailable, match="not connected"):
            await house.broker.publish_message("hitl", b"x")
        assert await house.types(run_id) == ["start"]
    assert time.monotonic() - started < 10


async def test_links_outlive_a_balancer_that_accepts_and_closes(site: Site) -> None:
    parts = urlsplit(site.broker_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:
        # On the loop that flexrun runs on, while the other side does not wait for it: there aiormq's connect raises
        # StopAsyncIteration.
        await asyncio.to_thread(uvloop.run, links_outlive(proxy, site, asyncio.get_running_loop()))


async def links_outlive(proxy: TcpProxy, site: Site, proxys_loop: asyncio.AbstractEventLoop) -> None:
    behind = replace(site, broker_url=proxy.url(site.broker_url))
    async with House(behind, BrokerTimes(publish_seconds=0.5)) as house:
        planner = open_planner(house)
        await house.broker.consume(["plan"], planner.handle, slots=4)
        await house.keeper.start()
        await house.all_complete([await house.start_run()])
        proxy.hanging_up = True
        accepted = proxy.accepted
        proxys_loop.call_soon_threadsafe(proxy.cut)
        await eventually(lambda: proxy.accepted >= accepted + 4, describe="both links try more than once")
        assert not house.broker.healthy
        runs = await house.start_runs(5)
        proxy.hanging_up = False
        await house.all_complete(runs)
        await eventually(lambda: house.broker.healthy)


async def test_a_broker_that_comes_late_is_used_as_soon_as_it_is_there(site: Site) -> None:
    parts = urlsplit(site.broker_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:
        proxy.refusing = True
        behind = replace(site, broker_url=proxy.url(site.broker_url))
        async with House(behind, BrokerTimes(publish_seconds=0.5)) as house:
            planner = open_planner(house)
            await house.broker.consume(["plan"], planner.handle, slots=4)
            runs = await house.start_runs(3)
            await eventually(lambda: proxy.accepted >= 4)
            assert planner.claimed == []
            proxy.refusing = False
            await house.keeper.start()
            await house.all_complete(runs)
            assert house.broker.healthy


async def test_a_line_that_swallows_everything_makes_publishing_fail_in_time(site: Site) -> None:
    parts = urlsplit(site.broker_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:
        behind = replace(site, broker_url=proxy.url(site.broker_url))
        async with House(behind, BrokerTimes(publish_seconds=0.5)) as house:
            await house.broker.publish_message("hitl", b"1")
            proxy.stalled = True
            with pytest.raises(BrokerUnavailable, match="confirmed nothing"):
                await house.broker.publish_message("hitl", b"2")
            proxy.stalled = False
            await house.broker.publish_message("hitl", b"3")
            assert await house.broker.depth("hitl") in (2, 3), "an unconfirmed message may have arrived"


async def test_a_worker_that_stops_does_not_wait_long_for_a_silent_broker(site: Site) -> None:
    parts = urlsplit(site.broker_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:
        behind = replace(site, broker_url=proxy.url(site.broker_url))
        async with House(
            behind, BrokerTimes(hand_on_seconds=1, acknowledge_seconds=0.2, publish_seconds=60)
        ) as house:
            planner = Planner(house)
            consumer = await house.broker.consume(["plan"], planner.handle, slots=1)
            await house.start_runs(3)

            async def one_waits_for_the_slot() -> bool:
                return await house.broker.depth("plan") == 1

            await eventually(one_waits_for_the_slot)
            with capture_logs() as logs:
                proxy.stalled = True
                await eventually(lambda: any(line["event"] == "hints_handed_on" for line in logs))
            async with asyncio.timeout(DEADLINE_SECONDS):
                await consumer.cancel(drain_seconds=0)


@dataclass
class Customers:
    """A site whose planner is busy with its first runs, and the keeper that finds what the broker lost."""

    house: House
    planner: Planner
    consumer: Consumer
    runs: list[str]

    @classmethod
    async def come(cls, house: House) -> Self:
        planner = Planner(house)
        consumer = await house.broker.consume(["plan"], planner.handle, slots=4)
        await house.keeper.start()
        runs = await house.start_runs(20)
        await eventually(lambda: len(planner.claimed) == 4)
        return cls(house, planner, consumer, runs)

    async def start_more(self) -> None:
        """Runs that are started while the broker is unavailable."""
        await eventually(lambda: not self.house.broker.healthy)
        self.runs += await self.house.start_runs(5)

    async def are_served(self) -> None:
        self.planner.gate.set()
        await self.house.all_complete(self.runs, 90)
        assert sorted(set(self.planner.claimed)) == sorted(self.runs)


@pytest.mark.timeout(240)
async def test_restarts_kills_and_alarms_of_the_broker_lose_nothing(
    database_url: str, other_database_url: str
) -> None:
    async with (
        RabbitServer() as server,
        House(Site(database_url, server.url, "old"), BrokerTimes(publish_seconds=1)) as house,
        House(Site(other_database_url, server.url, "young"), BrokerTimes(publish_seconds=1)) as young_house,
    ):
        read: list[bytes] = []

        async def note(body: bytes) -> None:
            read.append(body)

        await house.broker.consume_messages("hitl", note, prefetch=2)
        old = await Customers.come(house)
        await server.stop()
        await old.start_more()
        await server.start()
        await old.are_served()
        # Killed right after a queue was made, RabbitMQ 3.10 has one that never answers: it has to be replaced.
        young = await Customers.come(young_house)
        await server.kill()
        await asyncio.gather(old.start_more(), young.start_more())
        await server.start()
        await asyncio.gather(old.are_served(), young.are_served())
        await house.broker.publish_message("hitl", b"after the kill")
        await eventually(lambda: read == [b"after the kill"])
        await alarm_and_calm_down(server, old)


async def alarm_and_calm_down(server: RabbitServer, customers: Customers) -> None:
    """The server takes nothing for a while, for lack of memory; nothing is lost, and no caller waits in vain."""
    house = customers.house
    await rabbitmqctl(server, "set_vm_memory_high_watermark", "0.000001")
    await until_blocked(house)
    started = time.monotonic()
    with pytest.raises(BrokerUnavailable, match="stopped taking messages"):
        await house.broker.publish_message("hitl", b"blocked")
    assert time.monotonic() - started < 0.5, "who knows that it is blocked need not wait"
    assert not house.broker.healthy
    late = await house.start_run()
    await rabbitmqctl(server, "set_vm_memory_high_watermark", "0.6")
    await eventually(lambda: house.broker.healthy)
    await house.all_complete([late], 30)
    await eventually(lambda: customers.consumer.busy == 0)


async def until_blocked(house: House) -> None:
    """Publish until the server blocks the connection."""

    async def refused() -> bool:
        try:
            await house.broker.publish_message("hitl", b"?")
        except BrokerUnavailable:
            return not house.broker.healthy
        return False

    await eventually(refused, 20)


async def test_a_worker_that_dies_holding_a_hint_twenty_times_is_not_given_it_for_ever(
    house: House, site: Site
) -> None:
    run_id = await house.start_run()
    queue = f"{site.namespace}.v1.plan"

    async def there() -> bool:
        return await house.broker.depth("plan") == 1

    await eventually(there)
    async with await aio_pika.connect(site.broker_url) as connection:
        for _ in range(21):
            channel = await connection.channel()
            taken = await (await channel.get_queue(queue, ensure=False)).get(timeout=10, fail=True)
            assert run_id.encode() in taken.body
            await channel.close()
            await asyncio.sleep(0)
    letters = await eventually(lambda: house.broker.dead_letters("plan"))
    assert "delivered 20 times" in letters[0].reason


SECRET = b'{"v":1,"token":"token-of-ann","data":"x"}'


async def _redacted(body: bytes) -> bytes:
    return redact_message(body)


async def test_the_last_delivery_of_a_message_that_kills_its_consumers_is_buried_by_us(
    house: House, site: Site
) -> None:
    await house.broker.publish_message("hitl", SECRET)
    async with await aio_pika.connect(site.broker_url) as connection:
        for _ in range(19):
            channel = await connection.channel()
            queue = await channel.get_queue(f"{site.namespace}.v1.hitl", ensure=False)
            await eventually(partial(_taken, queue))
            await channel.close()
    handled: list[bytes] = []

    async def handle(body: bytes) -> None:
        handled.append(body)

    await house.broker.consume_messages("hitl", handle, prefetch=1, kept=_redacted)
    letters = await eventually(lambda: house.broker.dead_letters("hitl"))
    assert letters[0].reason == "delivered 19 times, and each time its consumer died"
    assert b"token-of-ann" not in letters[0].body
    assert handled == []


async def _taken(queue: aio_pika.abc.AbstractQueue) -> bool:
    return await queue.get(timeout=10, fail=False) is not None


async def test_a_burial_that_fails_is_tried_again_and_then_the_message_goes_back(
    house: House, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "_BURIALS", 3)
    monkeypatch.setattr(settling, "_BURIAL_PAUSE_SECONDS", 0.05)
    dead = f"{site.namespace}.v1.dead"
    refused: list[bytes] = []
    gate = asyncio.Event()

    async def refuse(body: bytes) -> None:
        refused.append(body)
        await gate.wait()
        raise MessageRefused("not a decision")

    await house.broker.publish_message("hitl", SECRET)
    await house.broker.consume_messages("hitl", refuse, prefetch=1, kept=_redacted)
    await eventually(lambda: refused)
    async with await aio_pika.connect(site.broker_url) as connection, connection.channel() as channel:
        await channel.queue_delete(dead)
        full = {"x-max-length": 0, "x-overflow": "reject-publish"}
        await channel.declare_queue(dead, durable=True, arguments=full)
        gate.set()
        await eventually(lambda: len(refused) >= 2, 20)
        assert set(refused) == {SECRET}
        await channel.queue_delete(dead)
    letters = await eventually(lambda: house.broker.dead_letters("hitl"), 20)
    assert letters[0].reason == "not a decision"
    assert b"token-of-ann" not in letters[0].body
    assert await house.broker.depth("hitl") == 0
