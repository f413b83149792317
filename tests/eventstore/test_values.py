"""Large values live once in a run: what is stored, and that whoever reads gets what was written."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from eventstore.chain import check_chain
from eventstore.errors import LogUnfoldable, VersionConflict
from eventstore.queries.runs import get_run
from eventstore.rebuild import compare, rebuild
from eventstore.retention import ended_before, prune
from eventstore.rows import Result
from eventstore.store import EventStore
from eventstore.values import LARGE_BYTES, MOST_MEMBERS, Filler, Splitter
from schemas.canonical_form import sorted_text
from tests.eventstore.appends import first_event, next_log
from tests.eventstore.conftest import OpenStore, StartRun
from tests.eventstore.test_exported import file_of
from tests.eventstore.test_verify import findings, tamper
from tests.support.by_hand import ByHand
from tests.support.given import node
from tests.support.offline import offline

TEXT = "a long text " * 20_000
"""240 KB."""

_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=5), st.just("x" * (LARGE_BYTES + 9))
)
_KEYS = st.sampled_from(["a", "b", "a/b", "~1", "", "apart", "output", "0"])
DOCUMENTS = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


def stored(splitter: Splitter, **row: Any) -> tuple[Result, dict[tuple[str, str], bytes]]:
    """A row as it comes out of the database, and what `flex_values` has."""
    kept = orjson.loads(orjson.dumps({"run_id": "r", "apart": None, **row}))
    columns = tuple(name.encode() for name in kept)
    return Result(columns, [tuple(kept.values())]), {
        ("r", key): text for key, text in splitter.values.items()
    }


def read_back(result: Result, texts: dict[tuple[str, str], bytes]) -> dict[str, Any]:
    filler = Filler(result.columns, texts, check=True)
    row = filler.filled(result.rows[0]) if result.rows[0][1] else result.rows[0]
    assert filler.lost == []
    return dict(zip([name.decode() for name in result.columns], row, strict=True))


@given(DOCUMENTS)
def test_any_document_comes_back_as_it_was(document: Any):
    splitter, row = Splitter(), {"output": document}
    before = sorted_text(document)
    splitter.rows("nodes", [row])
    assert sorted_text(document) == before, "the caller's own document was changed"
    result, texts = stored(splitter, **row)
    assert read_back(result, texts)["output"] == document
    assert all(len(text) > LARGE_BYTES for text in texts.values())
    if len(before) <= LARGE_BYTES:
        assert "apart" not in row
        assert not texts


def test_the_smallest_large_values_are_taken_out_and_equal_ones_once():
    splitter = Splitter()
    rows = [{"output": {"text": TEXT, "n": 1}}, {"output": {"draft": {"text": TEXT}, "again": TEXT}}]
    splitter.rows("nodes", rows)
    content = sha256(sorted_text(TEXT)).hexdigest()
    assert splitter.values.keys() == {content}
    assert rows == [
        {"output": {"text": None, "n": 1}, "apart": {"/output/text": content}},
        {
            "output": {"draft": {"text": None}, "again": None},
            "apart": {"/output/draft/text": content, "/output/again": content},
        },
    ]


@pytest.mark.parametrize(
    "output",
    [
        [{"n": n} for n in range(5_000)],
        {str(n): "x" * 1_000 for n in range(60)},
        {str(n): TEXT[: 2 * LARGE_BYTES] for n in range(MOST_MEMBERS + 1)},
    ],
    ids=["many small members", "some middling ones", "many large ones"],
)
def test_what_has_no_few_large_members_is_one_value(output: Any):
    splitter, row = Splitter(), {"output": output}
    splitter.rows("nodes", [row])
    assert row["output"] is None
    assert list(row["apart"]) == ["/output"]
    assert len(splitter.values) == 1


def test_what_statements_look_at_stays_in_its_row():
    brief = "b" * 2 * LARGE_BYTES
    row = {"envelope": {"inputs": {"briefId": brief, "text": TEXT}, "metadata": {"x": TEXT}}, "output": None}
    Splitter().rows("starts", [row])
    assert list(row["apart"]) == ["/envelope/inputs/text"]
    assert row["envelope"]["inputs"]["briefId"] == brief


async def one(database: AsyncConnection[Any], statement: str, *parameters: Any) -> Any:
    row = await (await database.execute(statement.encode(), parameters)).fetchone()
    return row[0] if row else None


@pytest.fixture
async def large(start_run: StartRun) -> ByHand:
    """A finished run with a large input, whose five nodes pass a large text on, with an approval of its output."""
    run = await start_run(inputs={"briefId": "b-1", "text": TEXT + "in"})
    await run.planned(*(node(name) for name in "abcde"))
    for name in "abcde":
        await run.work(name, {"text": TEXT, "by": name})
    await run.deliver({"text": TEXT})
    return run


async def test_a_large_value_is_stored_once_and_read_everywhere(
    large: ByHand, open_store: OpenStore, database: AsyncConnection[Any]
):
    assert await one(database, "select count(*) from flex_values where run_id = %s", large.run_id) == 2
    for table in ("flex_events", "flex_plan_nodes", "flex_runs"):
        largest = SQL("select max(pg_column_size(t.*)) from {} t").format(Identifier(table))
        assert await one(database, largest.as_string()) < LARGE_BYTES, table
    other = await open_store()
    state = await other.load(large.run_id)
    assert [each.output["text"] for each in state.nodes.values()] == [TEXT] * 5
    assert state.output == {"text": TEXT}
    assert state.envelope["inputs"]["text"] == TEXT + "in"
    row = await get_run(other, large.run_id)
    assert row is not None
    assert (row.output, row.envelope["inputs"]["text"]) == ({"text": TEXT}, TEXT + "in")
    nodes = await other.fetch("runs/nodes", {"run_id": large.run_id})
    assert len(nodes) == 5
    events = await other.read(large.run_id)
    assert check_chain(events) is None
    assert all(event.hash for event in events)
    assert (await other.read_many({large.run_id: 0}))[large.run_id] == events


async def test_a_large_run_verifies_exports_and_rebuilds(
    large: ByHand, store: EventStore, database_url: str, tmp_path: Path
):
    assert await findings(database_url) == []
    file = await file_of(store, large.run_id, tmp_path)
    status, said = await offline("verify_run.py", str(file))
    assert status == 0, said
    await rebuild(database_url)
    assert (await findings(database_url), await compare(database_url)) == ([], [])
    row = await get_run(store, large.run_id)
    assert row is not None
    assert row.output == {"text": TEXT}


WHOLE_EVENTS = """
update flex_events t
set payload = flex_whole(to_jsonb(t)) -> 'payload', apart = null,
    detail = nullif(flex_whole(to_jsonb(t)) -> 'detail', 'null')
