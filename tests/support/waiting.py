"""Waiting for a condition with a deadline, in place of a fixed sleep."""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

Value = TypeVar("Value")

DEADLINE_SECONDS = 30 * float(os.environ.get("TEST_DEADLINE_FACTOR", "1"))
"""After how long a test gives up what it waits for. Generous: a loaded machine is no failure. On a slower one set
TEST_DEADLINE_FACTOR, by which it is multiplied."""

_FIRST_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.05


async def eventually(
    predicate: Callable[[], Value | Awaitable[Value]],
    timeout_seconds: float = DEADLINE_SECONDS,
    describe: str = "",
) -> Value:
    """Return the first truthy value of `predicate` (plain or async), called again until the deadline.

    An AssertionError inside the predicate counts as "not yet"; the last one is the cause of the failure.
    Raises AssertionError with the last value after `timeout_seconds`.
    """
    deadline = time.monotonic() + timeout_seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        value, failure = await _ask(predicate)
        if failure is None and value:
            return cast(Value, value)
        if time.monotonic() > deadline:
            name = describe or getattr(predicate, "__name__", "condition")
            raise AssertionError(
                f"not true within {timeout_seconds} s: {name}; last value: {failure or value!r}"
            ) from failure
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


async def _ask(
    predicate: Callable[[], Value | Awaitable[Value]],
) -> tuple[Value | None, AssertionError | None]:
    try:
        answer = predicate()
        if inspect.isawaitable(answer):
            return await cast(Awaitable[Value], answer), None
        return answer, None
    except AssertionError as failure:
        return None, failure
