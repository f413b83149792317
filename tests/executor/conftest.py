"""Both brokers, for the tests in which the broker could make a difference, and a gateway that takes callbacks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from contracts.checker import ContractChecker
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.no_spare import NO_SPARE
from tests.support.wired_engine import BrokerAddress


@pytest.fixture(params=["postgres", "rabbitmq"])
def broker_address(request: pytest.FixtureRequest) -> BrokerAddress:
    if request.param == "postgres":
        return BrokerAddress()
    return BrokerAddress(request.getfixturevalue("amqp_url"), request.getfixturevalue("broker_namespace"))


@pytest.fixture
async def gateway(database_url: str) -> AsyncIterator[RunningGateway]:
    async with (
        ContractChecker(NO_SPARE) as contracts,
        running_gateway(database_url, contracts, notified=True) as running,
    ):
        yield running
