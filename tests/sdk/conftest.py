"""A gateway, and beside it a process that starts runs and keeps them going."""

from collections.abc import AsyncIterator

import pytest

from contracts.checker import ContractChecker
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.no_spare import NO_SPARE
from tests.support.wired_engine import POSTGRES, Wiring
from tests.support.wiring import StoreWiring


@pytest.fixture
async def contracts() -> AsyncIterator[ContractChecker]:
    async with ContractChecker(NO_SPARE) as checker:
        yield checker


@pytest.fixture
async def wiring(database_url: str) -> AsyncIterator[StoreWiring]:
    """A process that starts runs and keeps them going."""
    async with StoreWiring(database_url, broker_address=POSTGRES, wiring=Wiring()) as opened:
        yield opened


@pytest.fixture
async def gateway(database_url: str, contracts: ContractChecker) -> AsyncIterator[RunningGateway]:
    async with running_gateway(database_url, contracts, notified=True) as running:
        yield running
