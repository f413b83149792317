"""Doors for the tests: `door` is fresh, `shared_door` serves a whole module that does it no harm."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from contracts.checker import ContractChecker
from tests.support.no_spare import NO_SPARE


@pytest.fixture
async def door() -> AsyncIterator[ContractChecker]:
    async with ContractChecker(NO_SPARE) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_door() -> AsyncIterator[ContractChecker]:
    async with ContractChecker() as opened:
        yield opened
