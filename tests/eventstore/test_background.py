"""A task that is meant to run until it is closed does not end unnoticed."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import structlog

from eventstore.background import (
    BACKGROUND_TASK,
    cancellations,
    end_background,
    refuse_lost_cancellation,
    start_background,
)
from tests.support.waiting import eventually


@pytest.fixture
async def reports() -> list[dict[str, Any]]:
    """What the event loop's exception handler is given."""
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))
    return found


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


async def _raise(error: BaseException | None) -> None:
    if error is not None:
        raise error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("surprise"),
        StopAsyncIteration("closed"),
        asyncio.CancelledError("thrown by a library"),
        None,
    ],
    ids=["raises", "stop-iteration", "foreign-cancellation", "returns"],
)
async def test_the_end_of_a_lasting_task_is_logged_and_reported(
    error: BaseException | None, reports: list[dict[str, Any]], lines: list[Any]
) -> None:
    start_background("some-link", _raise(error))
    await eventually(lambda: reports)
    assert [report[BACKGROUND_TASK] for report in reports] == ["some-link"]
    assert [(line["event"], line["task"], line["log_level"]) for line in lines] == [
        ("task_ended", "some-link", "critical")
    ]


async def test_closing_it_is_no_fault(reports: list[dict[str, Any]], lines: list[Any]) -> None:
    cancelled = start_background("cancelled", asyncio.sleep(60))
    closed = start_background("closed", _raise(None), closing=lambda: True)
    cancelled.cancel()
    await asyncio.gather(cancelled, closed, return_exceptions=True)
    await asyncio.sleep(0)
    assert reports == []
    assert lines == []


async def test_a_task_that_drops_its_cancellation_is_cancelled_again() -> None:
    dropped: list[int] = []

    async def drop_the_first() -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                dropped.append(1)
                if len(dropped) > 1:
                    raise

    task = start_background("deaf", drop_the_first())
    await asyncio.sleep(0)
    await end_background(task, None)
    assert task.cancelled()
    assert len(dropped) == 2


async def test_a_cancellation_that_a_library_drops_is_raised_after_its_call() -> None:
    inside = asyncio.Event()

    async def asks_a_library(times: int) -> str:
        before = cancellations()
        for _ in range(times):
            with suppress(asyncio.CancelledError):  # as psycopg may, where the answer comes together with it
                inside.set()
                await asyncio.Event().wait()
        refuse_lost_cancellation(before)
        return "went on"

    task = asyncio.create_task(asks_a_library(1))
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asks_a_library(0) == "went on"


async def test_what_a_task_does_after_its_cancellation_is_not_taken_for_another_one() -> None:
    async def cleans_up() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            before = cancellations()
            await asyncio.sleep(0)
            refuse_lost_cancellation(before)
            return "cleaned up"
        return "never"

    task = asyncio.create_task(cleans_up())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "cleaned up"
