"""What a runtime policy does when it is fired: one function for each action, and the bounds that end a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from runs import new_events
from runs.draft import Draft
from runs.event import JsonObject
from runs.event_data import AnswerData, PolicyTriggeredDetail, ReplanDetail
from runs.graph import downstream
from runs.replans import must_not_run_again
from runs.rules.replans import ask_for_plan
from runs.rules.requests import add_request
from runs.transitions import PAUSED
from schemas import policy_actions as a
from schemas.runtime_policies import RuntimePolicy

MAX_STEERED = 50
"""How often the policies of one run may have nodes run again, all of them together."""


@dataclass(frozen=True, slots=True)
class Firing:
    """A policy that is fired: by what, and about which node.

    `complaint` are the nodes whose output or failure it reacts to, `spent` the capabilities that have shown that they
    cannot do it, `words` what a person has said: a new plan takes them into account.
    """

    policy_id: str
    policy: RuntimePolicy
    cause: JsonObject
    node_id: str | None
    about: str
    mark: str | None = None
    event_id: str | None = None
    complaint: tuple[str, ...] = ()
    spent: tuple[str, ...] = ()
    words: str | None = None
    code: str = "policy_failed"

    def said(self, step: a.Action) -> str:
        told: str | None = getattr(step, "message", None) or getattr(step, "rationale", None)
        return f"policy {self.policy_id} reacted to {self.about}" + (f": {told}" if told else "")


def take(draft: Draft, firing: Firing, step: a.Action) -> None:
    """Record the firing and do what it says; a run that is finished stays as it is."""
    if not draft.state.finished:
        _TAKE[type(step)](draft, firing, step)


def _record(draft: Draft, firing: Firing, step: a.Action, more: PolicyTriggeredDetail | None = None) -> None:
    sent = firing.policy.to_wire()
    detail: PolicyTriggeredDetail = {**(more or {})}
    if firing.mark is not None:
        detail["mark"] = firing.mark
    draft.add(
        new_events.policy_triggered(
            firing.policy_id,
            trigger=sent["trigger"],
            action=sent["action"],
            cause=firing.cause,
            node_id=firing.node_id,
            message=firing.said(step),
            detail=detail or None,
        )
    )


def _fail(draft: Draft, firing: Firing, step: a.Fail) -> None:
    _record(draft, firing, step)
    message = step.message or firing.said(step)
    draft.fail_run(firing.code, message, {"policyId": firing.policy_id, "nodeId": firing.node_id})


def _ask(draft: Draft, firing: Firing, step: a.Hitl) -> None:
    _record(draft, firing, step)
    base = draft.state.policies.hitl
    context: JsonObject = {"policyId": firing.policy_id, "event": firing.about, "eventId": firing.event_id}
    if step.rationale is not None:
        context["rationale"] = step.rationale
    add_request(
        draft,
        kind="approval",
        subject="policy",
        node_id=firing.node_id,
        question=step.question or f"Policy {firing.policy_id}: {firing.about} needs approval. Go on?",
        rules=(step.hitl.over(base) if step.hitl else base).to_wire(),
        context=context,
    )


def _goto(draft: Draft, firing: Firing, step: a.Goto) -> None:
    state = draft.state
    nodes = [step.next] if step.next in state.nodes else _of_capability(draft, step.next)
    if not nodes:
        message = (
            f"policy {firing.policy_id} goes to {step.next}, and the plan has no such node or capability"
        )
        draft.fail_run("policy_failed", message, {"policyId": firing.policy_id, "next": step.next})
        return
    _rerun(draft, firing, step, nodes, {"fresh": True})


def _of_capability(draft: Draft, capability_id: str) -> list[str]:
    return [node.id for node in draft.state.nodes.values() if node.capability_id == capability_id]


def _retry(draft: Draft, firing: Firing, step: a.Retry) -> None:
    node_id = firing.node_id
    if node_id is None or node_id not in draft.state.nodes:
        # The composed output broke its contract, for instance: its own rules repair it.
        _record(draft, firing, step)
        return
    detail: PolicyTriggeredDetail = {}
    if step.with_ is not None:
        text = step.with_ if isinstance(step.with_, str) else orjson.dumps(step.with_).decode()
        answer: AnswerData = {
            "requestId": f"policy:{firing.policy_id}",
            "question": f"Policy {firing.policy_id} has the node run again",
            "text": text,
        }
        detail["answer"] = answer
    _rerun(draft, firing, step, [node_id], detail)


def _rerun(
    draft: Draft, firing: Firing, step: a.Goto | a.Retry, nodes: list[str], detail: PolicyTriggeredDetail
) -> None:
    if (limit := _reached(draft, firing, step)) is not None:
        message = (
            f"policy {firing.policy_id} would have nodes run again once more than the {limit} times allowed"
        )
        details: JsonObject = {
            "policyId": firing.policy_id,
            "limit": limit,
            "firings": dict(draft.state.firings),
        }
        draft.fail_run("policy_loop", message, details)
        return
    if (once := _must_not_run_twice(draft, nodes)) is not None:
        message = f"policy {firing.policy_id} would run node {once} again, which must not run twice"
        draft.fail_run("policy_failed", message, {"policyId": firing.policy_id, "nodeId": once})
        return
    _withdraw_questions(draft, firing, nodes)
    _record(draft, firing, step, {**detail, "nodes": nodes})


def _reached(draft: Draft, firing: Firing, step: a.Goto | a.Retry) -> int | None:
    """The limit that one more firing would pass: the policy's own, or that of all policies together."""
    state, own = draft.state, step.max_attempts or a.DEFAULT_POLICY_ATTEMPTS
    if state.firings.get(firing.policy_id, 0) >= own:
        return own
    steering = {
        name
        for _, name, policy in state.policies.named()
        if any(isinstance(each, a.Goto | a.Retry) for _, each in policy.steps())
    }
    return MAX_STEERED if sum(state.firings.get(each, 0) for each in steering) >= MAX_STEERED else None


