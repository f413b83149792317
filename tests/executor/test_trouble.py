"""What goes wrong with an attempt, and what the log says of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from executor.capability import CapabilityContext, CapabilityError
from executor.config import ExecutorConfig
from runs.commands import Actor, ResolveRequest
from runs.event import Event, parse_time
from tests.support.capabilities import FunctionCapability, Gate, Scripted, echo, raises, returns
from tests.support.given import node
from tests.support.waiting import eventually
from tests.support.wiring import QUICK, ExecutorWiring, now

ANN = Actor("ann", ("editor",), verified=True)
TEXT: dict[str, Any] = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": 5}, "n": {"type": "integer"}},
    "required": ["text", "n"],
}
WRONG = {"text": "too long", "n": "one"}
RIGHT = {"text": "fine", "n": 1}


def due_after(event: Event) -> timedelta:
    """How long after a node_error its next attempt is due."""
    return parse_time(event.payload["nextAttemptAt"]) - event.recorded_at


async def test_a_failed_attempt_is_tried_again_after_a_growing_pause(database_url: str) -> None:
    failing = Scripted("test.a", ValueError("one"), CapabilityError("busy", "two"), "third time")
    async with ExecutorWiring(database_url, [failing]) as executor:
        run_id = await executor.submit(node("a"))
        state = await executor.ended(run_id)
        errors = await executor.events(run_id, "node_error")
        starts = await executor.events(run_id, "node_start")
    assert state.output == "third time"
    assert [e.payload["error"] for e in errors] == [
        {"code": "capability_error", "message": "ValueError: one"},
        {"code": "busy", "message": "two"},
    ]
    assert [e.payload["willRetry"] for e in errors] == [True, True]
    assert timedelta(seconds=0.1) <= due_after(errors[0]) <= timedelta(seconds=0.2)
    assert timedelta(seconds=0.2) <= due_after(errors[1]) <= timedelta(seconds=0.4)
    for error, start in zip(errors, starts[1:], strict=True):
        assert start.recorded_at >= parse_time(error.payload["nextAttemptAt"])
    assert failing.bundles[2]["previousError"] == {"code": "busy", "message": "two"}
    assert [bundle["attempt"] for bundle in failing.bundles] == [1, 2, 3]


async def test_attempts_that_are_used_up_end_the_run_with_the_last_error(database_url: str) -> None:
    async with ExecutorWiring(
        database_url, [raises("test.a", CapabilityError("quota", "no more"))]
    ) as executor:
        run_id = await executor.submit(node("a", contract={"maxAttempts": 2}))
        state = await executor.ended(run_id)
        errors = await executor.events(run_id, "node_error")
    assert state.status == "failed"
    assert [e.payload["willRetry"] for e in errors] == [True, False]
    assert state.error == {
        "code": "node_failed",
        "message": "A failed: no more",
        "details": {
            "nodeId": "a",
            "capabilityId": "test.a",
            "attempts": 2,
            "error": {"code": "quota", "message": "no more"},
        },
    }


async def test_a_failure_that_cannot_be_helped_is_not_tried_again(database_url: str) -> None:
    hopeless = Scripted("test.a", CapabilityError("impossible", "three words in two", retryable=False))
    async with ExecutorWiring(database_url, [hopeless]) as executor:
        run_id = await executor.submit(node("a"))
        state = await executor.ended(run_id)
    assert state.status == "failed"
    assert len(hopeless.bundles) == 1


@pytest.mark.parametrize("where", ["descriptor", "contract", "worker"])
async def test_an_attempt_ends_at_its_timeout_wherever_that_is_set(database_url: str, where: str) -> None:
    gate = (
        Gate("test.a", timeout_seconds=0.05)
        if where == "descriptor"
        else Gate("test.a", timeout_seconds=None)
    )
    config = QUICK
    contract: dict[str, Any] = {"maxAttempts": 1}
    if where == "contract":
        contract["timeoutSeconds"] = 0.05
    if where == "worker":
        config = ExecutorConfig(timeout_seconds=0.05, grace_seconds=0.1)
    async with ExecutorWiring(database_url, [gate], config=config) as executor:
        run_id = await executor.submit(node("a", contract=contract))
        state = await executor.ended(run_id)
    assert (state.error or {}).get("details", {})["error"] == {
        "code": "timeout",
        "message": "no output within 0.05 s",
    }
    assert gate.cancelled == ["a"]


async def test_a_broken_contract_names_every_error_and_the_next_bundle_has_them(database_url: str) -> None:
    learns = Scripted("test.a", WRONG, RIGHT)
    async with ExecutorWiring(database_url, [learns]) as executor:
        run_id = await executor.submit(node("a", contract={"output": TEXT}))
        state = await executor.ended(run_id)
        (invalid,) = await executor.events(run_id, "validation_error")
        (error,) = await executor.events(run_id, "node_error")
    assert state.output == RIGHT
    assert (invalid.node_id, invalid.payload["scope"], invalid.payload["attempt"]) == ("a", "node", 1)
    found = {(e["instancePath"], e["keyword"]): e["params"] for e in invalid.payload["errors"]}
    assert found == {("/text", "maxLength"): {"limit": 5}, ("/n", "type"): {"type": "integer"}}
    assert learns.bundles[1]["previousErrors"] == invalid.payload["errors"]
    assert error.payload["error"]["code"] == "output_invalid"
    assert error.seq == invalid.seq + 1


async def test_a_node_contract_that_is_no_schema_fails_at_once(database_url: str) -> None:
    answers = Scripted("test.a", 1)
    async with ExecutorWiring(database_url, [answers]) as executor:
        run_id = await executor.submit(node("a", contract={"output": {"type": 12}}))
        state = await executor.ended(run_id)
    assert (state.error or {}).get("details", {})["error"]["code"] == "contract_invalid"
    assert len(answers.bundles) == 1


CALLER = {
    "type": "object",
    "properties": {"first": {"type": "string", "maxLength": 5}, "second": {"type": "string"}},
}
COMPOSITION = {"first": {"$node": "a"}, "second": {"$node": "b"}}


async def test_the_output_is_mended_by_the_node_that_made_the_failing_part(database_url: str) -> None:
    learns, stable = Scripted("test.a", "far too long", "short"), Scripted("test.b", "second")
    async with ExecutorWiring(database_url, [learns, stable]) as executor:
        run_id = await executor.submit(
            node("a"),
            node("b"),
            plan={"metadata": {"composition": COMPOSITION}},
            outputContract={"mode": "json_schema", "schema": CALLER},
        )
        state = await executor.ended(run_id)
        (invalid,) = await executor.events(run_id, "validation_error")
    assert state.output == {"first": "short", "second": "second"}
    assert (invalid.payload["scope"], invalid.payload["attempt"]) == ("final", 1)
    assert [e["instancePath"] for e in invalid.payload["errors"]] == ["/first"]
    assert learns.bundles[1]["previousErrors"] == invalid.payload["errors"]
    assert len(stable.bundles) == 1


async def test_an_output_that_cannot_be_mended_is_never_completed(database_url: str) -> None:
    async with ExecutorWiring(
        database_url, [returns("test.a", "far too long"), returns("test.b", "b")]
    ) as executor:
        run_id = await executor.submit(
            node("a"),
            node("b"),
            plan={"metadata": {"composition": COMPOSITION}},
            outputContract={"mode": "json_schema", "schema": CALLER},
        )
        state = await executor.ended(run_id)
        invalid = await executor.events(run_id, "validation_error")
    assert [e.payload["attempt"] for e in invalid] == [1, 2, 3]
    assert state.status == "failed"
    assert (state.error or {})["code"] == "output_invalid"
    assert [e["instancePath"] for e in (state.error or {}).get("details", {})["errors"]] == ["/first"]


async def test_a_template_that_leads_nowhere_ends_the_run_with_its_reason(database_url: str) -> None:
    composition = {"title": {"$node": "a", "$pointer": "/nowhere"}}
    async with ExecutorWiring(database_url, [returns("test.a", {"n": 1})]) as executor:
        run_id = await executor.submit(node("a"), plan={"metadata": {"composition": composition}})
        state = await executor.ended(run_id)
    assert (state.error or {})["code"] == "composition_failed"
    assert "/nowhere" in (state.error or {})["message"]


@pytest.mark.parametrize(
    "contract", [{"mode": "freeform", "instructions": "a text"}, {"mode": "facets", "facets": []}]
)
async def test_other_modes_of_contract_are_checked_as_well(
    database_url: str, contract: dict[str, Any]
) -> None:
    async with ExecutorWiring(database_url, [returns("test.a", 12)]) as executor:
        run_id = await executor.submit(node("a"), outputContract=contract)
        state = await executor.ended(run_id)
    assert (state.error or {})["code"] == "output_invalid"


GARBAGE: list[Any] = [
    float("nan"),
    {"text": "a\x00b"},
    "\ud800",
    {1: 2},
    object(),
    b"bytes",
    2**70,
    [[]] * 3 + [{"deep": float("-inf")}],
    "x" * 20_000,
]


async def test_garbage_is_refused_with_a_clear_error_and_harms_no_other_node(database_url: str) -> None:
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    everything = [*GARBAGE, cyclic]
    capabilities = [returns(f"test.g{number}", output) for number, output in enumerate(everything)]
    config = ExecutorConfig(slots=16, output_bytes=10_000, grace_seconds=0.1)
    async with ExecutorWiring(
        database_url, [*capabilities, returns("test.good", "good")], config=config
    ) as executor:
        run_ids = [
            await executor.submit(node(f"g{number}", contract={"maxAttempts": 1}))
            for number in range(len(everything))
        ]
        good = await executor.submit(node("good"))
        codes = [((await executor.ended(i)).error or {}).get("details", {})["error"]["code"] for i in run_ids]
        assert (await executor.ended(good)).output == "good"
    assert codes == ["output_not_json"] * 8 + ["output_too_large", "output_not_json"]


async def test_attempts_used_up_with_a_person_as_fallback_ask_that_person(database_url: str) -> None:
    failing = Scripted("test.a", CapabilityError("no", "cannot"), "after all")
    async with ExecutorWiring(database_url, [failing]) as executor:
        run_id = await executor.submit(node("a", contract={"maxAttempts": 1, "fallback": "hitl"}))
        state = await executor.reached(run_id, lambda state: state.status == "awaiting_hitl")
        (request,) = state.open_requests
        assert (request.subject, request.node_id, request.kind) == ("node", "a", "choice")
        answer = ResolveRequest(
            now=now(),
            request_id=request.id,
            response_type="option",
            actor=ANN,
            option_id="retry",
            note="once more",
        )
        await executor.execute(run_id, answer)
        state = await executor.ended(run_id)
    assert state.output == "after all"
    assert failing.bundles[1]["attempt"] == 2
    assert failing.bundles[1]["answers"][0]["optionId"] == "retry"


async def test_a_question_stops_the_node_and_its_answer_is_in_the_next_bundle(database_url: str) -> None:
    async def asks(context: CapabilityContext) -> Any:
        if "answers" not in context.bundle:
            context.clarify("Which tone?", [{"id": "warm", "label": "Warm"}], additional_context={"seen": 2})
        return context.bundle["answers"][-1]

    async with ExecutorWiring(
        database_url, [FunctionCapability("test.a", asks), returns("test.b", 2)]
    ) as executor:
        run_id = await executor.submit(
            node("a"), node("b"), plan={"metadata": {"composition": {"$node": "a"}}}
        )
        state = await executor.reached(run_id, lambda state: state.status == "awaiting_hitl")
        assert state.nodes["b"].status == "completed"
        (asked,) = await executor.events(run_id, "hitl_request")
        assert asked.payload["question"] == "Which tone?"
        assert asked.payload["kind"] == "choice"
        assert asked.payload["options"] == [{"id": "warm", "label": "Warm"}]
        assert asked.payload["additionalContext"] == {"seen": 2}
        answer = ResolveRequest(
            now=now(),
            request_id=asked.payload["requestId"],
            response_type="freeform",
            actor=ANN,
            text="very warm",
        )
        await executor.execute(run_id, answer)
        state = await executor.ended(run_id)
    assert state.output["text"] == "very warm"
    assert state.output["question"] == "Which tone?"
    assert state.nodes["a"].attempt == 2


async def test_lines_are_in_the_log_until_there_are_too_many_of_them(database_url: str) -> None:
    async def talks(context: CapabilityContext) -> Any:
        for number in range(7):
            await context.log(
                f"line {number} \x00 " + "y" * 5_000, level="shout" if number == 1 else "warning"
            )
        return 1

    config = ExecutorConfig(log_lines_at_once=3, log_lines_per_second=0.001)
    async with ExecutorWiring(database_url, [FunctionCapability("test.a", talks)], config=config) as executor:
        run_id = await executor.submit(node("a"))
        await executor.ended(run_id)
        lines = await executor.events(run_id, "log")
        done = await executor.events(run_id, "node_complete")
    assert [line.payload["level"] for line in lines] == ["warning", "info", "warning", "warning"]
    assert [line.payload["message"][:6] for line in lines] == ["line 0", "line 1", "line 2", "4 furt"]
    assert all(len(line.payload["message"]) <= 2_000 and line.node_id == "a" for line in lines)
    assert lines[-1].seq == done[0].seq - 1


async def test_a_failing_run_does_not_change_what_its_neighbours_get(database_url: str) -> None:
    capabilities = [raises("test.a", SystemExit(1)), echo("test.b")]
    async with ExecutorWiring(database_url, capabilities) as executor:
        bad = await executor.submit(node("a", contract={"fallback": "abort"}))
        good = await executor.submit(node("b"), inputs={"x": 1})
        assert (await executor.ended(bad)).status == "failed"
        assert (await executor.ended(good)).output["inputs"] == {"x": 1}


async def test_a_result_is_kept_while_the_output_cannot_be_checked(database_url: str) -> None:
    config = replace(QUICK, checker_seconds=0.05)
    gate = Gate("test.a", "done")
    async with ExecutorWiring(database_url, [gate], config=config, keeps=False) as executor:
        run_id = await executor.submit(node("a"))
        await eventually(lambda: gate.inside)
        await executor.contracts.close()
        gate.open.set()
        state = await executor.reached(run_id, lambda state: state.nodes["a"].status == "completed")
        assert not state.finished
    async with ExecutorWiring(database_url, [], config=replace(QUICK, serves_output=True)) as second:
        assert (await second.ended(run_id)).output == "done"
