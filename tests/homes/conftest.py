"""An engine with a gateway and an executor, and in it a capability of any home that does as it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from contracts.checker import ContractChecker
from executor.homes.mcp_allowed import AllowedCommands
from executor.homes.parts import HomeParts
from sandbox.config import SandboxConfig
from sandbox.sandbox import Sandbox
from tests.support.gateways import running_gateway
from tests.support.no_spare import NO_SPARE
from tests.support.told import Told
from tests.support.told_homes import SECRET_VARIABLE, SERVED, World, loaded
from tests.support.wiring import REMOTE, ExecutorWiring

SECRET = "told-very-secret-0123456789"

Place = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def place(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """`place(home, idempotent=…)`: the capability in this home, in an engine of its own."""
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)
    told = Told(tmp_path)

    @asynccontextmanager
    async def placed(home: str, *, idempotent: bool = True) -> AsyncIterator[World]:
        own = [loaded(told, idempotent=idempotent)] if home == "python" else []
        async with (
            Sandbox(SandboxConfig(spares=0)) as sandbox,
            ContractChecker(NO_SPARE) as contracts,
            running_gateway(database_url, contracts, notified=True) as gateway,
            ExecutorWiring(
                database_url,
                own,
                homes=HomeParts(sandbox, AllowedCommands.of("*")),
                config=REMOTE,
                callback_url=gateway.url,
            ) as executor,
        ):
            world = World(executor, gateway, told, idempotent)
            async with SERVED[home](world):
                yield world

    return placed
