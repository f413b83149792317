"""A private RabbitMQ whose ports somebody else has taken starts on others."""

import socket
from collections.abc import Iterator

import pytest

from tests.support.rabbit_server import RabbitServer


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


async def test_a_node_whose_distribution_port_was_taken_while_it_was_down_starts_on_another(
    taken: int,
) -> None:
    async with RabbitServer() as server:
        url = server.url
        await server.stop()
        server._environment["RABBITMQ_DIST_PORT"] = str(taken)  # pyright: ignore[reportPrivateUsage] - taken meanwhile
        assert await server.start() == url
        assert server._environment["RABBITMQ_DIST_PORT"] != str(taken)  # pyright: ignore[reportPrivateUsage] - see above
