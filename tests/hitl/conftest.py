"""Gateways on a database of the test's own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from contracts.checker import ContractChecker
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.no_spare import NO_SPARE
from tests.support.wired_engine import BrokerAddress


@pytest.fixture
async def contracts() -> AsyncIterator[ContractChecker]:
    async with ContractChecker(NO_SPARE) as checker:
        yield checker


@pytest.fixture
async def gateway(database_url: str, contracts: ContractChecker) -> AsyncIterator[RunningGateway]:
    """A gateway without tokens."""
    async with running_gateway(database_url, contracts) as running:
        yield running


@pytest.fixture
async def start_gateway(database_url: str, contracts: ContractChecker) -> AsyncIterator[Callable[..., Any]]:
    """Start gateways with settings of the test's own, all on one database; they end with the test."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> RunningGateway:
            return await stack.enter_async_context(running_gateway(database_url, contracts, **settings))

        yield start


@pytest.fixture(params=["postgres", "rabbitmq"])
def broker_address(request: pytest.FixtureRequest) -> BrokerAddress:
    """Both brokers, for tests that could depend on the broker."""
    if request.param == "postgres":
        return BrokerAddress()
    return BrokerAddress(request.getfixturevalue("amqp_url"), request.getfixturevalue("broker_namespace"))
