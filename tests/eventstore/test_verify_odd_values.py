"""`db verify` takes short cuts; none of them lets a change of an odd value through, in the log or in a read model."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from psycopg import AsyncConnection

from eventstore.chain import chained, check_chain
from eventstore.store import EventStore
from tests.eventstore.conftest import StartRun
from tests.eventstore.test_verify import events, findings, tamper
from tests.support.by_hand import ByHand

OUTPUT_EVENT = 5
ODD: dict[str, Any] = {
    "whole": 1.0,
    "zero": -0.0,
    "exponent": 1e16,
    "large": 1e21,
    "small": 1e-7,
    "beyond 53 bits": 2**53 + 1,
    "most": 2**64 - 1,
    "yes": True,
    "one": 1,
    "nothing": {"a": [None, {"b": None}], "c": {}},
    "text": "1.0, 1e5] \u2028 \u00e9",
    "\U0001f600": 1,
    "\uffee": 2,
    "\ud7ff": 3,
}
IN_THE_LOG = """
update flex_events set payload = jsonb_set(payload, %(path)s::text[], %(value)s::text::jsonb)
where run_id = %(run)s and seq = 5
"""
IN_A_ROW = """
update flex_plan_nodes set output = jsonb_set(output, %(path)s::text[], %(value)s::text::jsonb) where run_id = %(run)s
"""
ANOTHER_NODE = """
insert into flex_plan_nodes
select (jsonb_populate_record(n, '{"node_id": "b"}')).* from flex_plan_nodes n where run_id = %(run)s
"""
ANOTHER_WORK = """
insert into flex_work (run_id, kind, ref, queue, attempt, started, due_at)
values (%(run)s, 'node', 'a', 'node.default', 2, false, now())
"""
CHANGES: list[tuple[list[str], str, str]] = [
    (["whole"], "1.0", "1.5"),
    (["zero"], "0.0", "1"),
    (["exponent"], "10000000000000000", "10000000000000002"),
    (["large"], "1e21", "1e22"),
    (["small"], "1e-7", "1.0000000000000002e-7"),
    (["beyond 53 bits"], str(2**53 + 1), str(2**53)),
    (["most"], str(2**64 - 1), str(2**64 - 2)),
    (["yes"], "true", "1"),
    (["one"], "1", "true"),
    (["nothing", "a", "0"], "null", "false"),
    (["nothing", "a", "1"], '{"b": null}', "{}"),
    (["nothing", "c"], "{}", "null"),
    (["text"], json.dumps(ODD["text"]), '"1, 1e5] \\u2028 \\u00e9"'),
    (["\U0001f600"], "1", "2"),
    (["\uffee"], "2", '"2"'),
]
"""The path of a value, the value, and another one."""


@pytest.fixture
async def odd(start_run: StartRun) -> ByHand:
    """A finished run with odd values, between two others."""
    await (await start_run()).to_the_end()
    run = await start_run()
    await run.planned()
    await run.work(output=ODD)
    await run.deliver(ODD)
    await (await start_run()).to_the_end()
    return run


async def test_a_changed_value_of_the_log_is_named_and_the_same_value_is_not(
    odd: ByHand, database: AsyncConnection[Any], database_url: str
):
    assert await findings(database_url) == []
    for path, value, other in CHANGES:
        place = {"run": odd.run_id, "path": ["output", *path]}
        await tamper(database, IN_THE_LOG, **place, value=other)
        assert (odd.run_id, OUTPUT_EVENT, "changed") in events(await findings(database_url)), path
        await tamper(database, IN_THE_LOG, **place, value=value)
        assert await findings(database_url) == [], path


async def test_a_changed_value_of_a_row_is_named_and_the_same_value_is_not(
    odd: ByHand, database: AsyncConnection[Any], database_url: str
):
    for path, value, other in CHANGES:
        place = {"run": odd.run_id, "path": path}
        await tamper(database, IN_A_ROW, **place, value=other)
        found = [(each.run_id, each.seq, each.cause) for each in await findings(database_url)]
        assert found == [(odd.run_id, None, "row")], path
        await tamper(database, IN_A_ROW, **place, value=value)
        assert await findings(database_url) == [], path


@pytest.mark.parametrize(
    ("statement", "cause"),
    [
        ("update flex_runs set usage = '{}' where run_id = %(run)s", "row"),
        ("update flex_runs set output = output || '{\"x\": null}' where run_id = %(run)s", "row"),
        ("update flex_runs set output = null where run_id = %(run)s", "row"),
        ("update flex_runs set output = 'null' where run_id = %(run)s", "row"),
        ("update flex_runs set updated_at = updated_at + interval '1 microsecond' where run_id = %(run)s", "row"),
        ("delete from flex_plan_nodes where run_id = %(run)s", "row"),
        ("delete from flex_runs where run_id = %(run)s", "row"),
        (ANOTHER_NODE, "row"),
        (ANOTHER_WORK, "row"),
        ("update flex_plan_nodes set run_id = 'ffffffff-ffff-7fff-bfff-ffffffffffff' where run_id = %(run)s", "row"),
        ("update flex_events set recorded_at = 'infinity' where run_id = %(run)s and seq = 4", "changed"),
        ("update flex_events set recorded_at = '0044-03-15 BC' where run_id = %(run)s and seq = 4", "changed"),
        ("update flex_events set recorded_at = date_trunc('second', recorded_at) where run_id = %(run)s and seq = 4",
         "changed"),
        ("update flex_events set detail = 'null' where run_id = %(run)s and seq = 4", None),
        ("update flex_events set detail = '{}' where run_id = %(run)s and seq = 4", "changed"),
        ("update flex_events set message = '' where run_id = %(run)s and seq = 4", "changed"),
        ("update flex_events set node_id = null where run_id = %(run)s and seq = 4", "changed"),
        ("update flex_events set xid = xid where run_id = %(run)s", None),
    ],
)  # fmt: skip
async def test_a_row_that_is_not_what_the_log_says_is_named(
    odd: ByHand, database: AsyncConnection[Any], database_url: str, statement: str, cause: str | None
):
    await tamper(database, statement, run=odd.run_id)
    causes = {each.cause for each in await findings(database_url)}
    assert (cause in causes) if cause is not None else causes == set()


async def test_an_event_that_was_changed_with_its_hash_shows_at_the_next_one(
    odd: ByHand, store: EventStore, database: AsyncConnection[Any], database_url: str
):
    events_before = await store.read(odd.run_id)
    event = events_before[OUTPUT_EVENT - 1]
    changed = replace(event, payload={**event.payload, "output": {**ODD, "whole": 2.0}})
    forged = chained(events_before[OUTPUT_EVENT - 2].hash, [changed])[0]
    await tamper(database, IN_THE_LOG, run=odd.run_id, path=["output", "whole"], value="2.0")
    await tamper(
        database,
        "update flex_events set hash = decode(%(hash)s, 'hex') where run_id = %(run)s and seq = 5",
        run=odd.run_id,
        hash=forged.hash,
    )
    assert events(await findings(database_url)) == [(odd.run_id, OUTPUT_EVENT + 1, "changed")]
    assert check_chain([*events_before[: OUTPUT_EVENT - 1], forged]) is None
