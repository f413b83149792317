"""The twin of RabbitMQ is held to the suite of every broker; with faults it loses hints and no message."""

from __future__ import annotations

from collections import Counter

import pytest

from broker.interface import WorkHint
from simulation.broker.server import Letter, QueueServer, Subscriber
from tests.broker import test_conformance
from tests.broker.conftest import house
from tests.support.carriage import Site
from tests.support.waiting import eventually

__all__ = ["house"]

globals().update({name: test for name, test in vars(test_conformance).items() if name.startswith("test_")})


@pytest.fixture
def site(database_url: str) -> Site:
    """A real Postgres, and the twin in the place of RabbitMQ."""
    return Site(database_url, "twin", "", queues=QueueServer())


class Careless:
    """Loses the first hint, doubles the second; doubles each message, the copy comes late."""

    def __init__(self) -> None:
        self.hints = 0

    def hint(self) -> list[float]:
        self.hints += 1
        return [[], [0.0, 0.02]][self.hints - 1]

    def message(self) -> list[float]:
        return [0.0, 0.05]


def subscriber(server: QueueServer, queue: str, prefetch: int = 10) -> tuple[Subscriber, list[Letter]]:
    received: list[Letter] = []
    subscribed = Subscriber((queue,), prefetch, received.append)
    server.subscribe(subscribed)
    return subscribed, received


async def test_hints_are_lost_and_doubled_and_messages_are_not_lost() -> None:
    server = QueueServer(Careless())
    _, hints = subscriber(server, "plan")
    _, messages = subscriber(server, "hitl")
    server.publish([WorkHint("lost", "plan", "", 1, "plan"), WorkHint("doubled", "plan", "", 1, "plan")])
    server.publish_message("hitl", b"yes")
    await eventually(lambda: len(hints) == 2 and len(messages) == 2)
    assert Counter(letter.content.run_id for letter in hints if isinstance(letter.content, WorkHint)) == {
        "doubled": 2
    }


async def test_what_a_lost_subscriber_had_goes_to_another() -> None:
    server = QueueServer()
    first, had = subscriber(server, "hitl", prefetch=1)
    server.publish_message("hitl", b"yes")
    await eventually(lambda: had)
    _, second = subscriber(server, "hitl")
    server.unsubscribe(first)
    await eventually(lambda: [letter.content for letter in second] == [b"yes"])
