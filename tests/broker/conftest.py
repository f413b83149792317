"""Both brokers, for every test of the interface."""

from collections.abc import AsyncIterator

import pytest

from tests.support.carriage import House, Site


@pytest.fixture(params=["postgres", "rabbitmq"])
def site(request: pytest.FixtureRequest, database_url: str) -> Site:
    """A site for each broker; RabbitMQ is only started for the tests that need it."""
    if request.param == "postgres":
        return Site(database_url, "postgres", "")
    return Site(
        database_url, request.getfixturevalue("amqp_url"), request.getfixturevalue("broker_namespace")
    )


@pytest.fixture
async def house(site: Site) -> AsyncIterator[House]:
    """The parts of one process."""
    async with House(site) as opened:
        yield opened
