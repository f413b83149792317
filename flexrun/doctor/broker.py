"""The broker: whether it answers, lets this account in, has the queues, and somebody consumes them."""

from __future__ import annotations

import asyncio

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from broker.rabbitmq.link import address_of, leave, plainly
from broker.rabbitmq.topology import DEAD, Topology
from flexrun.doctor.findings import Finding, ok, problem, warning
from flexrun.settings import Settings
from runs.outstanding import OUTPUT_QUEUE, PLAN_QUEUE

_CONNECT_SECONDS = 5.0
_PUBLISH_SECONDS = 5.0
_DEEP = 10_000
_INBOX = "hitl"
_CONSUMERS = {PLAN_QUEUE: "planner", OUTPUT_QUEUE: "executor", _INBOX: "gateway"}


async def look_at_broker(settings: Settings) -> list[Finding]:
    """RabbitMQ, as far as AMQP tells. With the Postgres broker there is nothing else to look at."""
    if not settings.broker_url.startswith("amqp"):
        return [ok("broker", "server", "the database carries the messages")]
    address = address_of(settings.broker_url)
    try:
        connection = await aio_pika.connect(
            settings.broker_url,
            timeout=_CONNECT_SECONDS,
            client_properties={"connection_name": "flexrun doctor"},
        )
    except Exception as error:  # noqa: BLE001 - whatever aio-pika raises, the broker cannot be used
        advice = "start it, or mend FLEXRUN_BROKER_URL; runs go on meanwhile, more slowly, from the database"
        return [problem("broker", "server", f"{plainly(error)} at {address}", advice)]
    try:
        topology = Topology(settings.namespace)
        found = [ok("broker", "server", f"RabbitMQ at {address} lets this account in")]
        found += [await _queue(connection, topology, name, role) for name, role in _CONSUMERS.items()]
        found.append(await _dead(connection, topology))
        found.append(await _alarm(connection))
        return found
    finally:
        await leave(connection)


async def _counts(connection: AbstractConnection, queue: str) -> tuple[int, int] | None:
    """How many messages and consumers a queue has; None where there is no such queue."""
    try:
        async with connection.channel(publisher_confirms=False) as channel:
            declared = (await channel.declare_queue(queue, passive=True)).declaration_result
            return declared.message_count or 0, declared.consumer_count or 0
    except ChannelNotFoundEntity:
        return None


async def _queue(connection: AbstractConnection, topology: Topology, name: str, role: str) -> Finding:
    queue = topology.queue(name)
    counts = await _counts(connection, queue)
    if counts is None:
        return problem("broker", queue, "there is no such queue", f"start a {role}: it declares it")
    messages, consumers = counts
    seen = f"{messages} messages, {consumers} consumers"
    if not consumers:
        return problem("broker", queue, seen, f"start a {role}: nobody consumes it")
    if messages > _DEEP:
        return warning("broker", queue, seen, f"start more of the role {role}")
    return ok("broker", queue, seen)


async def _dead(connection: AbstractConnection, topology: Topology) -> Finding:
    counts = await _counts(connection, topology.queue(DEAD))
    if counts is None or not counts[0]:
        return ok("broker", "dead letters", "none")
    return warning("broker", "dead letters", f"{counts[0]} dead letters", "look at them: flexrun dead list")


async def _alarm(connection: AbstractConnection) -> Finding:
    """A server under an alarm of memory or disk accepts the message and does not confirm it."""
    try:
        async with asyncio.timeout(_PUBLISH_SECONDS), connection.channel() as channel:
            queue = await channel.declare_queue(exclusive=True, auto_delete=True)
            await channel.default_exchange.publish(aio_pika.Message(b""), routing_key=queue.name)
    except TimeoutError:
        seen = f"a message was not confirmed within {_PUBLISH_SECONDS:g} s"
        return problem(
            "broker", "alarm", seen, "look for an alarm of memory or disk: rabbitmq-diagnostics alarms"
        )
    except Exception as error:  # noqa: BLE001 - whatever aio-pika raises, nothing can be sent
        return problem(
            "broker", "alarm", f"nothing can be sent: {plainly(error)}", "look into RabbitMQ's log"
        )
    return ok("broker", "alarm", "a message is confirmed")
