"""What holds for a capability in every home: one set of promises, kept by a real engine.

`ABILITIES` says what a home can and, where it cannot, why; docs/capabilities.md says the same to its readers.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from runs.commands import AbortRun, Actor
from schemas.capability import worker_queue
from tests.homes.conftest import SECRET, Place
from tests.support.gateways import stream_of
from tests.support.given import node
from tests.support.markdown import section
from tests.support.told import USAGE, Act
from tests.support.told_homes import SERVED, World
from tests.support.waiting import eventually
from tests.support.wiring import now

YES = "yes"
COLUMNS = (
    "its own error codes",
    "sees earlier errors",
    "asks a person",
    "usage",
    "deltas",
    "hears of an abort",
)
ABILITIES: dict[str, tuple[str, ...]] = {
    "python": (YES, YES, YES, YES, YES, "yes: an async function; a thread runs to its end"),
    "worker": (YES, YES, YES, YES, YES, "yes: with a heartbeat"),
    "http": (YES, YES, YES, YES, "no: it answers once", "yes: its connection is closed"),
    "http, 202": (YES, YES, YES, YES, "no: it answers once", "no: its callback is answered 409"),
    "model": (
        "no: those of the home",
        "yes: contract errors, in the prompt",
        "no: an answer is an output",
        YES,
        YES,
        "yes: its connection is closed",
    ),
    "mcp": (
        "no: `mcp_tool_error`",
        "no: a tool gets its arguments alone",
        "no: a result is an output",
        "no: a result has no place for it",
        "no: a tool answers once",
        "yes: the call is cancelled",
    ),
    "human": (
        "no: `declined`, with a reason",
        "yes: a wrong output is refused with its errors, and the task stays",
        "no: it is one",
        "no: nobody counts it",
        "no: a form is sent once",
        "yes: the task is gone",
    ),
}
"""The home → for each of `COLUMNS` `yes`, or `no` and why."""

CONTRACT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
GOOD = Act(output={"text": "as it was told"})
BROKEN = Act(output={"text": 1})
HANGS = Act(hangs=True)

TIMEOUTS = {"http, 202": "callback_timeout", "model": "model_timeout", "mcp": "mcp_timeout"}
FAILURES = {
    "model": ("model_unavailable", "model_unauthorized"),
    "mcp": ("mcp_tool_error",) * 2,
    "human": ("declined",) * 2,
}
"""The codes of a failure that is tried again, and of one that is not, where the home has its own."""

in_engine = pytest.mark.asyncio(loop_scope="module")
"""On the event loop of the engine that all tests of this module share."""

every_home = pytest.mark.parametrize("home", SERVED)


def can(home: str, ability: str) -> bool:
    """What the table says."""
    return ABILITIES[home][COLUMNS.index(ability)].startswith(YES)


def homes_that(ability: str) -> pytest.MarkDecorator:
    """A test for the homes that can, as the table says."""
    return pytest.mark.parametrize("home", [home for home in SERVED if can(home, ability)])


def told_node(world: World, home: str, node_id: str = "a", *needs: str, **contract: Any) -> dict[str, Any]:
    """A node of the capability; its version is planned."""
    more = {"worker": {"queue": worker_queue(world.id)}, "human": {"agentType": "human"}}.get(home, {})
    whole = {"output": CONTRACT, "maxAttempts": 2, **contract}
    return node(node_id, *needs, capabilityId=world.id, capabilityVersion="1.0.0", contract=whole, **more)


async def errors_of(world: World, run_id: str) -> list[str]:
    return [each.payload["error"]["code"] for each in await world.executor.events(run_id, "node_error")]


@in_engine
@every_home
async def test_an_output_that_keeps_its_contract_completes_the_node_once(place: Place, home: str) -> None:
    async with place(home) as world:
        world.told.to(GOOD)
        run_id = await world.executor.submit(told_node(world, home))
        assert (await world.executor.ended(run_id)).status == "completed"
        [completed] = await world.executor.events(run_id, "node_complete")
    assert completed.payload["output"] == GOOD.output
    assert completed.payload["capabilityVersion"] == "1.0.0"
    used = completed.payload.get("usage") or {}
    assert (USAGE.items() <= used.items()) == can(home, "usage"), used


@in_engine
@every_home
@pytest.mark.parametrize("retryable", [True, False])
async def test_an_error_has_its_code_and_is_tried_again_where_that_may_help(
    place: Place, home: str, retryable: bool
) -> None:
    # A tool cannot say whether to try again: the descriptor's `idempotent` says it.
    async with place(home, idempotent=retryable) as world:
        world.told.to(Act(error="told_to_fail", retryable=retryable), GOOD)
        run_id = await world.executor.submit(told_node(world, home))
        state = await world.executor.ended(run_id)
        codes = FAILURES.get(home, ("told_to_fail", "told_to_fail"))
        assert await errors_of(world, run_id) == [codes[0] if retryable else codes[1]]
        bundles = world.told.noted("bundles")
    again = retryable and home != "human"  # a person who has declined is not asked again
    assert state.status == ("completed" if again else "failed")
    assert len(bundles) == (2 if again else 1)
    if retryable and can(home, "its own error codes"):
        assert bundles[1]["previousError"]["code"] == codes[0]


@in_engine
@every_home
async def test_an_output_that_breaks_its_contract_is_named_and_repaired(place: Place, home: str) -> None:
    async with place(home) as world:
        world.told.to(BROKEN, GOOD)
        run_id = await world.executor.submit(told_node(world, home))
        assert (await world.executor.ended(run_id)).output == GOOD.output
        assert await errors_of(world, run_id) == ([] if home == "human" else ["output_invalid"])
        second = json.dumps(world.told.noted("bundles")[1])
    assert ("/text" in second and "string" in second) == can(home, "sees earlier errors")


@in_engine
@homes_that("asks a person")
async def test_a_question_reaches_a_person_and_the_answer_the_next_attempt(place: Place, home: str) -> None:
    async with place(home) as world:
        world.told.to(Act(question="Which one?"), GOOD)
        run_id = await world.executor.submit(told_node(world, home))
        state = await world.executor.reached(run_id, lambda state: state.open_requests)
        (request,) = state.open_requests
        body = {
            "runId": run_id,
            "requestId": request.id,
            "responses": [{"responseType": "freeform", "freeformText": "the blue one"}],
        }
        answer, said = await world.gateway.post("/api/hitl/resume", body)
        assert answer.status == 200, said
        assert (await world.executor.ended(run_id)).output == GOOD.output
        first, second = world.told.noted("bundles")
    assert "answers" not in first
    assert "the blue one" in json.dumps(second["answers"])


@in_engine
@pytest.mark.parametrize("home", [home for home in SERVED if home != "human"])
@pytest.mark.parametrize("idempotent", [True, False])
async def test_time_that_is_up_ends_the_attempt_and_frees_its_slot(
    place: Place, home: str, idempotent: bool
) -> None:
    async with place(home, idempotent=idempotent) as world:
        world.told.to(GOOD, HANGS, *[GOOD] * 2)
        nodes = told_node(world, home), told_node(world, home, "b", "a", timeoutSeconds=0.7)
        run_id = await world.executor.submit(*[{**each, "idempotent": idempotent} for each in nodes])
        state = await world.executor.ended(run_id)
        [code] = await errors_of(world, run_id)
        assert code == (TIMEOUTS.get(home, "timeout") if idempotent else "outcome_unknown")
        assert state.status == ("completed" if idempotent else "failed")
        assert len(world.told.noted("bundles")) == (3 if idempotent else 2), (
            "no second call of what may not be"
        )
        await eventually(lambda: world.executor.worker.busy == 0)
        world.told.to(*[GOOD] * 4)
        other = await world.executor.submit(told_node(world, home))
        assert (await world.executor.ended(other)).status == "completed"


@in_engine
async def test_a_task_whose_time_is_up_has_failed_and_takes_no_output(place: Place) -> None:
    async with place("human") as world:
        world.told.to(HANGS)
        run_id = await world.executor.submit(told_node(world, "human", timeoutSeconds=0.7))
        assert (await world.executor.ended(run_id)).status == "failed"
        assert await errors_of(world, run_id) == ["timeout"]
        [task] = world.told.noted("bundles")
        answer, said = await world.gateway.post(
            f"/api/v1/flex/tasks/{task['taskId']}/submit", {"output": GOOD.output}
        )
    assert (answer.status, said["code"]) == (409, "run_finished")


@in_engine
@every_home
async def test_an_abort_ends_the_attempt_and_the_capability_hears_of_it(place: Place, home: str) -> None:
    async with place(home) as world:
        world.told.to(HANGS)
        run_id = await world.executor.submit(told_node(world, home))
        await eventually(lambda: len(world.told.noted("bundles")) == 1)
        await world.executor.execute(run_id, AbortRun(now=now(), actor=Actor("ann")))
        assert (await world.executor.ended(run_id)).status == "aborted"
        await eventually(lambda: world.executor.worker.busy == 0)
        if can(home, "hears of an abort"):
            await eventually(lambda: len(world.told.noted("cancelled")) == 1, 10)
        assert await world.executor.events(run_id, "node_complete") == []


@in_engine
@pytest.mark.parametrize("home", [home for home in SERVED if home not in ("python", "worker", "human")])
async def test_a_secret_reaches_the_capability_and_no_event(place: Place, home: str) -> None:
    """A function and a worker have no descriptor that could name one: they read their own environment."""
    async with place(home) as world:
        world.told.to(Act(error="told_to_fail", quotes=True), GOOD)
        run_id = await world.executor.submit(told_node(world, home))
        assert (await world.executor.ended(run_id)).status == "completed"
        assert world.told.noted("secrets") == [SECRET] * 2
        _, events = await world.gateway.get(f"/api/v1/flex/runs/{run_id}/events?limit=1000")
        _, shown = await world.gateway.get(f"/api/v1/flex/capabilities/{world.id}")
    assert "node_complete" in json.dumps(events)
    assert SECRET not in json.dumps([events, shown])


@in_engine
@homes_that("deltas")
async def test_what_is_made_so_far_is_shown_to_those_who_ask_and_not_kept(place: Place, home: str) -> None:
    output = {"text": "as it was told, " * 6}
    async with place(home) as world:
        world.told.to(Act(output=output, shows=True))
        run_id = await world.executor.submit(told_node(world, home))
        async with (
            stream_of(world.gateway, run_id, "?deltas=true") as asked,
            stream_of(world.gateway, run_id) as plain,
        ):
            await asked.until_picture()
            world.told.go_on()
            await asked.to_end()
            await plain.to_end()
        kept = {event.type for event in await world.executor.events(run_id)}
    first = asked.pictures[0]
    assert first["type"] == "node_delta"
    assert json.dumps(output).startswith(first["payload"]["text"])
    assert plain.pictures == []
    assert "node_delta" not in kept


def test_the_document_says_what_the_table_says() -> None:
    rows = [
        line for line in section("docs/capabilities.md", "What each home can do").splitlines() if "|" in line
    ]
    cells = [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in rows]
    head, _, *body = cells
    assert head == ["home", *COLUMNS]
    shown = {name.replace("`", ""): tuple(rest) for name, *rest in body}
    assert shown == ABILITIES
    assert list(ABILITIES) == list(SERVED), "a home without a row has no place in the suite"
