"""Runtime policies: rules of the envelope that watch the run's own events.

`policies.runtime` is a list of `{id?, trigger, action}`, see `schemas.policies.RuntimePolicy`. Of a trigger that is an
object all that is given must fit. A policy that asks holds back what comes after the event (see
`runs.settle.blocked_nodes`) until it is decided.
"""

from __future__ import annotations

from runs import new_events
from runs.draft import Draft
from runs.event import Event
from runs.event_data import ReuseOrigin
from runs.rules.requests import add_request
from schemas.policies import RuntimePolicy, Trigger
from schemas.vocabulary import WATCHED_EVENTS


def apply_policies(draft: Draft) -> None:
    """Let the envelope's policies react to the draft's events."""
    rules = draft.state.policies.runtime
    if not rules:
        return
    for event in list(draft.events):
        if event.type not in WATCHED_EVENTS:
            continue
        for number, policy in enumerate(rules, start=1):
            policy_id = policy.id or f"policy-{number}"
            if draft.state.finished or not _fits(policy.watched, event, draft):
                continue
            if not _settled(policy, policy_id, event):
                _react(draft, policy, policy_id, event)


def _settled(policy: RuntimePolicy, policy_id: str, event: Event) -> bool:
    """Whether this output was taken over from another run in which people have approved it, or were not to be asked."""
    origin: ReuseOrigin | None = (event.detail or {}).get("origin")
    if origin is None:
        return False
    return policy.taken.type != "hitl" or policy_id in origin.get("approved", ())


def _fits(trigger: Trigger, event: Event, draft: Draft) -> bool:
    # A fork's first plan may be one that another plan was changed into, which is what such a policy is about.
    updated = event.type == "plan_generated" and "forkedFromUpdate" in draft.state.plan_metadata
    if trigger.event != event.type and not (updated and trigger.event == "plan_updated"):
        return False
    node = draft.state.nodes.get(event.node_id or "")
    facts = (
        (trigger.node_id, event.node_id),
        (trigger.capability_id, node.capability_id if node else None),
        (trigger.kind, node.kind if node else None),
    )
    return all(wanted is None or wanted == found for wanted, found in facts)


def _react(draft: Draft, policy: RuntimePolicy, policy_id: str, event: Event) -> None:
    sent = policy.to_wire()
    message = f"policy {policy_id} reacted to {event.type}"
    draft.add(
        new_events.policy_triggered(
            policy_id,
            trigger=sent["trigger"],
            action=sent["action"],
            node_id=event.node_id,
            message=message,
        )
    )
    action = policy.taken
    if action.type == "fail":
        draft.fail_run("policy_failed", message, {"policyId": policy_id, "nodeId": event.node_id})
    elif action.type == "hitl":
        base = draft.state.policies.hitl
        add_request(
            draft,
            kind="approval",
            subject="policy",
            node_id=event.node_id,
            question=action.question or f"Policy {policy_id}: {event.type} needs approval. Go on?",
            rules=(action.hitl.over(base) if action.hitl else base).to_wire(),
            context={"policyId": policy_id, "event": event.type, "eventId": str(event.seq)},
        )
