"""A soak's verdict is worth something only if it can be bad: each breach of a promise is found."""

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from bench.soak.ledger import Ledger, Told
from bench.soak.recovery import recovery_times
from bench.soak.verdict import judge
from gateway.streams.sse import encode_frame
from tests.support.by_hand import ByHand
from tests.support.started_runs import started_run
from tests.support.wiring import StoreWiring


@pytest.fixture
async def runs(database_url: str) -> AsyncIterator[StoreWiring]:
    async with StoreWiring(database_url) as open_desk:
        yield open_desk


async def _finished(runs: StoreWiring, ledger: Ledger) -> ByHand:
    """A run that was accepted and read to its end, as it should be."""
    run = await started_run(runs.handler)
    await run.to_the_end()
    ledger.accept(run.run_id)
    ledger.finish(run.run_id, await _frames(runs, run.run_id))
    return run


async def _frames(runs: StoreWiring, run_id: str) -> list[bytes]:
    return [encode_frame(event).data.removesuffix(b"\n\n") for event in await runs.events(run_id)]


async def _sql(runs: StoreWiring, statement: str, *values: Any) -> None:
    async with await psycopg.AsyncConnection.connect(runs.database_url, autocommit=True) as connection:
        await connection.execute(statement.encode(), values)


async def _breaches(runs: StoreWiring, ledger: Ledger) -> list[str]:
    return [*ledger.breaches, *(await judge(runs.database_url, ledger)).breaches]


async def test_runs_that_are_as_they_should_be_are_no_breach(runs: StoreWiring) -> None:
    ledger = Ledger()
    for _ in range(3):
        await _finished(runs, ledger)
    verdict = await judge(runs.database_url, ledger)
    assert (verdict.breaches, verdict.runs, verdict.events) == ([], 3, 18)


async def test_an_accepted_run_that_is_not_in_the_log_is_a_breach(runs: StoreWiring) -> None:
    ledger = Ledger()
    ledger.accept("01900000-0000-7000-8000-000000000001")
    (breach,) = await _breaches(runs, ledger)
    assert "is not in the log" in breach


async def test_a_run_that_has_not_ended_is_a_breach_and_so_is_the_work_it_left(runs: StoreWiring) -> None:
    run = await started_run(runs.handler)
    await run.planned()
    breaches = await _breaches(runs, Ledger())
    assert any("0 complete" in breach for breach in breaches)
    assert any("has work left: node a" in breach for breach in breaches)


async def test_two_results_of_one_attempt_are_a_breach(runs: StoreWiring) -> None:
    run = await started_run(runs.handler)
    await run.planned()
    await run.work()
    await _sql(
        runs,
        "insert into flex_events (run_id, seq, type, node_id, payload, recorded_at, hash) select run_id, seq + 1,"
        " type, node_id, payload, recorded_at, hash from flex_events where run_id = %s and type = 'node_complete'",
        run.run_id,
    )
    breaches = await _breaches(runs, Ledger())
    assert any(
        "attempt 1 has the results ['node_complete', 'node_complete']" in breach for breach in breaches
    )
    assert any("completed 2 times" in breach for breach in breaches)
    assert any("cannot be folded" in breach for breach in breaches)


async def test_a_row_that_is_not_what_the_log_says_is_a_breach(runs: StoreWiring) -> None:
    ledger = Ledger()
    run = await _finished(runs, ledger)
    await _sql(runs, "update flex_runs set status = 'failed' where run_id = %s", run.run_id)
    (breach,) = await _breaches(runs, ledger)
    assert breach.startswith("read model: flex_runs")


async def test_a_reader_who_was_given_other_frames_is_a_breach(runs: StoreWiring) -> None:
    ledger = Ledger()
    run = await _finished(runs, ledger)
    frames = await _frames(runs, run.run_id)
    ledger.finish(run.run_id, frames[:-2] + frames[-1:])
    (breach,) = await _breaches(runs, ledger)
    assert "two readers were given different frames" in breach
    lone = Ledger()
    lone.finish(run.run_id, [*frames[:-1], frames[-1].replace(b"completed", b"COMPLETED")])
    (breach,) = await _breaches(runs, lone)
    assert "which are not the 6 in the log" in breach


async def test_a_200_that_the_log_does_not_know_is_a_breach(runs: StoreWiring) -> None:
    ledger = Ledger()
    run = await _finished(runs, ledger)
    ledger.tell(Told(run.run_id, "a result", "node_complete", {"attempt": 1}, node_id="a"))
    ledger.tell(Told(run.run_id, "an abort", "complete", {"status": "aborted"}))
    ledger.tell(Told(run.run_id, "ann's vote", "log", detail={"vote": {"operator": "ann"}}))
    breaches = await _breaches(runs, ledger)
    assert [breach.partition(": ")[2] for breach in breaches] == [
        f"a caller was answered 200 for {what}, and the log does not have it"
        for what in ("an abort", "ann's vote")
    ]


async def test_a_run_whose_webhook_never_came_is_a_breach(runs: StoreWiring) -> None:
    ledger = Ledger()
    first, second = await _finished(runs, ledger), await _finished(runs, ledger)
    ledger.notified = {first.run_id}
    (breach,) = await _breaches(runs, ledger)
    assert breach == f"run {second.run_id}: its webhook was not notified of the end"


def test_a_recovery_is_the_time_from_a_faults_end_to_the_end_of_a_run_that_began_after_it() -> None:
    faults = [("kill a", 10.0, 12.0), ("kill a", 20.0, 21.0), ("cut b", 30.0, 30.0), ("late", 90.0, 91.0)]
    waits = [(9.0, 12.5), (10.5, 13.0), (20.5, 20.9), (40.0, 41.5)]
    assert recovery_times(faults, waits) == {
        "cut b": {"median": 11.5, "longest": 11.5},
        "kill a": {"median": 0.5, "longest": 1.0},
    }
