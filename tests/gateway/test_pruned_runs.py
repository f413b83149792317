"""Who asks for a run that was removed after its time is told so, at every door; one that never was stays unknown."""

from __future__ import annotations

import pytest

from eventstore.retention import ended_before, prune
from tests.support.gateways import API, RunningGateway

DOORS = (
    ("get", ""),
    ("get", "/events"),
    ("get", "/events?after=3"),
    ("post", "/abort"),
    ("post", "/pause"),
    ("post", "/resume"),
    ("post", "/retry"),
    ("post", "/fork"),
)


async def pruned_run(gateway: RunningGateway) -> str:
    """The id of a run that ended and was removed."""
    run_id = await gateway.start_run()
    answer, _ = await gateway.post(f"{API}/runs/{run_id}/abort", {"reason": "enough"})
    assert answer.status == 200
    removed = [each.runs async for each in prune(gateway.store, ended_before(gateway.store, 0))]
    assert removed == [1]
    return run_id


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_every_door_says_that_the_run_was_removed(gateway: RunningGateway, accept: str):
    run_id = await pruned_run(gateway)
    for method, path in DOORS:
        url = f"{API}/runs/{run_id}{path}"
        answer, problem = (
            await gateway.get(url, Accept=accept)
            if method == "get"
            else await gateway.post(url, {}, Accept=accept)
        )
        assert (answer.status, problem["code"]) == (410, "run_pruned"), (method, path, problem)
        assert run_id in problem["detail"]
        assert "aborted" in problem["detail"]


async def test_a_run_that_never_was_stays_unknown(gateway: RunningGateway):
    await pruned_run(gateway)
    answer, problem = await gateway.get(f"{API}/runs/01a2037d-c782-7554-9225-a4beccda594b")
    assert (answer.status, problem["code"]) == (404, "run_unknown")


async def test_a_run_says_how_much_it_takes(gateway: RunningGateway):
    small, large = (
        await gateway.start_run(),
        await gateway.start_run(inputs={"text": "".join(map(str, range(30_000)))}),
    )
    sizes = [(await gateway.get(f"{API}/runs/{run_id}"))[1]["storedBytes"] for run_id in (small, large)]
    assert 0 < sizes[0] < 20_000 < sizes[1]
