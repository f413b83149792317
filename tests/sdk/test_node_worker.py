"""A worker of the SDK for Node at real gateways: what its functions return, throw, ask and say reaches the run."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

from contracts.checker import ContractChecker
from runs.commands import AbortRun, Actor
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.node_worker import node_worker, sdk_client
from tests.support.remote import remote_node
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually
from tests.support.wiring import StoreWiring, now

NODES = 40


async def run_of(
    wiring: StoreWiring, capability_id: str, contract: dict[str, Any] | None = None, **inputs: Any
) -> str:
    node = remote_node("a", capability_id=capability_id, **({"contract": contract} if contract else {}))
    return await wiring.submit(node, inputs={"numbers": [1, 2], **inputs})


async def completed(wiring: StoreWiring, run_id: str) -> Any:
    """What the node has given in the end."""
    await wiring.reached(run_id, lambda state: state.nodes["a"].status == "completed")
    (complete,) = await wiring.events(run_id, "node_complete")
    return complete.payload["output"]


async def test_what_functions_return_throw_ask_and_say_is_in_their_runs(
    wiring: StoreWiring, gateway: RunningGateway
) -> None:
    async with node_worker(gateway.url):
        summed = await run_of(wiring, "test.sum")
        failed, raised, none, broken = [
            await run_of(wiring, each, {"fallback": "abort"})
            for each in ("test.fails", "test.raises", "test.nothing", "test.broken")
        ]
        asked = await run_of(wiring, "test.asks")
        assert await completed(wiring, summed) == 3
        errors = [(await wiring.ended(run_id)).nodes["a"].error for run_id in (failed, raised, none, broken)]
        state = await wiring.reached(asked, lambda state: state.status == "awaiting_hitl")
    (complete,) = await wiring.events(summed, "node_complete")
    assert complete.payload["usage"] == {"seconds": 0.25, "model": "abacus"}
    assert [event.message for event in await wiring.events(summed, "log")] == ["working"]
    assert errors[0] == {"code": "too_many", "message": "too many numbers"}
    assert errors[1] is not None
    assert (errors[1]["code"], errors[1]["message"][:10]) == ("capability_error", "TypeError:")
    assert errors[2] is not None
    assert errors[2]["code"] == "output_not_json"
    assert "1 is NaN" in errors[2]["message"]
    assert errors[3] is not None
    assert errors[3]["code"] == "output_refused"
    assert state.open_requests[0].payload["question"] == "Which base?"


async def test_what_a_function_shows_is_seen_before_its_end(
    wiring: StoreWiring, gateway: RunningGateway, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    async with node_worker(gateway.url):
        run_id = await run_of(wiring, "test.shows", go=str(go))
        seen = asyncio.create_task(sdk_client("deltas", gateway.url, run_id, str(go)))
        assert await completed(wiring, run_id) == "one two"
        await wiring.execute(run_id, AbortRun(now=now(), actor=Actor("ann")))
        assert await seen == {"text": "one two", "last": "complete"}


async def test_two_workers_do_more_nodes_than_they_have_slots_once_each(
    wiring: StoreWiring, gateway: RunningGateway
) -> None:
    async with node_worker(gateway.url, worker="first"), node_worker(gateway.url, worker="second"):
        nodes = [remote_node(f"n{index}", capability_id="test.deaf") for index in range(NODES)]
        run_id = await wiring.submit(*nodes, inputs={"go": __file__})
        await wiring.reached(
            run_id, lambda state: all(node.status == "completed" for node in state.nodes.values())
        )
    assert len(await wiring.events(run_id, "node_start")) == NODES
    assert len(await wiring.events(run_id, "node_complete")) == NODES


async def test_an_abort_reaches_the_function_as_its_signal(
    wiring: StoreWiring, gateway: RunningGateway
) -> None:
    async with node_worker(gateway.url) as worker:
        run_id = await run_of(wiring, "test.waits")
        await worker.says("waits 1")
        aborted_at = now()
        await wiring.execute(run_id, AbortRun(now=aborted_at, actor=Actor("ann")))
        await worker.says("heeds the signal")
        # A second where nothing else runs; the lease is ten.
        assert (now() - aborted_at).total_seconds() < 4
        assert await completed(wiring, await run_of(wiring, "test.sum")) == 3
    assert not await wiring.events(run_id, "node_complete", "node_error")


async def test_a_killed_worker_loses_its_node_within_the_lease_and_another_does_it(
    wiring: StoreWiring, gateway: RunningGateway
) -> None:
    async with node_worker(gateway.url, worker="first") as first:
        run_id = await run_of(wiring, "test.paced", seconds=60)
        await first.says("paced 1")
        first.send(signal.SIGKILL)
        await first.process.wait()
        killed_at = now()
        async with node_worker(gateway.url, worker="second"):
            assert await completed(wiring, run_id) == 2
    (error,) = await wiring.events(run_id, "node_error")
    assert error.payload["error"]["code"] == "worker_lost"
    assert (error.recorded_at - killed_at).total_seconds() < 2 + 2


async def test_a_late_result_changes_nothing_and_the_worker_says_so_and_goes_on(
    wiring: StoreWiring, gateway: RunningGateway, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    async with node_worker(gateway.url) as worker:
        run_id = await run_of(wiring, "test.blocks", go=str(go))
        await worker.says("blocks 1")
        await wiring.reached(run_id, lambda state: state.nodes["a"].lost)
        go.touch()
        await worker.says("came too late: stale_attempt")
        await worker.says("the event loop was blocked for")
        assert await completed(wiring, run_id) == 2


async def test_a_claim_whose_answer_was_lost_is_made_good(
    wiring: StoreWiring, gateway: RunningGateway
) -> None:
    async with (
        TcpProxy("127.0.0.1", gateway.port) as proxy,
        node_worker(f"http://127.0.0.1:{proxy.port}") as worker,
    ):
        await eventually(lambda: gateway.gateway.work.waiting == 1)
        proxy.stalled = True
        run_id = await run_of(wiring, "test.paced")
        await wiring.reached(run_id, lambda state: state.nodes["a"].status == "running")
        proxy.cut()
        proxy.stalled = False
        assert await completed(wiring, run_id) == 2
        await worker.says("no work can be claimed")
        assert "paced 1" not in worker.written


async def test_a_stop_waits_for_what_runs(
    wiring: StoreWiring, gateway: RunningGateway, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    async with node_worker(gateway.url) as worker:
        run_id = await run_of(wiring, "test.deaf", go=str(go))
        await worker.says("is deaf")
        worker.send(signal.SIGTERM)
        await worker.says("stopping: 1 attempt(s) still run")
        assert await eventually(lambda: gateway.gateway.work.waiting == 0)
        go.touch()
    assert worker.process.returncode == 0
    assert await completed(wiring, run_id) == "done"


async def test_a_stop_gives_back_what_does_not_end_and_another_worker_does_it_at_once(
    wiring: StoreWiring, gateway: RunningGateway
) -> None:
    async with node_worker(gateway.url, worker="first", drain_seconds=0) as first:
        run_id = await run_of(wiring, "test.waits")
        await first.says("waits 1")
    assert first.process.returncode == 0
    assert "heeds the signal" in first.written
    async with node_worker(gateway.url, worker="second", drain_seconds=0) as second:
        await second.says("waits 2")
    error, *_ = await wiring.events(run_id, "node_error")
    assert error.payload["error"]["code"] == "worker_stopped"


async def test_a_worker_goes_on_at_another_gateway(
    wiring: StoreWiring,
    database_url: str,
    contracts: ContractChecker,
    gateway: RunningGateway,
    tmp_path: Path,
) -> None:
    go = tmp_path / "go"
    async with (
        running_gateway(database_url, contracts, notified=True) as other,
        node_worker(gateway.url, other.url) as worker,
    ):
        run_id = await run_of(wiring, "test.deaf", go=str(go))
        await worker.says("is deaf")
        await gateway.server.close()
        go.touch()
        assert await completed(wiring, run_id) == "done"
        assert await completed(wiring, await run_of(wiring, "test.sum")) == 3
    assert len(await wiring.events(run_id, "node_start")) == 1


async def test_a_worker_that_may_not_claim_says_so_and_ends(
    database_url: str, contracts: ContractChecker
) -> None:
    async with (
        running_gateway(database_url, contracts, tokens="reader-1=r:viewer") as gateway,
        node_worker(gateway.url, token="reader-1") as worker,
    ):
        await worker.says("this worker cannot start: not_permitted")
        assert await worker.process.wait() == 2
