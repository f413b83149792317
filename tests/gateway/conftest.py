"""A gateway for each test, on its own database."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from contracts.checker import ContractChecker
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.no_spare import NO_SPARE
from tests.support.remote import ByHand, registered
from tests.support.wiring import StoreWiring


@pytest.fixture
async def contracts() -> AsyncIterator[ContractChecker]:
    async with ContractChecker(NO_SPARE) as checker:
        yield checker


@pytest.fixture
async def gateway(database_url: str, contracts: ContractChecker) -> AsyncIterator[RunningGateway]:
    """A gateway with default settings, without tokens."""
    async with running_gateway(database_url, contracts) as running:
        yield running


@pytest.fixture
async def start_gateway(database_url: str, contracts: ContractChecker) -> AsyncIterator[Callable[..., Any]]:
    """Start gateways with settings of the test's own, all on one database; they end with the test."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> RunningGateway:
            return await stack.enter_async_context(running_gateway(database_url, contracts, **settings))

        yield start


@pytest.fixture
async def wiring(database_url: str) -> AsyncIterator[StoreWiring]:
    """Another process, which starts runs."""
    async with StoreWiring(database_url) as opened:
        await registered(opened.store)
        yield opened


@pytest.fixture
async def worker(wiring: StoreWiring, start_gateway: Callable[..., Any]) -> ByHand:
    """A worker at a gateway that hears of other processes' commits."""
    return ByHand(await start_gateway(notified=True))
