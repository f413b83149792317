"""Protected runs: the database has what they hold in sealed form only, and no key that opens it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from eventstore.erasure import erase
from eventstore.handler import RunHandler
from eventstore.keyring import NO_KEYS, Keyring, PayloadKeyMissing, TenantKey, use_keyring, wrapped_by
from eventstore.queries.requests import get_request, pending_requests
from eventstore.queries.run_list import RunFilters, list_runs
from eventstore.queries.runs import RunDetailRow, get_run
from eventstore.rebuild import compare, rebuild
from eventstore.rewrapping import rewrap
from eventstore.store import EventStore
from eventstore.verify import verify
from runs import commands as c
from tests.eventstore.conftest import OpenStore
from tests.eventstore.test_erasure import MARKER
from tests.support.by_hand import ByHand
from tests.support.whole_database import places_with

OLD, NEW, OTHER = (
    TenantKey(name, bytes([number]) * 32) for number, name in enumerate(("old", "new", "old"), 1)
)
ENVELOPE: dict[str, Any] = {
    "objective": f"Write to {MARKER}",
    "inputs": {"to": MARKER, "briefId": f"of {MARKER}"},
    "specialInstructions": [f"Say hello to {MARKER}"],
    "policies": {"requiresHitlApproval": True, "hitl": {"quorum": 2}},
}


@pytest.fixture(autouse=True)
def keys() -> Iterator[None]:
    use_keyring(Keyring({"*": [OLD]}))
    yield
    use_keyring(NO_KEYS)


@pytest.fixture
async def store(open_store: OpenStore) -> EventStore:
    return await open_store()


@pytest.fixture
async def waiting(handler: RunHandler, store: EventStore) -> ByHand:
    """A run that waits for a second approval, with the marker in all that a caller or a person may write."""
    run = ByHand(handler, str(uuid4()))
    await run.do(c.StartRun, envelope=ENVELOPE, schema_hash="h", submitted_by="ann")
    await run.planned()
    await run.log(f"{MARKER} was looked up")
    await run.work(output={"text": f"Dear {MARKER}"})
    await run.deliver({"text": f"Dear {MARKER}"})
    await approve(run, store, "ann")
    return run


async def approve(run: ByHand, store: EventStore, name: str) -> None:
    await run.do(
        c.ResolveRequest,
        request_id=(await store.load(run.run_id)).open_requests[0].id,
        response_type="approval",
        actor=c.Actor(name, verified=True),
        note=f"{MARKER} is fine",
    )


@pytest.fixture
async def ended(waiting: ByHand, store: EventStore) -> ByHand:
    await approve(waiting, store, "bob")
    return waiting


async def test_the_database_has_nothing_of_it_while_it_runs_nor_after(
    waiting: ByHand, store: EventStore, database: AsyncConnection[Any]
):
    assert await places_with(database, MARKER) == []
    await approve(waiting, store, "bob")
    assert (await store.load(waiting.run_id)).status == "completed"
    assert await places_with(database, MARKER) == []


async def test_who_has_the_keys_reads_its_rows_as_those_of_any_other_run(waiting: ByHand, store: EventStore):
    found = await shown(store, waiting.run_id)
    assert found.envelope == ENVELOPE
    (request,), (node,) = found.requests, found.nodes
    (listed,) = (await list_runs(store, RunFilters())).runs
    assert (listed.run_id, listed.objective) == (waiting.run_id, ENVELOPE["objective"])
    assert await get_request(store, request.request_id) == request
    assert request.brief_id == f"of {MARKER}"
    assert [each["note"] for each in request.votes] == [f"{MARKER} is fine"]
    assert MARKER in str(request.payload)
    assert [each.request_id for each in await pending_requests(store)] == [request.request_id]
    assert node.output == {"text": f"Dear {MARKER}"}
    assert node.context is not None
    assert node.context["specialInstructions"] == ENVELOPE["specialInstructions"]
    assert node.label


async def shown(store: EventStore, run_id: str) -> RunDetailRow:
    found = await get_run(store, run_id)
    assert found is not None
    return found


async def test_its_rows_are_what_its_log_says_and_are_made_again_from_it(
    ended: ByHand, database_url: str, database: AsyncConnection[Any]
):
    assert await compare(database_url) == []
    await rebuild(database_url)
    assert await compare(database_url) == []
    assert await places_with(database, MARKER) == []


async def test_verify_needs_the_keys_for_the_rows_and_not_for_the_chain(ended: ByHand, database_url: str):
    clean = await findings(database_url)
    assert clean == []
    use_keyring(NO_KEYS)
    found = await findings(database_url)
    assert found
    assert all("the payload key 'old' is not known to this process" in each for each in found)


async def findings(database_url: str) -> list[str]:
    return [str(each) async for verified in verify(database_url, processes=1) for each in verified.findings]


@pytest.mark.parametrize("others", [[], [NEW], [OTHER]], ids=["none", "another", "the same id"])
async def test_without_its_key_a_run_is_not_read_and_nothing_is_appended(
    waiting: ByHand, open_store: OpenStore, others: Sequence[TenantKey]
):
    use_keyring(Keyring({"*": others} if others else {}))
    elsewhere = await open_store()
    with pytest.raises(PayloadKeyMissing):
        await elsewhere.load(waiting.run_id)
    with pytest.raises(PayloadKeyMissing):
        await get_run(elsewhere, waiting.run_id)
    use_keyring(Keyring({"*": [NEW, OLD]}))
    assert (await elsewhere.load(waiting.run_id)).envelope == ENVELOPE


async def test_a_run_goes_on_as_it_began_where_keys_are_taken_away_or_come(
    waiting: ByHand, open_store: OpenStore, database: AsyncConnection[Any]
):
    """What decides is the run's own key; a run that began in plain stays so."""
    use_keyring(NO_KEYS)
    plain = ByHand(RunHandler(await open_store()), str(uuid4()))
    await plain.do(c.StartRun, envelope=ENVELOPE, schema_hash="h")
    use_keyring(Keyring({"*": [NEW, OLD]}))
    await plain.planned()
    assert "flex_runs" in await places_with(database, MARKER)
    await database.execute("delete from flex_plan_nodes where run_id = %s", [plain.run_id])


