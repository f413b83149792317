"""A blocked event loop is logged with its stack, and in the end the process ends."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from eventstore.task_names import name_task
from flexrun.watchdog import EXIT_STALLED, Watchdog, WatchdogConfig
from tests.support.waiting import eventually

QUICK = WatchdogConfig(warn_seconds=0.1, exit_seconds=0.4)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


async def hog(until: Any) -> None:
    name_task(asyncio.current_task(), capability_id="test.hog", run_id="r", node_id="a", attempt=2)
    deadline = time.monotonic() + 20
    while not until() and time.monotonic() < deadline:
        time.sleep(0.01)  # noqa: ASYNC251 - this is the fault


async def test_a_loop_that_stands_still_is_logged_with_its_stack_and_the_attempt(lines: list[Any]) -> None:
    config = WatchdogConfig(warn_seconds=0.1, exit_seconds=0)
    with Watchdog("w1", ["executor"], config):
        await asyncio.create_task(hog(lambda: lines))
        await eventually(lambda: lines[-1]["event"] == "loop_turns_again")
    told = lines[0]
    assert (told["event"], told["role"], told["worker"]) == ("loop_stalled", "executor", "w1")
    assert (told["capability_id"], told["run_id"], told["node_id"]) == ("test.hog", "r", "a")
    assert "in hog" in told["stack"]
    assert len(told["stack"]) <= 8_000
    assert len(lines) == 2, "told once for each stall"


async def test_after_the_second_threshold_the_process_ends_with_a_status_of_its_own(lines: list[Any]) -> None:
    statuses: list[int] = []
    farewells: list[dict[str, Any]] = []
    with Watchdog("w1", ["planner"], QUICK, farewell=farewells.append, end=statuses.append):
        await asyncio.create_task(hog(lambda: statuses))
    assert statuses == [EXIT_STALLED] == [71]
    assert farewells[0]["capability_id"] == "test.hog"
    assert [line["event"] for line in lines] == ["loop_stalled", "process_ended_by_watchdog"]


async def test_a_loop_that_turns_is_left_alone(lines: list[Any]) -> None:
    statuses: list[int] = []
    turns: list[float] = []
    with Watchdog(
        "w1", ["gateway"], QUICK, end=statuses.append, on_turn=lambda: turns.append(time.monotonic())
    ):
        await eventually(lambda: turns and turns[-1] - turns[0] > 2 * QUICK.exit_seconds)
    assert statuses == []
