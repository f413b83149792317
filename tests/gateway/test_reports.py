"""What is reported about an attempt goes into its run once; what comes late changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.checker import ContractChecker
from eventstore.run_writer import RunWriter
from eventstore.task_tokens import TaskKey
from gateway.work.report import Reports
from runs.commands import AbortRun, Actor, FailNode, StartNode
from runs.errors import RunError, RunFinished, StaleAttempt
from schemas.parsing import validate_document
from schemas.work import CapabilityResult
from tests.support.given import node
from tests.support.wiring import StoreWiring, now

NUMBER: dict[str, Any] = {"output": {"type": "number"}}


@pytest.fixture
async def wiring(database_url: str) -> AsyncIterator[StoreWiring]:
    async with StoreWiring(database_url) as opened:
        yield opened


@pytest.fixture
def reports(wiring: StoreWiring, contracts: ContractChecker) -> Reports:
    return Reports(wiring.store, RunWriter(wiring.handler), contracts, now)


async def started(wiring: StoreWiring, **more: Any) -> TaskKey:
    """An attempt that a worker has."""
    run_id = await wiring.submit(node("a", **more))
    await wiring.execute(run_id, StartNode(now=now(), node_id="a", attempt=1))
    return TaskKey(run_id, "a", 1, "remote/w", plan_version=1)


def result(**wire: Any) -> CapabilityResult:
    return validate_document(CapabilityResult, wire)


async def test_an_output_completes_the_node_with_what_was_used(wiring: StoreWiring, reports: Reports) -> None:
    task = await started(wiring, contract=NUMBER)
    report = await reports.apply(task, result(output=7, usage={"inputTokens": 3, "model": "m"}))
    assert report.status == "completed"
    (complete,) = await wiring.events(task.run_id, "node_complete")
    assert complete.payload["output"] == 7
    assert complete.payload["usage"] == {"inputTokens": 3, "model": "m"}


@pytest.mark.parametrize(
    "ending",
    [
        {"error": {"code": "x", "retryable": False}},
        {"ask": {"question": "Which?"}},
        {"output": "no number"},
    ],
)
async def test_what_an_attempt_without_an_output_used_is_in_the_run(
    wiring: StoreWiring, reports: Reports, ending: dict[str, Any]
) -> None:
    task = await started(wiring, contract=NUMBER)
    await reports.apply(task, result(usage={"costMicros": 3, "currency": "EUR"}, **ending))
    used = (await wiring.store.load(task.run_id)).usage
    assert (used.attempts, used.cost_micros) == (1, {"EUR": 3})


async def test_the_same_output_again_changes_nothing(wiring: StoreWiring, reports: Reports) -> None:
    task = await started(wiring)
    await reports.apply(task, result(output=[1]))
    again = await reports.apply(task, result(output=[1]))
    assert (again.status, again.outcome.events) == ("completed", [])
    with pytest.raises(StaleAttempt):
        await reports.apply(task, result(output=[2]))


async def test_an_output_that_breaks_the_contract_fails_the_attempt(
    wiring: StoreWiring, reports: Reports
) -> None:
    task = await started(wiring, contract=NUMBER)
    report = await reports.apply(task, result(output="seven"))
    assert report.status == "output_invalid"
    assert report.errors[0]["keyword"] == "type"
    (error,) = await wiring.events(task.run_id, "node_error")
    assert error.payload["error"]["code"] == "output_invalid"


async def test_an_error_is_tried_again_where_it_says_so(wiring: StoreWiring, reports: Reports) -> None:
    task = await started(wiring)
    await reports.apply(task, result(error={"code": "busy", "message": "come back"}))
    (error,) = await wiring.events(task.run_id, "node_error")
    assert (error.payload["error"]["code"], error.payload["willRetry"]) == ("busy", True)
    task = await started(wiring)
    await reports.apply(task, result(error={"code": "no", "retryable": False}))
    assert (await wiring.state(task.run_id)).finished


async def test_a_question_waits_for_a_person(wiring: StoreWiring, reports: Reports) -> None:
    task = await started(wiring)
    await reports.apply(
        task, result(ask={"question": "Which?", "options": [{"id": "a", "label": "The first"}]})
    )
    (asked,) = await wiring.events(task.run_id, "hitl_request")
    assert asked.payload["question"] == "Which?"


@pytest.mark.parametrize("late", ["lost", "aborted", "replaced"])
async def test_what_comes_late_is_refused_and_changes_nothing(
    wiring: StoreWiring, reports: Reports, late: str
) -> None:
    task = await started(wiring)
    if late == "lost":
        await wiring.execute(
            task.run_id,
            FailNode(now=now(), node_id="a", attempt=1, error_code="worker_lost", message="", lost=True),
        )
    elif late == "aborted":
        await wiring.execute(task.run_id, AbortRun(now=now(), actor=Actor("ann"), reason=None))
    else:
        task = TaskKey(task.run_id, "a", 1, "remote/w", plan_version=0)
    before = await wiring.events(task.run_id)
    expected: type[RunError] = RunFinished if late == "aborted" else StaleAttempt
    for one in (result(output=1), result(error={"code": "x"}), result(ask={"question": "?"})):
        with pytest.raises(expected):
            await reports.apply(task, one)
    with pytest.raises(expected):
        await reports.log(task, "late", "info")
    assert await wiring.events(task.run_id) == before
