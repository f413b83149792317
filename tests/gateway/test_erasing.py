"""`POST /runs/{id}/erase`: what every door says of a run before, at and after its erasure."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import orjson
import psycopg
import pytest

from contracts.checker import ContractChecker
from eventstore import webhook_lanes
from eventstore.rebuild import compare, rebuild
from eventstore.retention import ended_before, prune
from eventstore.webhooks import NewWebhook, add_webhook
from tests.gateway.test_import import exported
from tests.support.gateways import API, ENVELOPE, RunningGateway, SseReader, running_gateway
from tests.support.whole_database import places_with

MARKER = "Marjorie Q. Fictional-Person"
PERSONAL: dict[str, Any] = {
    "objective": f"Write to {MARKER}",
    "inputs": {"to": MARKER},
    "metadata": {"runLabel": MARKER},
}

GONE = (
    ("get", "/state"),
    ("get", "/state?atSeq=1"),
    ("get", "/diff?other={other}"),
    ("post", "/retry"),
    ("post", "/fork"),
    ("post", "/abort"),
    ("post", "/pause"),
    ("post", "/priority"),
)


@pytest.fixture
async def erasable(database_url: str, contracts: ContractChecker) -> AsyncIterator[RunningGateway]:
    async with running_gateway(database_url, contracts, erasable=True, notified=True) as running:
        yield running


async def finished_run(gateway: RunningGateway, **headers: str) -> str:
    answer, body = await gateway.post(f"{API}/runs", {**ENVELOPE, **PERSONAL}, **headers)
    assert answer.status == 202, body
    answer, _ = await gateway.post(
        f"{API}/runs/{body['runId']}/abort", {"reason": f"{MARKER} has called"}, **headers
    )
    assert answer.status == 200
    return body["runId"]


async def erased_run(gateway: RunningGateway) -> str:
    run_id = await finished_run(gateway)
    answer, body = await gateway.post(
        f"{API}/runs/{run_id}/erase", {"reason": "asked to", "operator": "dana"}
    )
    assert answer.status == 200, body
    return run_id


async def frames_of(gateway: RunningGateway, run_id: str, after: int = 0) -> list[dict[str, Any]]:
    url = f"{gateway.url}{API}/runs/{run_id}/events?after={after}"
    async with gateway.http.get(url, headers={"Accept": "text/event-stream"}) as stream:
        assert stream.status == 200
        return (await SseReader(stream).to_end()).frames


async def test_it_is_done_once_and_said_again(erasable: RunningGateway):
    run_id = await finished_run(erasable)
    _, look = await erasable.get(f"{API}/runs/{run_id}/erasure")
    assert look == {"runId": run_id, "status": "aborted", "events": 2, "erasable": True, "copies": []}
    _, first = await erasable.post(f"{API}/runs/{run_id}/erase", {"reason": "asked to", "operator": "dana"})
    answer, again = await erasable.post(f"{API}/runs/{run_id}/erase", {"reason": "again", "operator": "eve"})
    assert (answer.status, again) == (200, first)
    assert (first["erasable"], first["erased"]["by"], first["erased"]["reason"]) == (
        False,
        "dana",
        "asked to",
    )


async def test_nothing_of_the_person_is_left_in_any_table(erasable: RunningGateway, database_url: str):
    """Not in the operations log either, which has what the abort was done for."""
    run_id = await finished_run(erasable)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as database:
        assert "flex_operations" in await places_with(database, MARKER)
        await erasable.post(f"{API}/runs/{run_id}/erase", {"reason": "asked to"})
        assert await places_with(database, MARKER) == []
    _, log = await erasable.get(f"{API}/operations?runId={run_id}")
    assert {each["action"]: each.get("reason") for each in log["operations"]} == {
        "startRun": None,
        "abortRun": None,
        "eraseRun": "asked to",
    }


async def test_its_frames_keep_their_places_and_say_that_it_was_erased(erasable: RunningGateway):
    run_id = await finished_run(erasable)
    before = await frames_of(erasable, run_id)
    await erasable.post(f"{API}/runs/{run_id}/erase", {"reason": "asked to", "operator": "dana"})
    after = await frames_of(erasable, run_id)
    places = ("type", "id", "timestamp", "runId")
    assert [[each[name] for name in places] for each in after] == [
        [each[name] for name in places] for each in before
    ]
    assert all(each["payload"]["erased"]["reason"] == "asked to" for each in after)
    assert after[-1]["payload"]["status"] == "aborted"
    assert await frames_of(erasable, run_id, after=1) == after[1:]
    _, page = await erasable.get(f"{API}/runs/{run_id}/events", Accept="application/json")
    assert (page["events"], page["complete"]) == (after, True)


async def test_every_door_to_its_data_says_410(erasable: RunningGateway):
    run_id, other = await erased_run(erasable), await finished_run(erasable)
    for method, path in GONE:
        url = f"{API}/runs/{run_id}{path.format(other=other)}"
        body = {"priority": "high"} if path == "/priority" else {}
        answer, problem = await erasable.get(url) if method == "get" else await erasable.post(url, body)
        assert (answer.status, problem["code"]) == (410, "run_erased"), (method, path, problem)
        assert "by dana (asked to)" in problem["detail"]


async def test_what_is_left_of_it_is_shown(erasable: RunningGateway):
    run_id = await erased_run(erasable)
    answer, shown = await erasable.get(f"{API}/runs/{run_id}")
    assert (answer.status, shown["status"], shown["objective"], shown["envelope"]) == (200, "aborted", "", {})
    assert shown["erased"]["by"] == "dana"
    _, listed = await erasable.get(f"{API}/runs")
    assert [(each["runId"], each["erasedAt"]) for each in listed["runs"]] == [(run_id, shown["erasedAt"])]
    _, verified = await erasable.get(f"{API}/runs/{run_id}/verification")
    assert (verified["holds"], verified["hashed"]) == (True, 2)


async def test_its_export_has_the_sealed_log_and_the_tombstone(erasable: RunningGateway):
    kept, erased = await finished_run(erasable), await erased_run(erasable)
    for run_id, member in ((kept, "key"), (erased, "erased")):
        async with erasable.http.get(f"{erasable.url}{API}/runs/{run_id}/export") as answer:
            header, *lines = map(orjson.loads, gzip.decompress(await answer.read()).splitlines())
        assert member in header
        assert all("sealed" in line["payload"] for line in lines)


async def test_its_idempotency_key_starts_no_other_run(erasable: RunningGateway):
    run_id = await finished_run(erasable, Idempotency_Key="k-1")
    await erasable.post(f"{API}/runs/{run_id}/erase", {})
    answer, problem = await erasable.post(f"{API}/runs", {**ENVELOPE, **PERSONAL}, Idempotency_Key="k-1")
    assert (answer.status, problem["code"]) == (410, "run_erased")


async def test_a_run_in_progress_is_refused(erasable: RunningGateway):
    run_id = await erasable.start_run()
    answer, problem = await erasable.post(f"{API}/runs/{run_id}/erase", {})
    assert (answer.status, problem["code"]) == (409, "run_in_progress")


async def test_a_run_without_a_key_is_refused_and_told_why(gateway: RunningGateway):
    run_id = await finished_run(gateway)
    answer, problem = await gateway.post(f"{API}/runs/{run_id}/erase", {})
    assert (answer.status, problem["code"]) == (409, "run_not_erasable")
    assert "FLEXRUN_ERASABLE" in problem["detail"]
    assert "db prune" in problem["detail"]
    _, look = await gateway.get(f"{API}/runs/{run_id}/erasure")
    assert look["erasable"] is False


async def test_a_run_that_never_was_and_one_that_was_removed(erasable: RunningGateway):
    run_id = await finished_run(erasable)
    assert [each.runs async for each in prune(erasable.store, ended_before(erasable.store, 0))] == [1]
    for unknown, status in ((run_id, 410), ("01a2037d-c782-7554-9225-a4beccda594b", 404)):
        answer, _ = await erasable.post(f"{API}/runs/{unknown}/erase", {})
        assert answer.status == status


async def test_it_takes_the_scope_admin(start_gateway: Callable[..., Any]):
    gateway = await start_gateway(tokens="secret-ann=ann:editor;secret-root=root:admin", erasable=True)
    headers = {"Authorization": "Bearer secret-ann"}
    run_id = await finished_run(gateway, **headers)
    answer, problem = await gateway.post(f"{API}/runs/{run_id}/erase", {}, **headers)
    assert (answer.status, problem["code"]) == (403, "not_permitted")
    answer, done = await gateway.post(f"{API}/runs/{run_id}/erase", {}, Authorization="Bearer secret-root")
    assert (answer.status, done["erased"]["by"]) == (200, "root")


async def test_its_forks_have_copies_and_are_named(erasable: RunningGateway):
    run_id = await finished_run(erasable)
    made = [await erasable.post(f"{API}/runs/{run_id}/retry", {}, Idempotency_Key=key) for key in ("1", "2")]
    forks = [body["runId"] for _, body in made]
    _, look = await erasable.get(f"{API}/runs/{run_id}/erasure")
    assert [(each["runId"], each["erasable"]) for each in look["copies"]] == [(fork, True) for fork in forks]
    await erasable.post(f"{API}/runs/{run_id}/erase", {})
    await erasable.post(f"{API}/runs/{forks[0]}/abort", {})
    _, fork = await erasable.post(f"{API}/runs/{forks[0]}/erase", {})
    assert "erased" in fork
    _, look = await erasable.get(f"{API}/runs/{run_id}/erasure")
    assert ["erasedAt" in each for each in look["copies"]] == [True, False]


async def test_erasing_and_forking_at_once_leave_no_copy_that_is_not_named(erasable: RunningGateway):
    run_id = await finished_run(erasable)
    answers = await asyncio.gather(
        *(erasable.post(f"{API}/runs/{run_id}/retry", {}, Idempotency_Key=str(n)) for n in range(4)),
        erasable.post(f"{API}/runs/{run_id}/erase", {}),
        *(erasable.post(f"{API}/runs/{run_id}/retry", {}, Idempotency_Key=str(n)) for n in range(4, 8)),
    )
    made = {body["runId"] for answer, body in answers if answer.status == 201}
    refused = {body["code"] for answer, body in answers if answer.status >= 400}
    assert refused <= {"run_erased"}
    _, look = await erasable.get(f"{API}/runs/{run_id}/erasure")
    assert {each["runId"] for each in look["copies"]} == made


async def test_a_webhook_that_was_not_sent_carries_the_tombstone(erasable: RunningGateway):
    hook = NewWebhook(
        hook_id=str(uuid4()), url="http://127.0.0.1:9/hook", event_types=["complete"], secret=b"s" * 32
    )
    await add_webhook(erasable.store, hook)
    await erased_run(erasable)
    while (await webhook_lanes.feed(erasable.store, 100)).more:
        pass
    (claimed,) = await webhook_lanes.claim(erasable.store, "w", 30, 5, {})
    assert claimed.event.payload["erased"]["by"] == "dana"


async def test_it_moves_to_another_installation_with_its_key_or_its_tombstone(
    erasable: RunningGateway, other_database_url: str, contracts: ContractChecker
):
    kept, erased = await finished_run(erasable), await erased_run(erasable)
    async with running_gateway(other_database_url, contracts, notified=True) as there:
        for run_id in (kept, erased):
            answer, report = await there.post(f"{API}/runs/import", await exported(erasable, run_id))
            assert (answer.status, report.get("status")) == (201, "aborted"), report
            assert await frames_of(there, run_id) == await frames_of(erasable, run_id)
        assert await compare(other_database_url) == []
        answer, body = await there.post(f"{API}/runs/{kept}/erase", {})
        assert (answer.status, "erased" in body) == (200, True)
        assert await rebuild(other_database_url) == 2
        assert await compare(other_database_url) == []
        answer, _ = await there.post(f"{API}/runs/import", await exported(erasable, kept))
        assert answer.status == 200
        assert all("erased" in each["payload"] for each in await frames_of(there, kept))


async def test_a_file_whose_key_is_another_one_is_refused(
    erasable: RunningGateway, other_database_url: str, contracts: ContractChecker
):
    header, *lines = gzip.decompress(await exported(erasable, await finished_run(erasable))).splitlines()
    async with running_gateway(other_database_url, contracts) as there:
        for key in ("00" * 32, None):
            changed = orjson.dumps(orjson.loads(header) | {"key": key})
            answer, problem = await there.post(
                f"{API}/runs/import", gzip.compress(b"\n".join((changed, *lines)) + b"\n")
            )
            assert (answer.status, problem["code"], problem["line"]) == (400, "import_invalid", 2)
            assert "key" in problem["detail"]
