"""Runtime policies: rules of the envelope that watch the run's own events.

For each event, in the order of the log, the policies are asked in the order of the envelope. The first that ends the
run, or has nodes run again, is the last that is asked about that event. A policy that asks people holds back what comes
after the event (see `runs.settle.blocked_nodes`) until it is decided.
"""

from __future__ import annotations

from collections.abc import Iterator

from runs import new_events
from runs.draft import Draft
from runs.event import Event, JsonObject
from runs.event_data import ReuseOrigin
from runs.rules.policy_context import condition_context, metrics_of
from runs.rules.policy_steps import Firing, take
from runs.rules.replans import capabilities_of
from runs.selectors import selects
from runs.settle import needs_plan, output_due
from runs.state import NodeState, RequestState, RunState
from runs.transitions import FAILED
from schemas.conditions import ConditionFailed, compiled
from schemas.policy_actions import Fail, Goto, Replan, Retry, step_of
from schemas.policy_triggers import OnMetricBelow
from schemas.runtime_policies import RuntimePolicy


def named_policies(state: RunState) -> Iterator[tuple[str, RuntimePolicy]]:
    """The policies of the run that are enabled, each with the name that its firings have."""
    for _, name, policy in state.policies.named():
        if policy.enabled:
            yield name, policy


def apply_policies(draft: Draft) -> None:
    """Let the envelope's policies react to those of the draft's events that they have not seen."""
    if not draft.state.policies.runtime:
        return
    events, draft.reacted = draft.events[draft.reacted :], len(draft.events)
    for event in events:
        for policy_id, policy in named_policies(draft.state):
            if draft.state.finished:
                return
            if _watches(policy, event, draft) and not _settled(policy, policy_id, event):
                fired = _react(draft, policy, policy_id, event)
                if fired and isinstance(policy.taken, Fail | Goto | Retry | Replan):
                    break


def steer_failed_node(draft: Draft, node_id: str) -> bool:
    """Let the policies react to a node's last failure; whether one of them keeps the run from its fallback."""
    apply_policies(draft)
    if draft.state.finished or needs_plan(draft.state) or draft.node(node_id).status != FAILED:
        return True
    return any(
        request.subject == "policy" and request.node_id == node_id for request in draft.state.open_requests
    )


def steer_invalid_output(draft: Draft) -> bool:
    """Let the policies react to an output that cannot be mended; whether one of them keeps the run from its end."""
    apply_policies(draft)
    return draft.state.finished or not output_due(draft.state)


def _settled(policy: RuntimePolicy, policy_id: str, event: Event) -> bool:
    """Whether this output was taken over from another run in which people have approved it, or were not to be asked."""
    origin: ReuseOrigin | None = (event.detail or {}).get("origin")
    if origin is None:
        return False
    return policy.asks is None or policy_id in origin.get("approved", ())


def _watches(policy: RuntimePolicy, event: Event, draft: Draft) -> bool:
    watched = policy.watched
    # A fork's first plan may be one that another plan was changed into, which is what such a policy is about.
    updated = event.type == "plan_generated" and "forkedFromUpdate" in draft.state.plan_metadata
    if event.type not in watched.events and not (updated and "plan_updated" in watched.events):
        return False
    return selects(watched.selector, draft.state.nodes.get(event.node_id or ""))


def _react(draft: Draft, policy: RuntimePolicy, policy_id: str, event: Event) -> bool:
    """Fire the policy where its metric and its condition say so; whether it was fired."""
    node = draft.state.nodes.get(event.node_id or "")
    cause: JsonObject = {"event": event.type, "eventId": str(event.seq)}
    if event.node_id is not None:
        cause["nodeId"] = event.node_id
    if isinstance(policy.watched.trigger, OnMetricBelow):
        value = _metric_below(policy.watched.trigger, node)
        if value is None:
            return False
        cause |= {"metric": policy.watched.trigger.metric, "value": value}
    observed = observe(draft, policy, policy_id, event, node)
    if observed is None:
        return False
    cause |= observed
    complaint, spent = _complaint(draft.state, policy, event)
    firing = Firing(
        policy_id,
        policy,
        cause,
        event.node_id,
        event.type,
        event_id=str(event.seq),
        complaint=complaint,
        spent=spent,
    )
    take(draft, firing, policy.taken)
    return True


def _complaint(
    state: RunState, policy: RuntimePolicy, event: Event
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The nodes that the event says something against, and the capabilities that have failed at them for good."""
    detail: JsonObject = event.detail or {}
    own: tuple[str, ...] = (event.node_id,) if event.node_id is not None else ()
    if event.type == "node_error":
        return own, () if detail.get("lost") else tuple(capabilities_of(state, own))
    if event.type == "validation_error":
        behind = tuple(detail.get("behind", ()))
        made_wrong: tuple[str, ...] = (*detail.get("repair", ()), *behind)
        return own or made_wrong, tuple(capabilities_of(state, behind))
    return own if isinstance(policy.watched.trigger, OnMetricBelow) else (), ()


def _metric_below(trigger: OnMetricBelow, node: NodeState | None) -> float | None:
    value = metrics_of(node.output).get(trigger.metric) if node is not None else None
    return value if value is not None and value < trigger.threshold else None


def observe(
    draft: Draft,
    policy: RuntimePolicy,
    policy_id: str,
    event: Event | None,
    node: NodeState | None,
    mark: str | None = None,
) -> JsonObject | None:
    """What the condition has read where it holds, {} where there is none; None where it does not hold.

    A condition that cannot be evaluated does not hold, and a line in the log says so. With a `mark`, a condition that
    does not hold is recorded, so that it is not asked again.
    """
    if policy.watched.condition is None:
        return {}
    detail: JsonObject | None = {"mark": mark} if mark is not None else None
    try:
        verdict = compiled(policy.watched.condition).check(
            condition_context(draft.state, event, node), draft.allowance
        )
    except ConditionFailed as failure:
        text = f"policy {policy_id} was not fired, since its condition cannot be evaluated: {failure}"
        draft.add(new_events.log(text, level="warning", node_id=node.id if node else None, detail=detail))
        return None
    if not verdict.holds and detail is not None:
        text = f"policy {policy_id} was not fired: its condition does not hold"
        draft.add(new_events.log(text, node_id=node.id if node else None, detail=detail))
    return {"observed": verdict.observed} if verdict.holds else None


def act_on_decision(draft: Draft, request: RequestState, *, approved: bool) -> bool:
    """Do what the policy that has asked says of the decision; whether it says anything.

    A node that has failed for good and is approved runs once more, as the answer to its own request would have it.
    """
    if request.subject != "policy" or draft.state.finished:
        return False
    asked: JsonObject = request.payload.get("additionalContext") or {}
    found = next(
        (each for name, each in named_policies(draft.state) if name == asked.get("policyId") and each.asks),
        None,
    )
    if found is None or found.asks is None:
        return False
    step = step_of(found.asks.approve_action if approved else found.asks.reject_action)
    node = draft.state.nodes.get(request.node_id or "")
    if step is None and approved and node is not None and node.status == FAILED:
        step = Retry(type="retry")
    if step is None:
        return False
    decision = "approved" if approved else "rejected"
    cause: JsonObject = {"event": "decision", "requestId": request.id, "decision": decision}
    if request.node_id is not None:
        cause["nodeId"] = request.node_id
    firing = Firing(
        asked["policyId"],
        found,
        cause,
        request.node_id,
        f"the decision {decision}",
        complaint=(node.id,) if node is not None and not approved else (),
        words=draft.state.requests[request.id].note,
    )
    take(draft, firing, step)
    return True
