"""Calls that wait for a child are handed out in turn of those in whose name they are made."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.config import SandboxConfig
from sandbox.process import Job
from sandbox.sandbox import Sandbox
from sandbox.sharing import FairQueue, Share, calling_as, current_share

LOOP = asyncio.new_event_loop()


def job(name: str) -> Job:
    return Job(name, b"", 1.0, LOOP.create_future())


def taken(queue: FairQueue, count: int) -> list[str]:
    return [queue.take().function for _ in range(count)]


def test_one_call_behind_a_thousand_of_another_is_next() -> None:
    queue = FairQueue()
    for _ in range(1_000):
        queue.append(job("flood"), Share("flood"))
    assert taken(queue, 2) == ["flood", "flood"]
    for _ in range(3):
        queue.append(job("quiet"), Share("quiet"))
    assert Counter(taken(queue, 6)) == {"flood": 3, "quiet": 3}
    assert taken(queue, 3) == ["flood"] * 3


def test_a_share_of_weight_three_is_handed_out_three_in_a_row() -> None:
    queue = FairQueue()
    for _ in range(40):
        queue.append(job("heavy"), Share("heavy", 3))
        queue.append(job("light"), Share("light"))
    assert Counter(taken(queue, 40)) == {"heavy": 30, "light": 10}


def test_what_is_sent_again_goes_first_in_its_order() -> None:
    queue = FairQueue()
    queue.append(job("new"), Share("a"))
    queue.send_again([job("old 1"), job("old 2")])
    assert taken(queue, 3) == ["old 1", "old 2", "new"]
    assert not queue
    with pytest.raises(IndexError):
        queue.take()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), max_size=60))
def test_nothing_is_lost_and_each_share_keeps_its_order(calls: list[tuple[str, int]]) -> None:
    queue = FairQueue()
    for number, (name, weight) in enumerate(calls):
        queue.append(job(f"{name} {number}"), Share(name, weight))
    assert len(list(queue)) == len(calls)
    found = taken(queue, len(calls))
    assert not queue
    for name in "abc":
        own = [int(each.split()[1]) for each in found if each.startswith(name)]
        assert own == [number for number, (each, _) in enumerate(calls) if each == name]


async def test_tasks_that_are_begun_call_in_the_name_of_who_began_them() -> None:
    async def who() -> Share:
        return current_share()

    with calling_as("acme", 2):
        task = asyncio.create_task(who())
    assert await task == Share("acme", 2)
    assert current_share() == Share()


async def test_a_quiet_caller_is_answered_before_the_rest_of_a_flood() -> None:
    """With one child, which works in order."""
    answered: list[str] = []

    async def ask(sandbox: Sandbox, name: str) -> None:
        with calling_as(name):
            await sandbox.call("tests.support.sandboxed:echo", [1, 2])
        answered.append(name)

    async with Sandbox(SandboxConfig(processes=1, spares=0)) as sandbox:
        flood = [asyncio.create_task(ask(sandbox, "flood")) for _ in range(200)]
        await asyncio.sleep(0)  # they wait
        quiet = [asyncio.create_task(ask(sandbox, "quiet")) for _ in range(5)]
        await asyncio.gather(*flood, *quiet)
    last = max(place for place, name in enumerate(answered) if name == "quiet")
    assert last < 60, "behind what the child had already, and five more of the flood"
