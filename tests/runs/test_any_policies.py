"""Whatever JSON stands where the rules of a run read: it is refused when accepted, or the run can be led to its end."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from runs import commands as c
from runs.decide import step
from runs.errors import RunError
from runs.evolve import fold_all
from runs.state import RunState, new_run
from runs.transitions import AWAITING_HUMAN, READY, RUNNING, WAITING_RETRY
from schemas.control import ForkBody
from schemas.envelope import parse_envelope
from schemas.parsing import validate_document
from schemas.refusal import DocumentRefused
from tests.runs.policy_strategies import BUNDLES, CONSTRAINTS, FORKS, POLICIES
from tests.support.given import ENVELOPE, Given, at, node

MAX_STEPS = 60
_FAST = settings(deadline=None, max_examples=150)


def decided(given_: Given, seconds: int, command: type[c.Command], **fields: Any) -> Given | None:
    """The run after a command; None where its rules refuse. Anything but a RunError is a failure."""
    try:
        events, state = step(given_.state, [command(now=at(seconds), **fields)])
    except RunError:
        return None
    return Given(state, given_.log + events, events, at(seconds))


def _next(run: Given, seconds: int) -> Given | None:
    state = run.state
    for each in state.nodes.values():
        if each.status in (READY, WAITING_RETRY):
            step_on = decided(run, seconds, c.StartNode, node_id=each.id, attempt=each.attempt + 1)
        elif each.status == RUNNING:
            fields = {"node_id": each.id, "attempt": each.attempt, "output": 1, "duration_ms": 1}
            step_on = decided(run, seconds, c.CompleteNode, **fields)
        elif each.status == AWAITING_HUMAN:
            who = c.Actor(each.assignees[0] if each.assignees else "ann")
            step_on = decided(run, seconds, c.SubmitTask, node_id=each.id, output=1, actor=who)
        else:
            continue
        if step_on is not None:
            return step_on
    return _decide(run, seconds) or decided(run, seconds, c.DeliverOutput, output={"n": 1})


def _decide(run: Given, seconds: int) -> Given | None:
    for request in run.state.open_requests:
        names = [*(request.rules.get("approvers") or []), *(f"person {n}" for n in range(3))]
        for name in names:
            fields = {"request_id": request.id, "response_type": "approval", "actor": c.Actor(name)}
            step_on = decided(run, seconds, c.ResolveRequest, **fields)
            if step_on is not None:
                return step_on
        expired = decided(run, 40_000_000 + seconds, c.ExpireRequest, request_id=request.id)
        if expired is not None:
            return expired
    return None


def led_to_its_end(run: Given) -> RunState:
    """Work, approve, submit and deliver until the run ends; abort what nobody may decide."""
    for seconds in range(1, MAX_STEPS):
        if run.state.finished:
            break
        after = _next(run, seconds * 120)
        if after is None:
            break
        run = after
    if not run.state.finished:
        aborted = decided(run, 90_000_000, c.AbortRun, actor=c.Actor("ann"))
        assert aborted is not None
        run = aborted
    assert fold_all(new_run(run.state.run_id), run.log) == run.state
    return run.state


@_FAST
@given(POLICIES, CONSTRAINTS)
def test_a_run_that_is_stored_with_any_rules_can_be_led_to_its_end(policies: Any, constraints: Any) -> None:
    run = Given().started(policies=policies, constraints=constraints).planned(node("a"), node("b", "a"))
    assert led_to_its_end(run).finished


@_FAST
@given(BUNDLES, BUNDLES)
def test_a_plan_that_is_stored_with_any_bundle_can_be_led_to_its_end(first: Any, second: Any) -> None:
    nodes = (node("a", bundle=first), node("b", "a", bundle=second, agentType="human"))
    assert led_to_its_end(Given().started().planned(*nodes)).status == "completed"


@_FAST
@given(POLICIES, CONSTRAINTS)
def test_what_is_accepted_is_what_the_rules_read(policies: Any, constraints: Any) -> None:
    document = {**ENVELOPE, "policies": policies, "constraints": constraints}
    try:
        envelope = parse_envelope(orjson.dumps(document))
    except DocumentRefused:
        return
    run = Given().started(**envelope.to_wire()).planned(node("a"))
    read = run.state.policies
    assert list(read.runtime) == envelope.policies.runtime
    assert read.hitl.to_wire() == (envelope.policies.hitl.to_wire() if envelope.policies.hitl else {})
    assert read.approval_required == envelope.approval_required
    assert read.deadline_seconds == envelope.constraints.deadline_seconds
    led_to_its_end(run)


@_FAST
@given(FORKS)
def test_any_fork_is_refused_or_makes_nodes_that_can_be_run(body: Any) -> None:
    try:
        fork = validate_document(ForkBody, body)
    except DocumentRefused:
        return
    nodes = [
        {**each.to_wire(), "id": f"n{number}", "dependsOn": []}
        for number, each in enumerate(fork.nodes or [])
    ]
    policies = fork.policies.to_wire() if fork.policies else {}
    led_to_its_end(Given().started(policies=policies).planned(*nodes, node("z")))


@pytest.mark.parametrize("approvers", [7, "bob", [7], [""], {"a": 1}, [None, "ann"]])
def test_stored_approvers_that_cannot_be_read_never_let_anybody_decide(approvers: Any) -> None:
    action = {"type": "hitl", "hitl": {"approvers": approvers}}
    policies = {"runtime": [{"trigger": "plan_generated", "action": action, "weight": 1}]}
    run = Given().started(policies=policies).planned(node("a"))
    (request,) = run.state.open_requests
    fields = {"request_id": request.id, "response_type": "approval"}
    assert decided(run, 1, c.ResolveRequest, actor=c.Actor("zoe"), **fields) is None
    wanted = "bob" if approvers == "bob" else "ann"
    allowed = decided(run, 1, c.ResolveRequest, actor=c.Actor(wanted), **fields)
    assert (allowed is not None) == (approvers in ("bob", [None, "ann"]))
