"""Runtime policies: rules of the envelope that watch the run's own events.

`policies.runtime` is a list of `{id, trigger, action}`. A trigger is an event type (`"plan_generated"`,
`"node_complete"`, `"node_error"`, `"validation_error"`) or an object `{event, nodeId?, capabilityId?, kind?}` of which
all that is given must fit. An action is `"hitl"`, `"fail"` or `"log"`, or an object `{type, question?, hitl?}`. A
policy that asks holds back what comes after the event (see `runs.settle.held_nodes`) until somebody has decided.
"""

from __future__ import annotations

from typing import cast

from runs.draft import Draft
from runs.event import Event, Json, JsonObject
from runs.rules.asking import ask, hitl_rules

WATCHED = frozenset({"plan_generated", "plan_updated", "node_complete", "node_error", "validation_error"})


def apply_policies(draft: Draft) -> None:
    """Let the envelope's policies react to the draft's events."""
    policies: JsonObject = draft.state.envelope.get("policies") or {}
    rules: list[JsonObject] = policies.get("runtime") or []
    if not rules:
        return
    for event in list(draft.events):
        if event.type not in WATCHED or "origin" in (event.detail or {}):
            continue
        for number, policy in enumerate(rules, start=1):
            if not draft.state.finished and _fits(policy.get("trigger"), event, draft):
                _react(draft, policy, str(policy.get("id") or f"policy-{number}"), event)


def _fits(trigger: Json, event: Event, draft: Draft) -> bool:
    if isinstance(trigger, str):
        return trigger == event.type
    if not isinstance(trigger, dict):
        return False
    wanted = cast(JsonObject, trigger)
    node = draft.state.nodes.get(event.node_id or "")
    facts = {
        "event": event.type,
        "nodeId": event.node_id,
        "capabilityId": node.capability_id if node else None,
        "kind": node.kind if node else None,
    }
    return "event" in wanted and all(facts.get(key) == value for key, value in wanted.items() if key in facts)


def _react(draft: Draft, policy: JsonObject, policy_id: str, event: Event) -> None:
    given = policy.get("action")
    action = cast(JsonObject, given) if isinstance(given, dict) else {"type": given}
    payload: JsonObject = {"policyId": policy_id, "trigger": policy["trigger"], "action": given}
    message = f"policy {policy_id} reacted to {event.type}"
    draft.add("policy_triggered", payload, node_id=event.node_id, message=message)
    if action.get("type") == "fail":
        draft.fail_run("policy_failed", message, {"policyId": policy_id, "nodeId": event.node_id})
    elif action.get("type") == "hitl":
        ask(
            draft,
            kind="approval",
            subject="policy",
            node_id=event.node_id,
            question=action.get("question") or f"Policy {policy_id}: {event.type} needs approval. Go on?",
            rules={**hitl_rules(draft.state), **(action.get("hitl") or {})},
            context={"policyId": policy_id, "event": event.type, "payload": event.payload},
        )
