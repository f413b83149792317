"""`GET …/runs/{id}/export`: a run as one file."""

import gzip

import aiohttp
import orjson

from eventstore.chain import check_chain
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway
from tests.support.given import node
from tests.support.started_runs import new_run_id


async def test_the_file_has_the_whole_history(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(node("a"))
    await run.work("a", {"odd": [1.0, 1e21, "\U0001f600"], "\U0001f600": "x" * 100_000})
    await run.deliver()
    async with (
        aiohttp.ClientSession(auto_decompress=False) as http,
        http.get(f"{gateway.url}{API}/runs/{run.run_id}/export") as answer,
    ):
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/gzip")
        assert f'filename="{run.run_id}.jsonl.gz"' in answer.headers["Content-Disposition"]
        header, *lines = gzip.decompress(await answer.read()).splitlines()
    log = await gateway.store.read(run.run_id)
    assert check_chain(log) is None
    assert orjson.loads(header)["headHash"] == log[-1].hash
    assert [orjson.loads(line)["seq"] for line in lines] == [event.seq for event in log]


async def test_a_run_that_is_not_there_is_a_404(gateway: RunningGateway) -> None:
    answer, problem = await gateway.get(f"{API}/runs/{new_run_id()}/export")
    assert (answer.status, problem["code"]) == (404, "run_unknown")