def _must_not_run_twice(draft: Draft, nodes: Iterable[str]) -> str | None:
    """A node that is not idempotent, would run again, and has had its effect or may have had it."""
    state = draft.state
    for node_id in sorted(downstream(state.dependents, nodes)):
        if must_not_run_again(state.nodes[node_id]):
            return node_id
    return None


def _withdraw_questions(draft: Draft, firing: Firing, nodes: Iterable[str]) -> None:
    """Close what people are asked about work that is done again."""
    again = downstream(draft.state.dependents, nodes)
    for request in draft.state.open_requests:
        if request.subject == "output" or request.node_id in again:
            note = f"policy {firing.policy_id} has the work done again"
            draft.add(new_events.hitl_resolved(request, "removed", operator="flexrun", note=note))


def _pause(draft: Draft, firing: Firing, step: a.Pause) -> None:
    _record(draft, firing, step)
    if draft.state.status != PAUSED:
        reason = step.reason or firing.said(step)
        draft.add(new_events.run_paused(operator="flexrun", reason=reason, detail=None))


def _emit(draft: Draft, firing: Firing, step: a.Emit) -> None:
    _record(draft, firing, step)
    message = f"policy {firing.policy_id} emits {step.event}"
    draft.add(new_events.emitted(step.event, step.payload, node_id=firing.node_id, message=message))


def _log(draft: Draft, firing: Firing, step: a.Log) -> None:
    _record(draft, firing, step)
    if step.message is not None:
        draft.add(new_events.log(step.message, level=step.level, node_id=firing.node_id))


def _set_priority(draft: Draft, firing: Firing, step: a.SetPriority) -> None:
    _record(draft, firing, step, {"priority": step.priority})


def _replan(draft: Draft, firing: Firing, step: a.Replan) -> None:
    """Plan again without what the firing complains of; where there is no plan yet, there is nothing to do again."""
    if draft.state.plan_version is None:
        _record(draft, firing, step)
        return
    words = [each for each in (step.rationale, firing.words) if each]
    wish: ReplanDetail = {
        "cause": "policy",
        "rationale": "; ".join(words) or firing.said(step),
        "redo": list(firing.complaint),
        "without": list(firing.spent),
    }
    ask_for_plan(draft, wish, lambda detail: _record(draft, firing, step, {"replan": detail}))


_TAKE: dict[type[a.Action], Callable[[Draft, Firing, Any], None]] = {
    a.Hitl: _ask,
    a.Fail: _fail,
    a.Goto: _goto,
    a.Retry: _retry,
    a.Pause: _pause,
    a.Emit: _emit,
    a.Log: _log,
    a.SetPriority: _set_priority,
    a.Replan: _replan,
}
