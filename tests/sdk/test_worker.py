"""A worker of the Python SDK at real gateways: what its functions return, raise, ask and say reaches the run."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from contracts.checker import ContractChecker
from flexrun_sdk import CapabilityError, Context, GatewayError, Worker, capability
from runs.commands import AbortRun, Actor
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.remote import remote_node
from tests.support.waiting import eventually
from tests.support.wiring import StoreWiring, now

ROOT = Path(__file__).parents[2]


class Numbers(BaseModel):
    """What to add."""

    numbers: list[int]


class Caps:
    """Functions of a worker, and what the tests let them do."""

    def __init__(self) -> None:
        self.inside = threading.Event()
        self.go_on = threading.Event()
        self.cancelled: list[str] = []
        self.lines = ["working"]

    def all(self) -> list[Any]:
        """Each of them."""
        return [*self.waiting(), *self.plain()]

    def plain(self) -> list[Any]:
        """Those that end by themselves."""

        @capability(id="test.sum")
        def add(given: Numbers, context: Context) -> int:
            """Add."""
            for line in self.lines:
                context.log(line)
            context.usage(seconds=0.25, model="abacus")
            return sum(given.numbers)

        @capability(id="test.fails")
        def fails(given: Numbers, context: Context) -> int:
            context.usage(input_tokens=len(given.numbers))
            raise CapabilityError("too_many", "too many numbers", retryable=False)

        @capability(id="test.raises")
        def raises(given: Numbers) -> int:
            raise KeyError("x")

        @capability(id="test.asks")
        def asks(given: Numbers, context: Context) -> Any:
            if not context.answers:
                context.usage(seconds=0.5)
                context.ask("Which base?", [{"id": "ten", "label": "Ten"}])
            return context.answers[0]

        return [add, fails, raises, asks]

    def waiting(self) -> list[Any]:
        """Those that wait to be ended."""

        @capability(id="test.async")
        async def slow(given: Numbers) -> int:
            self.inside.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.append("async")
                raise
            return 0

        @capability(id="test.thread")
        def blocking(given: Numbers, context: Context) -> str:
            self.inside.set()
            while not context.cancelled and not self.go_on.wait(0.01):
                pass
            self.cancelled.append("thread")
            return "done"

        return [slow, blocking]


@asynccontextmanager
async def working(caps: Caps, *urls: str, **options: Any) -> AsyncIterator[Worker]:
    """A worker in the test's own process."""
    worker = Worker(caps.all(), urls, **options)
    serving = asyncio.create_task(worker.serve())
    try:
        yield worker
    finally:
        caps.go_on.set()
        worker.stop()
        await serving


async def run_of(wiring: StoreWiring, capability_id: str, **contract: Any) -> str:
    node = remote_node("a", capability_id=capability_id, **({"contract": contract} if contract else {}))
    return await wiring.submit(node, inputs={"numbers": [1, 2]})


async def test_what_a_function_returns_says_and_uses_is_in_the_run(
    wiring: StoreWiring, gateway: RunningGateway
) -> None:
    async with working(Caps(), gateway.url):
        run_id = await run_of(wiring, "test.sum")
        await wiring.reached(run_id, lambda state: state.nodes["a"].status == "completed")
    (complete,) = await wiring.events(run_id, "node_complete")
    assert complete.payload["output"] == 3
    assert complete.payload["usage"] == {"seconds": 0.25, "model": "abacus"}
    assert [event.message for event in await wiring.events(run_id, "log")] == ["working"]


@pytest.mark.parametrize(
    ("capability_id", "code", "message"),
    [
        ("test.fails", "too_many", "too many numbers"),
        ("test.raises", "capability_error", "KeyError: 'x'"),
    ],
)
async def test_what_a_function_raises_is_the_error_of_its_node(
    wiring: StoreWiring, gateway: RunningGateway, capability_id: str, code: str, message: str
) -> None:
    async with working(Caps(), gateway.url):
        run_id = await run_of(wiring, capability_id, fallback="abort")
        state = await wiring.ended(run_id)
    assert state.nodes["a"].error == {"code": code, "message": message}
    assert state.usage.input_tokens == (2 if code == "too_many" else 0)


async def test_a_question_waits_for_a_person(wiring: StoreWiring, gateway: RunningGateway) -> None:
    async with working(Caps(), gateway.url):
        run_id = await run_of(wiring, "test.asks")
        state = await wiring.reached(run_id, lambda state: state.status == "awaiting_hitl")
    assert state.open_requests[0].payload["question"] == "Which base?"
    assert state.usage.seconds == 0.5


