"""Lists and details of runs and requests."""

from __future__ import annotations

from typing import Any

from eventstore import leases
from eventstore.capabilities import capability_rows, list_capabilities, register, remove, set_disabled
from eventstore.queries.requests import RequestCursor, get_request, pending_requests
from eventstore.queries.run_list import RunCursor, RunFilters, list_runs
from eventstore.queries.runs import RunRow, get_run
from eventstore.store import EventStore
from runs import commands as c
from tests.eventstore.conftest import OpenStore, StartRun
from tests.support.by_hand import ByHand
from tests.support.given import ANN, node
from tests.support.started_runs import new_run_id


async def every_page(store: EventStore, filters: RunFilters, limit: int) -> list[RunRow]:
    rows: list[RunRow] = []
    cursor: RunCursor | None = None
    while True:
        page = await list_runs(store, filters, after=cursor, limit=limit)
        rows += page.runs
        cursor = page.after
        if cursor is None:
            return rows


async def test_runs_are_listed_newest_first_page_by_page(store: EventStore, start_run: StartRun):
    runs = [await start_run(metadata={"clientId": "acme" if n % 2 else "other"}) for n in range(7)]
    ids = [run.run_id for run in reversed(runs)]
    assert [row.run_id for row in await every_page(store, RunFilters(), 3)] == ids
    assert [row.run_id for row in await every_page(store, RunFilters(client_id="acme"), 2)] == ids[1::2]
    assert (await list_runs(store, RunFilters(client_id="nobody"))).runs == []


async def test_runs_are_found_by_status_thread_and_label(store: EventStore, start_run: StartRun):
    done, running = await start_run(metadata={"runLabel": "spring"}), await start_run()
    waiting = await start_run()
    await done.to_the_end()
    await running.planned()

    async def found(**filters: Any) -> set[str]:
        return {row.run_id for row in await every_page(store, RunFilters(**filters), 1)}

    assert await found(statuses=["completed"]) == {done.run_id}
    assert await found(statuses=["completed", "pending"]) == {done.run_id, waiting.run_id}
    assert await found(statuses=[]) == set()
    assert await found(run_label="spring") == {done.run_id}
    assert await found(statuses=["running"], run_label="spring") == set()
    assert await found(thread_id=running.run_id) == {running.run_id}
    assert await found(thread_id=running.run_id, statuses=["completed"]) == set()
    assert [row.run_id for row in await every_page(store, RunFilters(thread_id=done.run_id), 50)] == [
        done.run_id
    ]


async def test_one_run_comes_with_its_plan_requests_and_output(store: EventStore, start_run: StartRun):
    run = await start_run(policies={"requiresHitlApproval": True})
    await run.planned(node("b"), node("a", "b"))
    await run.work("b", output={"brief": 1})
    await run.work("a")
    await run.deliver({"final": True})
    detail = await get_run(store, run.run_id)
    assert detail is not None
    assert detail.run.status == "awaiting_hitl"
    assert detail.envelope["policies"] == {"requiresHitlApproval": True}
    assert [(each.node_id, each.depends_on, each.status) for each in detail.nodes] == [
        ("b", [], "completed"),
        ("a", ["b"], "completed"),
    ]
    assert detail.nodes[0].output == {"brief": 1}
    (request,) = detail.requests
    assert (request.status, request.kind, request.run_status) == ("open", "approval", "awaiting_hitl")
    assert detail.output is None
    await run.respond(request.request_id)
    detail = await get_run(store, run.run_id)
    assert detail is not None
    assert (detail.run.status, detail.output) == ("completed", {"final": True})
    assert await get_run(store, new_run_id()) is None
    assert await get_run(store, "no run id") is None


async def waiting_for_people(run: ByHand) -> None:
    await run.planned()
    await run.work()
    await run.deliver()


async def test_open_requests_are_listed_oldest_first(store: EventStore, start_run: StartRun):
    runs = [await start_run(policies={"requiresHitlApproval": True}) for _ in range(5)]
    for run in runs:
        await waiting_for_people(run)
    listed = await pending_requests(store)
    assert [row.run_id for row in listed] == [run.run_id for run in runs]
    cursor = RequestCursor(listed[1].created_at, listed[1].request_id)
    assert await pending_requests(store, after=cursor, limit=2) == listed[2:4]
    assert await pending_requests(store, run_id=runs[3].run_id) == [listed[3]]
    assert await pending_requests(store, thread_id=runs[3].run_id) == [listed[3]]
    assert await pending_requests(store, run_id="no run id") == []
    await runs[0].respond(listed[0].request_id)
    await runs[1].do(c.AbortRun, actor=ANN)
    assert await pending_requests(store) == listed[2:]
    gone = await get_request(store, listed[0].request_id)
    assert gone is not None
    assert (gone.status, gone.operator) == ("resolved", "ann")
    assert await get_request(store, "no such request") is None


async def test_the_backlog_is_due_and_unclaimed_work(store: EventStore, start_run: StartRun):
    runs = [await start_run(constraints={"deadlineSeconds": 60}) for _ in range(3)]
    assert await leases.backlog(store) == 3
    assert await leases.backlog(store, limit=2) == 2
    await runs[0].planned(node("a"), node("b"), node("c", "b"))
    assert await leases.backlog(store) == 4
    await runs[0].start("a")
    assert await leases.backlog(store) == 3


async def test_a_capability_is_listed_as_it_was_last_registered(open_store: OpenStore):
    store = await open_store()
    await register(store, [{"id": "b", "version": "10"}, {"id": "a", "version": "1"}], "w1")
    await register(store, [{"id": "b", "version": "2"}, {"id": "b", "version": "9.1"}], "w2")
    await register(store, [{"id": "b", "version": "10"}], "w2")
    listed = await list_capabilities(store)
    assert [(each["id"], each["version"], each["worker"]) for each in listed] == [
        ("a", "1", "w1"),
        ("b", "10", "w2"),
    ]
    assert listed[1]["registeredAt"] < listed[1]["lastSeenAt"]
    assert await list_capabilities(store, seen_within_seconds=0) == []
    assert len(await list_capabilities(store, seen_within_seconds=60)) == 2
    assert [row.version for row in await capability_rows(store, "b")] == ["10", "9.1", "2"]
    assert await set_disabled(store, "b", "10", disabled=True) == ["10"]
    assert [each["version"] for each in await list_capabilities(store)] == ["1", "9.1"]
    assert await remove(store, "b", None) == ["10", "2", "9.1"]
    assert await capability_rows(store, "b") == []
