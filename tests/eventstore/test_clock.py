"""The time of the database: measured, kept through jumps of this machine's clock, and told when it differs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from structlog.testing import capture_logs

from broker.keeper import Keeper
from broker.postgres.broker import PostgresBroker
from eventstore.clock import DatabaseClock, wait_if_early
from eventstore.handler import RunHandler
from eventstore.rebuild import compare, rebuild
from eventstore.store import EventStore
from runs.commands import StartRun
from tests.support.given import ENVELOPE
from tests.support.started_runs import new_run_id

HOUR = 3600.0
START = 1_800_000_000.0


class Machine:
    """A machine whose clocks the test sets: `system` is wrong by as much as it likes."""

    def __init__(self, ahead_seconds: float) -> None:
        self.now = 1000.0
        self.ahead_seconds = ahead_seconds
        self.clock = DatabaseClock(monotonic=lambda: self.now, system=self._system)

    def _system(self) -> float:
        return self.database_seconds() + self.ahead_seconds

    def database_seconds(self) -> float:
        return START + self.now

    def ask(self, there_seconds: float = 0.001, back_seconds: float = 0.001) -> None:
        asked_at = self.now
        self.now += there_seconds
        read = self.database_seconds()
        self.now += back_seconds
        self.clock.compare(asked_at, self.now, read)

    def error_seconds(self) -> float:
        return self.clock.seconds() - self.database_seconds()


@pytest.mark.parametrize("ahead_seconds", [HOUR, -HOUR, 2, -2, 0])
def test_the_difference_is_taken_away(ahead_seconds: float):
    machine = Machine(ahead_seconds)
    machine.ask()
    assert abs(machine.error_seconds()) <= 0.001
    machine.now += 100
    assert abs((machine.clock() - datetime.fromtimestamp(START + machine.now, UTC)).total_seconds()) < 0.002


def test_a_jump_of_the_systems_clock_moves_nothing():
    machine = Machine(0)
    machine.ask()
    before = machine.clock()
    machine.ahead_seconds = HOUR
    assert machine.clock() == before


def test_a_slow_answer_does_not_spoil_what_a_quick_one_told():
    machine = Machine(HOUR)
    machine.ask(0.0001, 0.0001)
    machine.ask(there_seconds=0.0, back_seconds=10.0)
    assert abs(machine.error_seconds()) <= 0.0001
    slow = Machine(HOUR)
    slow.ask(there_seconds=0.0, back_seconds=10.0)
    slow.ask(0.0001, 0.0001)
    assert abs(slow.error_seconds()) <= 0.0002, "and a quick one mends what a slow one told"


def test_another_primary_with_another_clock_is_followed():
    machine = Machine(0)
    machine.ask()
    machine.clock.compare(machine.now, machine.now + 0.001, machine.database_seconds() - 40)
    assert machine.error_seconds() == pytest.approx(-40, abs=0.01)


def test_a_large_difference_is_told_once_and_when_it_changes_and_when_it_is_over():
    machine = Machine(0.5)
    with capture_logs() as lines:
        for ahead_seconds in (0.5, HOUR, HOUR, HOUR, HOUR + 5, 0.2, 0.2):
            machine.ahead_seconds = ahead_seconds
            machine.ask()
    assert [(line["event"], line.get("ahead_seconds")) for line in lines] == [
        ("clock_differs_from_database", 3600.0),
        ("clock_differs_from_database", 3605.0),
        ("clock_agrees_with_database", None),
    ]


async def test_a_store_knows_the_databases_time(store: EventStore, database: AsyncConnection[Any]):
    before = await (await database.execute("select clock_timestamp()")).fetchone()
    now = store.clock()
    after = await (await database.execute("select clock_timestamp()")).fetchone()
    slack = timedelta(seconds=0.25)
    assert before is not None
    assert after is not None
    assert before[0] - slack <= now <= after[0] + slack


async def test_work_that_a_little_later_is_due_is_waited_for():
    now = datetime.now(UTC)
    due_at = now + timedelta(milliseconds=20)
    assert await wait_if_early(due_at, now, lambda: now) == due_at, "a clock behind the timer counts as due"
    assert await wait_if_early(now + timedelta(seconds=9), now, lambda: now) == now


async def test_work_due_at_once_is_due_by_the_databases_clock_and_not_by_the_time_of_its_event(
    store: EventStore, database: AsyncConnection[Any], database_url: str
):
    """An hour ahead: a process, or a primary before this one, may have had such a clock."""
    run_id, ahead = new_run_id(), store.clock() + timedelta(hours=1)
    start = StartRun(now=ahead, envelope=ENVELOPE, schema_hash="x", submitted_by=None)
    await RunHandler(store).execute(run_id, start)
    cursor = await database.execute("select due_at <= now() from flex_work where kind = 'plan'")
    assert await cursor.fetchall() == [(True,)]
    assert await compare(database_url) == []
    await rebuild(database_url)
    cursor = await database.execute("select due_at <= now() from flex_work where kind = 'plan'")
    assert await cursor.fetchall() == [(True,)]
    assert await compare(database_url) == []


async def test_a_keeper_whose_clock_is_behind_fires_what_the_database_finds_due(
    store: EventStore, database: AsyncConnection[Any]
):
    handler, run_id = RunHandler(store), new_run_id()
    envelope = {**ENVELOPE, "constraints": {"deadlineSeconds": 60}}
    begun_at = store.clock() - timedelta(seconds=61)
    await handler.execute(
        run_id, StartRun(now=begun_at, envelope=envelope, schema_hash="x", submitted_by=None)
    )
    state = await store.load(run_id, fresh=True)
    assert state.deadline_at is not None, "the envelope asks for a deadline"
    behind = Keeper(
        store, handler, PostgresBroker(store, None), clock=lambda: store.clock() - timedelta(hours=1)
    )
    assert (await behind.run_once()).timers == 1
    assert (await store.load(run_id, fresh=True)).finished