"""
WHOLE_NODES = "update flex_plan_nodes t set output = flex_whole(to_jsonb(t)) -> 'output', apart = null"


async def test_rows_of_earlier_versions_stay_readable(
    large: ByHand, store: EventStore, database: AsyncConnection[Any], database_url: str
):
    events = await store.read(large.run_id)
    await tamper(database, WHOLE_EVENTS)
    await tamper(database, WHOLE_NODES)
    assert await store.read(large.run_id) == events
    assert (await findings(database_url), await compare(database_url)) == ([], [])
    await tamper(database, "delete from flex_values")
    await rebuild(database_url)
    assert await findings(database_url) == []
    assert await one(database, "select count(*) from flex_values") == 2


@pytest.mark.parametrize(
    "output",
    [
        {"$value": "9f" * 32, "apart": {"/output": "9f" * 32}},
        {"apart": {"/payload/output": "9f" * 32}, "text": "x" * 2 * LARGE_BYTES},
        {"/output": None, "a/b": {"~": "y" * 2 * LARGE_BYTES}, "": "z" * 2 * LARGE_BYTES},
        "t" * 2 * LARGE_BYTES,
    ],
    ids=["a reference", "with a large value", "odd keys", "a text"],
)
async def test_output_that_looks_like_a_reference_is_data(
    start_run: StartRun, open_store: OpenStore, database_url: str, output: Any
):
    run = await start_run()
    await run.planned()
    await run.work("a", output)
    state = await (await open_store()).load(run.run_id)
    assert state.nodes["a"].output == output
    assert await findings(database_url) == []


async def test_a_small_run_has_nothing_apart(start_run: StartRun, database: AsyncConnection[Any]):
    await (await start_run()).to_the_end()
    assert await one(database, "select count(*) from flex_values") == 0
    assert await one(database, "select count(*) from flex_events where apart is not null") == 0


@pytest.mark.parametrize(
    ("damage", "changed"),
    [
        ("update flex_values set value = convert_to('\"other\"', 'UTF8')", True),
        ("update flex_values set value = 'no json'", True),
        ("delete from flex_values", False),
    ],
)
async def test_a_lost_value_is_named_with_its_run_and_event(
    large: ByHand, start_run: StartRun, open_store: OpenStore, database: AsyncConnection[Any], database_url: str,
    damage: str, changed: bool,
):  # fmt: skip
    await (await start_run()).to_the_end()
    await tamper(database, damage)
    found = [each for each in await findings(database_url) if each.cause == "value"]
    assert {each.run_id for each in found} == {large.run_id}
    events = await one(
        database, "select array_agg(distinct seq order by seq) from flex_events where apart is not null"
    )
    assert {each.seq for each in found} == {1, *events}
    words = "is not what was written" if changed else "is missing"
    assert all(words in each.message for each in found)
    assert "/payload/output/text" in found[1].message


async def test_a_run_whose_values_are_lost_is_not_read_and_others_are(
    large: ByHand, start_run: StartRun, open_store: OpenStore, database: AsyncConnection[Any]
):
    other = await start_run()
    await tamper(database, "delete from flex_values")
    store = await open_store()
    with pytest.raises(LogUnfoldable, match=rf"{large.run_id} event 1: the large value at .* is missing"):
        await store.load(large.run_id)
    found = await store.read_many({large.run_id: 0, other.run_id: 0})
    assert list(found) == [other.run_id]


async def test_values_go_with_their_run_and_cannot_be_changed_before(
    large: ByHand, store: EventStore, database: AsyncConnection[Any]
):
    for statement in ("update flex_values set value = ''", "delete from flex_values", "truncate flex_values"):
        with pytest.raises(Exception, match="on flex_values is refused") as refused:
            await database.execute(statement.encode())
        assert refused.value.sqlstate == "FR004"  # type: ignore[attr-defined]
    async for _ in prune(store, ended_before(store, 0)):
        pass
    assert await one(database, "select count(*) from flex_values") == 0


async def test_a_refused_append_stores_no_value(store: EventStore, database: AsyncConnection[Any]):
    _, state, events = first_event(run_id := str(uuid4()))
    commit = await store.append(_, state, events)
    before, after, more = next_log(commit.after, "x")
    await store.append(before, after, more)
    with pytest.raises(VersionConflict):
        await store.append(*next_log(commit.after, TEXT))
    assert await one(database, "select count(*) from flex_values where run_id = %s", run_id) == 0


@pytest.mark.parametrize(
    "parts",
    [
        {"inputs": {"a": "x" * 10_000}, "metadata": {"note": "y" * 10_000}},
        {"specialInstructions": ["x" * 1_000] * 9, "policies": {"house": "y" * 9_000}},
        {"inputs": {str(n): "x" * 300 for n in range(MOST_MEMBERS + 1)}, "metadata": {"note": "y" * 1_000}},
    ],
    ids=["inputs and metadata", "instructions and policies", "many inputs"],
)
async def test_an_envelope_that_is_large_by_its_small_parts_starts_a_run(
    parts: dict[str, Any], start_run: StartRun, store: EventStore, database_url: str
):
    """The event has it as one value; its row may not, since a column that may not be null has to be something."""
    run = await start_run(**parts)
    row = await get_run(store, run.run_id)
    assert row is not None
    assert row.envelope == row.envelope | parts
    assert (await store.load(run.run_id)).envelope == row.envelope
    assert await compare(database_url) == []
