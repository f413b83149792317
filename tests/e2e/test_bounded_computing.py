"""No demand of an envelope blocks an engine's loop: its run ends, and other runs continue meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from executor.capability import CapabilityContext
from executor.computing import Computing
from flexrun.engine import Engine
from flexrun.roles import ROLES
from flexrun.settings import Settings
from schemas.capability import CapabilityDescriptor
from tests.support.linkedin import STUBS, envelope
from tests.support.loop_time import MOST_SECONDS, loop_time
from tests.support.poisons import PLANNED, REFUSED, with_hashtags
from tests.support.waiting import eventually


def spin(bundle: dict[str, Any]) -> Any:
    while True:
        pass


class SpinningDraft:
    """A draft that computes without end."""

    descriptor = CapabilityDescriptor.model_validate(STUBS["stub.linkedin.draft"].descriptor.to_wire())

    compute = staticmethod(spin)

    async def run(self, context: CapabilityContext) -> Any:
        return self.compute(context.bundle)


@pytest.fixture(name="engine")
async def fixture_engine(database_url: str) -> AsyncIterator[Engine]:
    async with Engine(Settings(database_url=database_url, port=0), frozenset(ROLES)) as engine:
        yield engine


async def submit(engine: Engine, task: dict[str, Any]) -> str:
    assert engine.server is not None
    url, sent = f"{engine.server.url}/api/v1/flex/runs", orjson.dumps(task)
    async with aiohttp.ClientSession() as http, http.post(url, data=sent) as answer:
        body = await answer.json()
        assert answer.status == 202, body
        return body["runId"]


async def ended(engine: Engine, run_id: str) -> Any:
    async def look() -> Any:
        state = await engine.store.load(run_id, fresh=True)
        return state if state.finished else None

    return await eventually(look, 30)


@pytest.mark.parametrize(
    "name", [*PLANNED, "minLength of 300,000,000 for each hashtag", "two long enums", "a long theme"]
)
async def test_a_poison_ends_its_run_and_holds_no_loop(engine: Engine, name: str) -> None:
    task = PLANNED[name]() if name in PLANNED else REFUSED[name][0]()
    await ended(engine, await submit(engine, envelope()))  # what happens only once is not measured
    with loop_time() as held:
        poison = await submit(engine, task)
        good = await submit(engine, envelope())
        state, other = await asyncio.gather(ended(engine, poison), ended(engine, good))
    assert other.status == "completed"
    assert state.status == ("completed" if name in PLANNED else "failed"), state.error
    assert held.longest_seconds < MOST_SECONDS, held.longest


async def test_a_capability_that_computes_without_end_fails_its_run_and_no_other(database_url: str) -> None:
    spinning = SpinningDraft()
    assert isinstance(spinning, Computing)
    stubs = [stub for name, stub in STUBS.items() if name != spinning.descriptor.id]
    settings = Settings(database_url=database_url, port=0)
    async with Engine(settings, frozenset(ROLES), capabilities=[*stubs, spinning]) as engine:
        with loop_time() as held:
            state = await ended(engine, await submit(engine, with_hashtags()))
        assert state.status == "failed"
        assert state.error is not None
        assert "1 s of CPU time" in str(state.error)
        assert held.longest_seconds < MOST_SECONDS, held.longest
