"""The hash chain: written by the append, and what it shows when the log was changed behind the engine's back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eventstore.chain import ChainBreak, chained, check_chain, event_hash
from eventstore.errors import VersionConflict
from eventstore.store import EventStore
from runs.event import Event
from runs.evolve import fold_all
from runs.state import new_run
from tests.eventstore.appends import first_event, next_log
from tests.eventstore.conftest import StartRun
from tests.golden.logs.record import LOGS, read_log
from tests.support.started_runs import new_run_id


def found(log: list[Event], head: int | None = None) -> tuple[int, str] | None:
    """Where the chain breaks, and how."""
    broken = check_chain(log, head=head)
    return (broken.seq, broken.cause) if broken is not None else None


async def test_every_event_covers_itself_and_the_one_before_it(start_run: StartRun, store: EventStore):
    run = await start_run()
    await run.to_the_end()
    log = await store.read(run.run_id)
    hashes = [event.hash for event in log]
    assert len(set(hashes)) == len(log) > 3
    for previous, event in zip([None, *hashes], log, strict=False):
        assert event.hash == event_hash(previous, event)
    assert log[-1].detail == {"eventCount": len(log)}
    assert check_chain(log) is None
    assert (await store.load(run.run_id)).head_hash == hashes[-1]


async def test_several_events_of_one_append_chain_in_order(store: EventStore):
    before, after, events = first_event(new_run_id())
    for _ in range(3):
        _, after, more = next_log(after)
        events += more
    commit = await store.append(before, after, events)
    log = await store.read(after.run_id)
    assert [event.hash for event in commit.events] == [event.hash for event in log]
    assert commit.after.head_hash == log[-1].hash
    assert check_chain(log) is None


async def test_after_a_conflict_the_next_try_follows_the_winner(store: EventStore):
    commit = await store.append(*first_event(new_run_id()))
    await store.append(*next_log(commit.after, "first"))
    with pytest.raises(VersionConflict):
        await store.append(*next_log(commit.after, "second"))
    await store.append(*next_log(await store.load(commit.after.run_id, fresh=True), "second"))
    log = await store.read(commit.after.run_id)
    assert [event.message for event in log[1:]] == ["first", "second"]
    assert check_chain(log) is None


async def test_odd_values_are_hashed_as_they_are_read_again(store: EventStore):
    values = [1.0, -0.0, 1e16, 1e21, 2**64 - 1, 1e-7, {"\U0001f600": 1, "￮": 2}, "x" * 70_000]
    before, after, events = first_event(new_run_id())
    events = [replace(events[0], payload={**events[0].payload, "odd": values, "none": float("nan")})]
    await store.append(before, fold_all(new_run(after.run_id), events), events)
    assert check_chain(await store.read(after.run_id)) is None


LOG = chained(None, read_log("engine_done"))
LAST = len(LOG)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda log: log, None),
        (lambda log: [*log[:3], replace(log[3], payload={"x": 1}), *log[4:]], (4, "changed")),
        (lambda log: [*log[:3], replace(log[3], message="x"), *log[4:]], (4, "changed")),
        (lambda log: [*log[:3], replace(log[3], recorded_at=log[0].recorded_at), *log[4:]], (4, "changed")),
        (lambda log: log[:3] + log[4:], (5, "missing")),
        (lambda log: log[1:], (2, "missing")),
        (lambda log: [*log[:3], *(replace(each, seq=each.seq - 1) for each in log[4:])], (4, "changed")),
        (lambda log: [*log[:3], replace(log[3], hash=None), *log[4:]], (4, "unhashed")),
        (lambda log: [*log[:3], *chained(log[2].hash, [replace(log[3], message="x")]), *log[4:]], (5, "changed")),
        (lambda log: log[:-1], (LAST - 1, "cut")),
        (lambda log: [*log, replace(log[-1], seq=LAST + 1)], (LAST + 1, "changed")),
        (lambda log: [replace(each, hash=None) for each in log], None),
        (lambda log: [replace(log[0], hash=None), *chained(None, log[1:])], None),
    ],
)  # fmt: skip
def test_the_first_break_is_named(change: Any, place: tuple[int, str] | None):
    log = change([*LOG[:-1], *_counted(LOG[-2:])])
    assert found(log, LAST) == place


def _counted(last_two: list[Event]) -> list[Event]:
    """The last event as this version writes it."""
    return chained(last_two[0].hash, [replace(last_two[1], detail={"eventCount": last_two[1].seq})])


def test_complete_that_counts_other_events_is_a_break():
    assert found(chained(None, [*LOG[:-1], replace(LOG[-1], detail={"eventCount": 3})])) == (LAST, "count")


@pytest.mark.parametrize("name", LOGS)
def test_logs_of_earlier_versions_have_no_chain_to_break(name: str):
    assert check_chain(read_log(name)) is None


def test_a_break_says_where_and_what():
    broken = check_chain([LOG[0], LOG[2]])
    assert isinstance(broken, ChainBreak)
    assert str(broken) == f"run {LOG[0].run_id} event 3: event 2 is missing before it"
