"""The server as consumers need it: where they listen, what the queues are, how they send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from broker.rabbitmq.link import RabbitLink
from broker.rabbitmq.publisher import Publisher
from broker.rabbitmq.topology import Topology


@dataclass(frozen=True, slots=True)
class RabbitNamespace:
    """One namespace on one RabbitMQ. A request without an answer after `answer_seconds` is given up.

    `work_waits` says whether work waits for long that this process has room for: its hints do not come.
    """

    topology: Topology
    consuming: RabbitLink
    publisher: Publisher
    answer_seconds: float
    work_waits: Callable[[], bool]
