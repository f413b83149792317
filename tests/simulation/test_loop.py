"""The simulated loop: time, order, and the end of a process."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from simulation.loop import NothingLeft, Process, SimulatedLoop


async def ticking(told: list[str], name: str, times: int) -> None:
    for number in range(times):
        await asyncio.sleep(1)
        told.append(f"{name}{number}")


def run(seed: int, *, kill_after: int | None = None) -> tuple[list[str], float]:
    """Two processes that tick; what they told, and the simulated seconds that it took."""
    loop, told = SimulatedLoop(Random(seed)), list[str]()
    first, second = Process("a"), Process("b")
    tasks = [loop.start(first, ticking(told, "a", 5)), loop.start(second, ticking(told, "b", 5))]
    if kill_after is not None:
        first.end_after(kill_after)
        tasks = tasks[1:]
    for task in tasks:
        loop.run_until_complete(task)
    seconds = loop.time()
    loop.close()
    return told, seconds


def test_hours_pass_in_no_time_and_the_order_of_processes_is_drawn() -> None:
    orders = {tuple(run(seed)[0]) for seed in range(20)}
    assert len(orders) > 5
    for told in orders:
        assert [each for each in told if each.startswith("a")] == [f"a{number}" for number in range(5)]
    assert run(1)[1] == 5.0


def test_the_same_seed_gives_the_same_order() -> None:
    assert [run(seed) for seed in range(10)] == [run(seed) for seed in range(10)]


@pytest.mark.parametrize("callbacks", range(8))
def test_a_process_that_ends_does_nothing_more_not_even_clean_up(callbacks: int) -> None:
    told, _ = run(0, kill_after=callbacks)
    assert len([each for each in told if each.startswith("b")]) == 5
    assert len([each for each in told if each.startswith("a")]) < 5


def test_a_process_that_stands_still_goes_on_where_it_was() -> None:
    loop, told = SimulatedLoop(Random(0)), list[str]()
    process = Process("a")
    task = loop.start(process, ticking(told, "a", 3))
    loop.stall(process, 60)
    loop.run_until_complete(task)
    assert told == ["a0", "a1", "a2"]
    assert loop.time() == 63
    loop.close()


def test_a_simulation_in_which_nothing_can_happen_any_more_says_so() -> None:
    loop = SimulatedLoop(Random(0))
    with pytest.raises(NothingLeft):
        loop.run_until_complete(loop.create_future())
    loop.close()
