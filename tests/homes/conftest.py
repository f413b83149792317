"""An engine with a gateway and an executor, for all tests of a module; in it a capability that does as it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from contracts.checker import ContractChecker
from executor.homes.mcp_allowed import AllowedCommands
from executor.homes.parts import HomeParts
from sandbox.config import SandboxConfig
from sandbox.sandbox import Sandbox
from tests.support import databases
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.no_spare import NO_SPARE
from tests.support.told import Told
from tests.support.told_homes import SECRET_VARIABLE, SERVED, World, loaded
from tests.support.wiring import REMOTE, ExecutorWiring

SECRET = "told-very-secret-0123456789"

Place = Callable[..., AbstractAsyncContextManager[World]]

_LOADED = {True: "told.python", False: "told.python-once"}
_OF_ENGINE = ("python", "mcp")
"""What begins once: functions are loaded when an executor starts, and a server of tools is kept."""


@dataclass(frozen=True)
class Engine:
    """A gateway and an executor; `told` is what the executor's own functions and servers are told."""

    executor: ExecutorWiring
    gateway: RunningGateway
    told: Told


@pytest.fixture(scope="module")
def engine_database(service: Callable[[str], str], postgres_url: str) -> Iterator[str]:
    """A database for a whole module."""
    url = databases.create_database(postgres_url, template=service("postgres_template"))
    yield url
    databases.drop_database(postgres_url, url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(engine_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    """Started once: an engine for each test would be most of what the suite costs."""
    told = Told(tmp_path_factory.mktemp("told"))
    own = [loaded(told, name, idempotent=idempotent) for idempotent, name in _LOADED.items()]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(SECRET_VARIABLE, SECRET)
        async with (
            Sandbox(SandboxConfig(spares=0)) as sandbox,
            ContractChecker(NO_SPARE) as contracts,
            running_gateway(engine_database, contracts, notified=True) as gateway,
            ExecutorWiring(
                engine_database,
                own,
                homes=HomeParts(sandbox, AllowedCommands.of("*")),
                config=REMOTE,
                callback_url=gateway.url,
            ) as executor,
        ):
            yield Engine(executor, gateway, told)


@pytest.fixture
def place(engine: Engine, tmp_path: Path) -> Place:
    """`place(home, idempotent=…)`: a capability in this home."""

    @asynccontextmanager
    async def placed(home: str, *, idempotent: bool = True) -> AsyncIterator[World]:
        told = engine.told if home in _OF_ENGINE else Told(tmp_path)
        told.forget()
        name = _LOADED[idempotent] if home == "python" else f"told.{uuid4().hex}"
        world = World(engine.executor, engine.gateway, name, told, idempotent)
        async with SERVED[home](world):
            yield world

    return placed
