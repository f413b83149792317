"""Opens the broker that a URL names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.interface import Broker
    from broker.journal import Journal
    from eventstore.listener import LogListener
    from eventstore.store import EventStore


def open_broker(
    url: str,
    store: EventStore,
    listener: LogListener | None,
    *,
    namespace: str = "flexrun",
    claim_seconds: float = 15.0,
    journal: Journal | None = None,
) -> Broker:
    """The broker that `url` names: `postgres`, or `amqp://…` / `amqps://…`. Raises ValueError for anything else.

    `claim_seconds`: for how long work that a consumer took, and died before it started it, is kept from the others.
    `journal`: where a supervised process notes what it takes from its own commits. RabbitMQ has no use for it, since
    a hint that comes again may go to another process.
    """
    # Imported here: aio-pika takes a tenth of a second, which a process without RabbitMQ does not pay.
    if url == "postgres":
        from broker.postgres import PostgresBroker, PostgresBrokerConfig  # noqa: PLC0415 - see above

        return PostgresBroker(
            store, listener, config=PostgresBrokerConfig(claim_seconds=claim_seconds), journal=journal
        )
    if url.startswith(("amqp://", "amqps://")):
        from broker.rabbitmq import RabbitBroker  # noqa: PLC0415 - see above

        return RabbitBroker(url, store, namespace=namespace, claim_seconds=claim_seconds)
    raise ValueError(f"a broker is `postgres` or an amqp:// address, not {url.partition(':')[0]!r}")
