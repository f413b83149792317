"""Hints are only hints: they come early, twice, late, or for another worker."""

from __future__ import annotations

import asyncio

import pytest
from uuid_utils import uuid7

from broker.interface import WorkHint
from runs.commands import FailNode, StartNode
from tests.support.capabilities import Gate, returns
from tests.support.given import node
from tests.support.wiring import ExecutorWiring, StoreWiring, now


async def test_a_retry_that_is_announced_a_moment_early_is_waited_for(database_url: str) -> None:
    async with (
        StoreWiring(database_url) as runs,
        ExecutorWiring(database_url, [returns("test.a", "done")]) as executor,
    ):
        run_id = await runs.submit(node("a", queue="elsewhere"))
        failed = FailNode(now=now(), node_id="a", attempt=1, error_code="x", message="x", jitter=0)
        await runs.execute(run_id, StartNode(now=now(), node_id="a", attempt=1), failed)
        task = await executor.worker.handle(WorkHint(run_id, "node", "a", 2, "node.elsewhere"))
        assert task is not None
        await task
        assert (await runs.state(run_id)).output == "done"


@pytest.mark.parametrize(
    ("kind", "ref", "attempt"),
    [
        ("node", "a", 2),
        ("node", "a", 0),
        ("node", "nobody", 1),
        ("output", "", 1),
        ("plan", "", 1),
        ("riddle", "?", 1),
    ],
)
async def test_a_hint_that_fits_nothing_is_dropped(
    database_url: str, kind: str, ref: str, attempt: int
) -> None:
    async with (
        StoreWiring(database_url) as runs,
        ExecutorWiring(database_url, [returns("test.a", 1)]) as executor,
    ):
        run_id = await runs.submit(node("a", queue="elsewhere"))
        before = await runs.events(run_id)
        assert await executor.worker.handle(WorkHint(run_id, kind, ref, attempt, "node.default")) is None
        assert await runs.events(run_id) == before


async def test_a_doubled_hint_starts_nothing_twice(database_url: str) -> None:
    gate = Gate("test.a")
    async with StoreWiring(database_url) as runs, ExecutorWiring(database_url, [gate]) as executor:
        run_id = await runs.submit(node("a", queue="elsewhere"))
        hint = WorkHint(run_id, "node", "a", 1, "node.elsewhere")
        tasks = await asyncio.gather(*(executor.worker.handle(hint) for _ in range(10)))
        assert len([task for task in tasks if task is not None]) == 1
        gate.open.set()
        assert (await runs.ended(run_id)).output == "through"
    assert gate.inside == ["a"]


async def test_a_hint_of_an_unknown_run_is_dropped(database_url: str) -> None:
    async with ExecutorWiring(database_url, [returns("test.a", 1)]) as executor:
        assert await executor.worker.handle(WorkHint(str(uuid7()), "node", "a", 1, "node.default")) is None
