"""The measure of promise 8 sees a callback that computes, and not one that sleeps."""

import asyncio
import time

from tests.support.loop_time import MOST_SECONDS, loop_time


def compute(seconds: float) -> None:
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


async def test_a_callback_that_computes_is_found_and_named() -> None:
    with loop_time() as held:
        asyncio.get_running_loop().call_soon(compute, 0.3)
        await asyncio.sleep(0)
    assert held.longest_seconds >= MOST_SECONDS
    assert "compute" in held.longest


async def test_many_short_steps_and_waiting_do_not_count() -> None:
    with loop_time() as held:
        for _ in range(20):
            compute(0.005)
            await asyncio.sleep(0)
        time.sleep(0.1)  # noqa: ASYNC251 - the loop waits, and uses no CPU time
        await asyncio.sleep(0)
    assert held.longest_seconds < MOST_SECONDS, held.longest