@pytest.mark.parametrize("capability_id", ["test.async", "test.thread"])
async def test_an_abort_ends_the_function(
    wiring: StoreWiring, gateway: RunningGateway, capability_id: str
) -> None:
    caps = Caps()
    async with working(caps, gateway.url):
        run_id = await run_of(wiring, capability_id)
        await eventually(caps.inside.is_set)
        await wiring.execute(run_id, AbortRun(now=now(), actor=Actor("ann")))
        await eventually(lambda: caps.cancelled, describe="the function knows")
    assert not await wiring.events(run_id, "node_complete")


async def test_a_worker_that_stops_gives_its_attempt_back_at_once(
    wiring: StoreWiring, gateway: RunningGateway
) -> None:
    caps, others = Caps(), Caps()
    async with working(caps, gateway.url, drain_seconds=0.01):
        run_id = await run_of(wiring, "test.async")
        await eventually(caps.inside.is_set)
    async with working(others, gateway.url, drain_seconds=0.01):
        await eventually(others.inside.is_set)
    starts = await wiring.events(run_id, "node_start")
    assert [event.payload["attempt"] for event in starts][:2] == [1, 2]
    error = (await wiring.events(run_id, "node_error"))[0]
    assert error.payload["error"]["code"] == "worker_stopped"


async def test_a_worker_waits_for_what_runs_when_it_stops(
    wiring: StoreWiring, gateway: RunningGateway
) -> None:
    caps = Caps()
    async with working(caps, gateway.url) as worker:
        run_id = await run_of(wiring, "test.thread")
        await eventually(caps.inside.is_set)
        worker.stop()
        caps.go_on.set()
    (complete,) = await wiring.events(run_id, "node_complete")
    assert complete.payload["output"] == "done"


async def test_a_worker_goes_on_at_another_gateway(
    wiring: StoreWiring, database_url: str, contracts: ContractChecker, gateway: RunningGateway
) -> None:
    caps = Caps()
    async with (
        running_gateway(database_url, contracts, notified=True) as other,
        working(caps, gateway.url, other.url),
    ):
        run_id = await run_of(wiring, "test.thread")
        await eventually(caps.inside.is_set)
        await gateway.server.close()
        caps.go_on.set()
        await wiring.reached(run_id, lambda state: state.nodes["a"].status == "completed")
        second = await run_of(wiring, "test.sum")
        await wiring.reached(second, lambda state: state.nodes["a"].status == "completed")
    assert len(await wiring.events(run_id, "node_start")) == 1


async def test_two_workers_do_400_nodes_once_each(wiring: StoreWiring, gateway: RunningGateway) -> None:
    caps = Caps()
    caps.lines = []
    async with working(caps, gateway.url, slots=50), working(caps, gateway.url, slots=50):
        nodes = [remote_node(f"n{index}", capability_id="test.sum") for index in range(400)]
        run_id = await wiring.submit(*nodes, inputs={"numbers": [1, 2]})
        await wiring.reached(
            run_id,
            lambda state: all(node.status == "completed" for node in state.nodes.values()),
            120,
        )
    assert len(await wiring.events(run_id, "node_start")) == 400
    assert len(await wiring.events(run_id, "node_complete")) == 400


async def test_a_worker_that_may_not_claim_says_so(database_url: str, contracts: ContractChecker) -> None:
    async with running_gateway(database_url, contracts, tokens="reader-1=r:viewer") as gateway:
        with pytest.raises(GatewayError, match="work:claim"):
            await Worker(Caps().all(), gateway.url, "reader-1").serve()


async def test_a_killed_worker_loses_its_node_within_the_lease(
    wiring: StoreWiring, gateway: RunningGateway, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    arguments = [sys.executable, "-m", "flexrun_sdk", "tests/support/sdk_worker.py", "--url", gateway.url]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/sdk/python:{ROOT}"}
    first = await asyncio.create_subprocess_exec(*arguments, cwd=ROOT, env=environment)
    try:
        node = remote_node("a", capability_id="test.paced")
        run_id = await wiring.submit(node, inputs={"seconds": 60, "begun": str(begun)})
        await eventually(begun.exists)
        first.send_signal(signal.SIGKILL)
        await first.wait()
        killed_at = now()
        await wiring.reached(run_id, lambda state: state.nodes["a"].status == "waiting_retry")
        (error,) = await wiring.events(run_id, "node_error")
        assert error.payload["error"]["code"] == "worker_lost"
        assert (error.recorded_at - killed_at).total_seconds() < 2 + 2
    finally:
        if first.returncode is None:
            first.kill()
