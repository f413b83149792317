"""`POST …/runs/import`: a run of another installation, to be read here."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from eventstore.rebuild import compare, rebuild
from eventstore.verify import verify
from runs import commands as c
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway, SseReader, running_gateway
from tests.support.given import ANN, node
from tests.support.offline import offline
from tests.support.run_files import with_members

IMPORT = f"{API}/runs/import"
StartGateway = Callable[..., Any]


async def exported(gateway: RunningGateway, run_id: str) -> bytes:
    async with (
        aiohttp.ClientSession(auto_decompress=False) as http,
        http.get(f"{gateway.url}{API}/runs/{run_id}/export") as answer,
    ):
        assert answer.status == 200
        return await answer.read()


@pytest.fixture
async def there(other_database_url: str, contracts: Any) -> Any:
    """Another installation."""
    async with running_gateway(other_database_url, contracts) as running:
        yield running


async def finished(there: RunningGateway) -> str:
    """A run whose output had to be approved."""
    envelope = {"policies": {"requiresHitlApproval": True}, "metadata": {"runLabel": "moved"}}
    run = ByHand(there.handler, await there.start_run(**envelope))
    await run.planned(node("a"))
    await run.work("a", {"odd": [1.0, 1e21, "\U0001f600", 2**60], "\U0001f600": "x" * 200_000})
    asked = await run.deliver()
    await run.respond(*asked.state.open_ids)
    assert (await there.store.load(run.run_id, fresh=True)).status == "completed"
    return run.run_id


async def asked(there: RunningGateway) -> str:
    """A run in which one node waits for an answer, one is a task of a person, and one is being worked on."""
    run = ByHand(there.handler, await there.start_run(constraints={"deadlineSeconds": 3600}))
    await run.planned(node("a"), node("b", agentType="human"), node("c"))
    await run.start("a")
    await run.do(c.RequestClarification, node_id="a", attempt=1, question="why?")
    await run.start("b")
    await run.start("c")
    return run.run_id


async def test_a_run_moves_whole_and_is_exported_as_it_was(
    there: RunningGateway, gateway: RunningGateway, tmp_path: Path
) -> None:
    run_id = await finished(there)
    file = await exported(there, run_id)
    answer, report = await gateway.post(IMPORT, file)
    assert (answer.status, report["stored"], report["status"]) == (201, True, "completed"), report
    _, again = await gateway.get(f"{API}/runs/{run_id}")
    _, before = await there.get(f"{API}/runs/{run_id}")
    imported = again.pop("imported")
    assert imported["importedBy"] == "anonymous"
    assert imported["headHash"] == report["headHash"]
    assert again.pop("importedAt") == imported["importedAt"]
    assert {**again, "storedBytes": 0} == {**before, "storedBytes": 0}
    assert (
        gzip.decompress(await exported(gateway, run_id)).splitlines()[1:]
        == gzip.decompress(file).splitlines()[1:]
    )
    path = tmp_path / "run.jsonl.gz"
    path.write_bytes(await exported(gateway, run_id))
    assert (await offline("verify_run.py", str(path)))[0] == 0
    await sound(gateway)


async def sound(gateway: RunningGateway) -> None:
    """The database holds, also after its read models were made anew."""
    assert await compare(gateway.database_url) == []
    await rebuild(gateway.database_url)
    assert await compare(gateway.database_url) == []
    async for verified in verify(gateway.database_url, processes=1):
        assert verified.findings == []


async def imported(there: RunningGateway, gateway: RunningGateway, run_id: str) -> Any:
    answer, report = await gateway.post(IMPORT, await exported(there, run_id))
    assert answer.status == 201, report
    return report


async def test_a_run_that_was_in_progress_waits_for_nobody(
    there: RunningGateway, gateway: RunningGateway
) -> None:
    run_id = await asked(there)
    await imported(there, gateway, run_id)
    _, shown = await gateway.get(f"{API}/runs/{run_id}")
    assert shown["status"] == "running"
    assert [each["kind"] for each in shown["waitingFor"]] == ["imported"]
    assert shown["pendingRequests"] == []
    assert (await gateway.get(f"/api/hitl/pending?runId={run_id}"))[1]["requests"] == []
    assert (await gateway.get("/api/hitl/pending"))[1]["requests"] == []
    assert (await gateway.get(f"{API}/tasks"))[1]["tasks"] == []
    assert (await gateway.rows())["flex_work"] == 0
    await sound(gateway)
    assert (await gateway.rows())["flex_work"] == 0
    _, state = await gateway.get(f"{API}/runs/{run_id}/state")
    assert len(state["requests"]) == 1, "as it was"
    _, verified = await gateway.get(f"{API}/runs/{run_id}/verification")
    assert verified["holds"] is True


async def test_a_stream_of_it_ends_where_its_log_does(there: RunningGateway, gateway: RunningGateway) -> None:
    run_id = await asked(there)
    events = (await imported(there, gateway, run_id))["events"]
    url, headers = f"{gateway.url}{API}/runs/{run_id}/events", {"Accept": "text/event-stream"}
    async with gateway.http.get(url, headers=headers) as answer:
        assert len((await SseReader(answer).to_end()).frames) == events
    async with gateway.http.get(url, headers={**headers, "Last-Event-ID": str(events)}) as answer:
        assert answer.status == 204
    _, page = await gateway.get(f"{API}/runs/{run_id}/events?after={events}")
    assert page["complete"] is True


@pytest.mark.parametrize("made", [finished, asked])
async def test_nothing_can_be_changed_or_answered_in_it(
    there: RunningGateway, gateway: RunningGateway, made: Any
) -> None:
    run_id = await made(there)
    state = await there.store.load(run_id, fresh=True)
    await imported(there, gateway, run_id)
    request_id = next(iter(state.requests))
    decision = {"requestId": request_id, "responseType": "approval"}
    bodies: dict[str, Any] = {
        f"{API}/runs/{run_id}/abort": {},
        f"{API}/runs/{run_id}/pause": {},
        f"{API}/runs/{run_id}/resume": {},
        f"{API}/runs/{run_id}/priority": {"priority": "high"},
        "/api/hitl/resume": {"runId": run_id, "operator": "ann", "responses": [decision]},
    }
    for path, body in bodies.items():
        answer, problem = await gateway.post(path, body)
        assert (answer.status, problem.get("code")) == (409, "run_imported"), (path, problem)
        assert "fork it" in problem["detail"]
    assert (await gateway.store.heads([run_id]))[run_id] == state.seq


async def test_the_database_refuses_what_would_follow(there: RunningGateway, gateway: RunningGateway) -> None:
    run_id = await asked(there)
    await imported(there, gateway, run_id)
    async with await psycopg.AsyncConnection.connect(gateway.database_url) as connection:
        with pytest.raises(psycopg.Error, match="was imported and is read-only") as refused:
            await connection.execute(
                "insert into flex_events (run_id, seq, type, payload, recorded_at, hash)"
                " select run_id, head_seq + 1, 'log', '{}', now(), sha256('') from flex_runs"
            )
        assert refused.value.sqlstate == "FR006"


async def test_a_fork_of_it_runs(there: RunningGateway, gateway: RunningGateway) -> None:
    run_id = await finished(there)
    await imported(there, gateway, run_id)
    answer, forked = await gateway.post(f"{API}/runs/{run_id}/fork", {"reason": "again"})
    assert answer.status == 201, forked
    fork = ByHand(gateway.handler, forked["runId"])
    await fork.do(c.PauseRun, actor=ANN)
    _, shown = await gateway.get(f"{API}/runs/{run_id}")
    assert [each["runId"] for each in shown["forks"]] == [fork.run_id]
    _, difference = await gateway.get(f"{API}/runs/{run_id}/diff?other={fork.run_id}")
    assert difference["relation"] == "a_from_b"
    await sound(gateway)


async def test_twice_is_once_and_another_history_is_refused(
    there: RunningGateway, gateway: RunningGateway
) -> None:
    run_id = await asked(there)
    early = await exported(there, run_id)
    await ByHand(there.handler, run_id).log("later")
    late = await exported(there, run_id)
    await gateway.post(IMPORT, late)
    rows = await gateway.rows()
    for file in (late, early):
        answer, report = await gateway.post(IMPORT, file)
        assert (answer.status, report["stored"], "imported" in report) == (200, False, True)
    answer, report = await there.post(IMPORT, early)
    assert (answer.status, report["stored"], "imported" in report) == (200, False, False), "it was made there"
    await ByHand(there.handler, run_id).log("later still")
    answer, problem = await gateway.post(IMPORT, await exported(there, run_id))
    assert (answer.status, problem["code"]) == (409, "run_differs")
    assert "adds nothing" in problem["detail"]
    answer, problem = await gateway.post(IMPORT, with_members(late, 3, message="other"))
    assert (answer.status, problem["code"]) == (409, "run_differs")
    assert "event 3" in problem["detail"]
    assert await gateway.rows() == rows