async def test_keys_are_wrapped_anew_and_the_old_one_is_needed_no_more(
    ended: ByHand, store: EventStore, open_store: OpenStore, database: AsyncConnection[Any]
):
    use_keyring(Keyring({"*": [NEW, OLD]}))
    rounds = [(each.wrapped, each.kept) async for each in rewrap(store)]
    again = [(each.wrapped, each.kept) async for each in rewrap(store)]
    assert (rounds, again) == ([(1, 0)], [(0, 1)])
    stored = await (await database.execute("select key from flex_run_keys")).fetchall()
    assert [wrapped_by(key) for (key,) in stored] == ["new"]
    use_keyring(Keyring({"*": [NEW]}))
    assert (await shown(await open_store(), ended.run_id)).output == {"text": f"Dear {MARKER}"}


async def test_it_is_erased_as_any_other_one(ended: ByHand, store: EventStore, database_url: str):
    assert await erase(store, ended.run_id, "dana", "asked") == "erased"
    row = await shown(store, ended.run_id)
    assert (row.run.objective, row.envelope, row.output, row.nodes) == ("", {}, None, [])
    (listed,) = (await list_runs(store, RunFilters())).runs
    assert (listed.objective, listed.erased_at is not None) == ("", True)
    assert await compare(database_url) == []


async def test_a_key_is_not_changed_into_a_plain_one(ended: ByHand, database: AsyncConnection[Any]):
    for made in (b"\0" * 32, b"\1\3abc" + b"\0" * 40):
        await database.execute("begin")
        try:
            await database.execute("update flex_run_keys set key = %s where length(key) > 32", [made])
            refused = False
        except Exception as error:  # noqa: BLE001 - the database's own refusal is looked at
            refused = "can be destroyed, and not changed" in str(error)
        await database.execute("rollback")
        assert refused is (len(made) == 32)


async def test_each_tenant_has_keys_of_its_own_and_others_open_nothing(
    handler: RunHandler, store: EventStore, open_store: OpenStore, database: AsyncConnection[Any]
):
    acme = TenantKey("acme-1", b"a" * 32)
    use_keyring(Keyring({"acme": [acme], "default": [OLD]}))
    runs = {tenant: ByHand(handler, str(uuid4())) for tenant in ("acme", "default")}
    for tenant, run in runs.items():
        await run.do(c.StartRun, envelope=ENVELOPE, schema_hash="h", tenant=tenant)
    stored = await (await database.execute("select run_id::text, key from flex_run_keys")).fetchall()
    assert {run_id: wrapped_by(key) for run_id, key in stored} == {
        runs["acme"].run_id: "acme-1",
        runs["default"].run_id: "old",
    }
    use_keyring(Keyring({"acme": [acme]}))
    elsewhere = await open_store()
    assert (await elsewhere.load(runs["acme"].run_id)).envelope == ENVELOPE
    with pytest.raises(PayloadKeyMissing):
        await elsewhere.load(runs["default"].run_id)
    with pytest.raises(PayloadKeyMissing, match="no payload key for the tenant 'other'"):
        await ByHand(RunHandler(elsewhere), str(uuid4())).do(
            c.StartRun, envelope=ENVELOPE, schema_hash="h", tenant="other"
        )
    use_keyring(Keyring({"acme": [NEW, acme], "default": [OLD]}))
    assert [(each.wrapped, each.kept) async for each in rewrap(store)] == [(1, 1)]
