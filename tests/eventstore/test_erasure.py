"""Runs that can be erased: what the log holds is sealed, reads as before, and is gone with the key."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection

from eventstore.chain import check_chain
from eventstore.erasure import copied_to, erase, run_to_erase
from eventstore.handler import RunHandler
from eventstore.history import History
from eventstore.rebuild import compare, rebuild
from eventstore.retention import ended_before, prune
from eventstore.run_check import check_beside
from eventstore.sealing import is_sealed
from eventstore.store import EventStore
from eventstore.verify import verify
from runs import commands as c
from runs.errors import RunErased
from runs.event import ERASED
from runs.frames import frame
from runs.state import RunState
from tests.eventstore.conftest import OpenStore, OpenTail
from tests.eventstore.following import take
from tests.eventstore.test_exported import file_of
from tests.support.by_hand import ByHand
from tests.support.offline import offline
from tests.support.started_runs import Walk, started_run
from tests.support.whole_database import places_with

MARKER = "Marjorie Q. Fictional-Person"
ENVELOPE: dict[str, Any] = {
    "objective": f"Write to {MARKER}",
    "inputs": {"to": MARKER},
    "metadata": {"runLabel": MARKER, "clientId": MARKER},
    "policies": {"requiresHitlApproval": True, "hitl": {"quorum": 2}},
}


@pytest.fixture
async def store(open_store: OpenStore) -> EventStore:
    return await open_store(erasable=True)


@pytest.fixture
async def run(handler: RunHandler) -> ByHand:
    """A finished run with the marker in all that a caller, a capability or a person may write."""
    return await personal_run(handler)


async def personal_run(handler: RunHandler, **origin: Any) -> ByHand:
    run = ByHand(handler, str(uuid4()))
    await run.do(
        c.StartRun, envelope=ENVELOPE, schema_hash="h", thread_id=MARKER, submitted_by=MARKER, **origin
    )
    await run.planned()
    await run.log(f"{MARKER} was looked up")
    await run.work(output={"text": f"Dear {MARKER}"})
    state = (await run.deliver({"text": f"Dear {MARKER}"})).state
    request_id = state.open_requests[0].id
    for name in ("ann", "bob"):
        actor = c.Actor(name, verified=True)
        await run.do(
            c.ResolveRequest, request_id=request_id, response_type="approval", actor=actor, note=MARKER
        )
    return run


async def erased_run(store: EventStore, run: ByHand) -> ByHand:
    assert await erase(store, run.run_id, "dana", "she asked") == "erased"
    return run


async def test_the_log_holds_nothing_plain_and_reads_as_it_was_written(store: EventStore, run: ByHand):
    stored, read = await store.read_stored(run.run_id), await store.read(run.run_id)
    assert all(is_sealed(event) and MARKER not in str(event) for event in stored)
    assert check_chain(stored) is None
    assert read[0].detail is not None
    assert read[0].detail["envelope"] == ENVELOPE
    assert read[-1].payload["output"] == {"text": f"Dear {MARKER}"}
    assert [event.hash for event in read] == [event.hash for event in stored]
    state = await store.load(run.run_id)
    assert (state.status, state.sealed) == ("completed", True)


async def test_a_sealed_event_opens_in_its_own_place_only(
    store: EventStore, run: ByHand, database: AsyncConnection[Any], database_url: str
):
    await database.execute("alter table flex_events disable trigger user")
    await database.execute(
        "update flex_events e set payload = o.payload from flex_events o"
        " where e.run_id = o.run_id and e.seq = 4 and o.seq = 3"
    )
    check = await check_beside(database_url, run.run_id)
    assert check.broken is not None
    assert check.broken.seq == 4
    assert check.unfoldable is not None
    assert "does not open it" in check.unfoldable[1]


async def test_nothing_of_a_person_is_left_in_any_table(
    store: EventStore, run: ByHand, database: AsyncConnection[Any]
):
    assert "flex_runs" in await places_with(database, MARKER)
    await erased_run(store, run)
    assert await places_with(database, MARKER) == []


async def test_the_chain_still_holds_and_the_rows_are_what_the_log_says(
    store: EventStore, run: ByHand, database_url: str, handler: RunHandler
):
    kept = await started_run(handler)
    await erased_run(store, run)
    assert [found async for each in verify(database_url) for found in each.findings] == []
    check = await check_beside(database_url, run.run_id)
    assert check.holds
    assert check.hashed == check.events
    assert (await store.load(kept.run_id)).exists


async def test_a_rebuild_brings_nothing_back(
    store: EventStore, run: ByHand, database: AsyncConnection[Any], database_url: str
):
    await erased_run(store, run)
    assert await rebuild(database_url) == 1
    assert await compare(database_url) == []
    assert await places_with(database, MARKER) == []


async def test_a_changed_event_of_an_erased_run_is_found(
    store: EventStore, run: ByHand, database: AsyncConnection[Any], database_url: str
):
    await erased_run(store, run)
    await database.execute("alter table flex_events disable trigger user")
    await database.execute("update flex_events set message = 'x' where seq = 3")
    found = [each async for ranges in verify(database_url) for each in ranges.findings]
    assert [(each.seq, each.cause) for each in found] == [(3, "changed")]


async def test_every_event_says_that_it_was_erased_and_keeps_its_place(store: EventStore, run: ByHand):
    before = await store.read(run.run_id)
    await erased_run(store, run)
    after = await store.read(run.run_id)
    assert [(e.seq, e.type, e.recorded_at, e.hash) for e in after] == [
        (e.seq, e.type, e.recorded_at, e.hash) for e in before
    ]
    tombstones = [frame(event)["payload"][ERASED] for event in after]
    assert {(each["by"], each["reason"]) for each in tombstones} == {("dana", "she asked")}
    assert frame(after[-1])["payload"]["status"] == "completed"


async def test_an_erased_run_cannot_be_folded_and_says_why(store: EventStore, run: ByHand):
    history = History(store)
    assert (await history.state_at(run.run_id, 3)).seq == 3
    await erased_run(store, run)
    for look in (store.load(run.run_id), history.state_at(run.run_id, 3)):
        with pytest.raises(RunErased, match=r"was erased at .* by dana \(she asked\)"):
            await look


async def test_what_another_process_knew_is_erased_too(open_store: OpenStore, store: EventStore, run: ByHand):
    other = await open_store()
    history = History(other)
    assert (await history.state_at(run.run_id, 3)).seq == 3
    await erased_run(store, run)
    with pytest.raises(RunErased):
        await history.state_at(run.run_id, 3)
    assert (await other.read(run.run_id))[0].erased


async def test_a_stale_state_of_a_run_in_progress_does_not_outlive_the_run(
    open_store: OpenStore, store: EventStore, handler: RunHandler
):
    run, other = await started_run(handler), await open_store()
    assert (await other.load(run.run_id)).seq == 1
    await run.to_the_end()
    await erased_run(store, run)
    with pytest.raises(RunErased):
        await other.load(run.run_id, fresh=True)
    other.forget(None)
    assert other.cached(run.run_id) is None


async def test_a_reader_goes_on_over_the_erasure(store: EventStore, run: ByHand, open_tail: OpenTail):
    tail = await open_tail()
    with tail.subscribe(run.run_id, 0) as subscription, tail.subscribe(run.run_id, 3) as later:
        first = await take(subscription, 4)
        await erased_run(store, run)
        rest = await later.next_batch(10)
    assert not first[0].erased
    assert [seq for seq, _ in rest] == list(range(4, rest[-1][0] + 1))
    assert all(event.erased for _, event in rest)
    assert rest[-1][1].type == "complete"


async def test_erasing_twice_changes_nothing(store: EventStore, run: ByHand):
    await erased_run(store, run)
    known = await run_to_erase(store, run.run_id)
    assert await erase(store, run.run_id, "eve", "again") == "before"
    assert await run_to_erase(store, run.run_id) == known


async def test_a_run_in_progress_and_one_without_a_key_are_not_erased(
    open_store: OpenStore, store: EventStore, handler: RunHandler
):
    plain = RunHandler(await open_store())
    without = await started_run(plain)
    await without.to_the_end()
    open_run = await started_run(handler)
    assert await erase(store, open_run.run_id, "dana", None) == "in_progress"
    assert await erase(store, without.run_id, "dana", None) == "no_key"
    assert await erase(store, str(uuid4()), "dana", None) == "unknown"
    assert (await store.load(open_run.run_id)).exists
    assert not (await store.read(without.run_id))[0].erased


async def test_the_setting_counts_at_the_start_of_a_run(open_store: OpenStore, store: EventStore):
    """A process without the setting goes on with a sealed run, and one with it goes on with a plain run."""
    plain = await open_store()
    sealed_run, plain_run = await started_run(RunHandler(store)), await started_run(RunHandler(plain))
    await ByHand(RunHandler(plain), sealed_run.run_id).to_the_end()
    await ByHand(RunHandler(store), plain_run.run_id).to_the_end()
    assert all(map(is_sealed, await store.read_stored(sealed_run.run_id)))
    assert not any(map(is_sealed, await store.read_stored(plain_run.run_id)))
    assert check_chain(await store.read_stored(sealed_run.run_id)) is None


async def test_a_lost_start_does_not_change_the_key(open_store: OpenStore, store: EventStore):
    """Two requests with one idempotency key: the run has the key of the one that was stored."""
    handlers = [RunHandler(store), RunHandler(await open_store(erasable=True))]
    run_id = str(uuid4())
    starts = await asyncio.gather(
        *(started_run(each, run_id) for each in (*handlers, *handlers)), return_exceptions=True
    )
    assert sum(isinstance(each, ByHand) for each in starts) == 1
    for handler in handlers:
        await ByHand(handler, run_id).log("after")
    assert len(await store.read(run_id)) == 3


async def test_an_erased_key_does_not_come_back(
    store: EventStore, run: ByHand, database: AsyncConnection[Any]
):
    await erased_run(store, run)
    with pytest.raises(psycopg.Error, match="not changed or brought back"):
        await database.execute("update flex_run_keys set key = sha256('x'), erased_at = null")


async def test_a_fork_that_comes_after_the_erasure_is_refused_by_the_database(
    store: EventStore, handler: RunHandler, run: ByHand
):
    """Its data was read before the erasure; it is stored after it."""
    origin = {"origin": {"runId": run.run_id, "kind": "fork"}}
    earlier = await personal_run(handler, **origin)
    assert [each.run_id for each in await copied_to(store, run.run_id)] == [earlier.run_id]
    await erased_run(store, run)
    with pytest.raises(RunErased, match="nothing can be made from it"):
        await personal_run(handler, **origin)
    await erased_run(store, earlier)
    assert [each.erased_at is None for each in await copied_to(store, run.run_id)] == [False]


async def test_of_a_race_of_erasures_one_wins_and_every_reader_sees_before_or_after(
    store: EventStore, run: ByHand
):
    async def reads() -> set[bool]:
        return {event.erased for event in await store.read(run.run_id)}

    *looked, first, second = await asyncio.gather(
        *(reads() for _ in range(20)),
        erase(store, run.run_id, "dana", None),
        erase(store, run.run_id, "eve", None),
    )
    assert all(len(each) == 1 for each in looked)
    assert sorted((first, second)) == ["before", "erased"]


async def test_a_race_with_prune_leaves_the_run_erased_or_gone(
    store: EventStore, run: ByHand, database: AsyncConnection[Any]
):
    async def remove() -> None:
        async for _ in prune(store, ended_before(store, -60)):
            pass

    outcome, _ = await asyncio.gather(erase(store, run.run_id, "dana", None), remove())
    assert outcome in ("erased", "unknown")
    assert await places_with(database, MARKER) == []
    cursor = await database.execute("select count(*) from flex_run_keys where key is not null")
    assert await cursor.fetchone() == (0,)


async def test_a_run_that_is_erased_between_its_export_and_its_removal_is_exported_again(
    store: EventStore, run: ByHand
):
    async def export_and_erase(run_id: str) -> str:
        await erase(store, run_id, "dana", None)
        return "kept.jsonl.gz"

    before = ended_before(store, -60)
    assert [each.left async for each in prune(store, before, export=export_and_erase)] == [1]
    assert [each.runs async for each in prune(store, before)] == [1]


async def test_an_erasure_that_is_cut_in_the_middle_has_not_happened(
    store: EventStore, run: ByHand, database_url: str
):
    async with await psycopg.AsyncConnection.connect(database_url) as killed:
        await killed.execute("select flex_erase(%s, 'dana', null)", (run.run_id,))
        with pytest.raises(psycopg.errors.AdminShutdown):
            await killed.execute("select pg_terminate_backend(pg_backend_pid())")
    assert not (await store.read(run.run_id))[0].erased
    assert await compare(database_url) == []


async def test_an_export_carries_the_key_and_that_of_an_erased_run_its_tombstone(
    store: EventStore, run: ByHand, tmp_path: Path
):
    for erased in (False, True):
        if erased:
            await erased_run(store, run)
        status, said = await offline("verify_run.py", str(await file_of(store, run.run_id, tmp_path)))
        assert status == 0, said


@pytest.mark.parametrize("seed", range(6))
async def test_any_run_is_what_it_would_be_without_a_key(
    handler: RunHandler, store: EventStore, database_url: str, seed: int
):
    walk = Walk(handler, seed)
    await walk.start()
    for _ in range(60):
        await walk.step()
    known = await store.load(walk.run_id)
    store.forget(None)
    again: RunState = await store.load(walk.run_id, fresh=True)
    assert again == known
    assert all(map(is_sealed, await store.read_stored(walk.run_id)))
    assert await compare(database_url) == []
    if not again.finished:
        await handler.execute(walk.run_id, c.AbortRun(now=datetime.now(UTC), actor=c.Actor("ann")))
    assert await erase(store, walk.run_id, "dana", None) == "erased"
    assert await rebuild(database_url) == 1
    assert await compare(database_url) == []
