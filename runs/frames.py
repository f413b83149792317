"""What the wire shows of an event beyond its payload in the log: derived from the event alone, each time it is shown.

Some readers want the same facts in another shape: the operator screens that were there before flexrun read
`payload.plan` and `payload.request`. Nothing of that is stored, so the log holds a plan once, and runs of any age show
it. Nothing but the event may be read here: a frame has the same bytes for every reader.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runs.accepted_responses import accepted_responses, response_schema
from runs.event import Event, Json, JsonObject, rfc3339
from runs.transitions import PENDING
from schemas.canonical import canonical_json
from schemas.vocabulary import EventType, NodeKind, OriginAgent, RequestSubject

_SCREEN_NODE = ("id", "capabilityId", "label", "kind", "status")
_ORIGINS: dict[NodeKind, OriginAgent] = {"structuring": "strategy", "routing": "strategy", "validation": "qa"}
_WITHOUT_NODE: dict[RequestSubject, OriginAgent] = {"output": "qa", "policy": "strategy", "plan": "strategy"}


def frame(event: Event) -> JsonObject:
    """The FlexEvent as the wire shows it; keys that do not apply are left out."""
    facts = {
        "nodeId": event.node_id,
        "correlationId": event.correlation_id,
        "planVersion": event.plan_version,
        "message": event.message,
    }
    render = _RENDERED.get(event.type) if not event.erased else None
    return {
        "type": event.type,
        "id": str(event.seq),
        "timestamp": rfc3339(event.recorded_at),
        "runId": event.run_id,
        **{name: fact for name, fact in facts.items() if fact is not None},
        "payload": render(event) if render is not None else event.payload,
    }


def origin_agent(subject: RequestSubject, node_kind: NodeKind | None) -> OriginAgent:
    """`strategy`, `generation` or `qa`: which of the three agents that the screens know has asked."""
    if node_kind is None:
        return _WITHOUT_NODE.get(subject, "generation")
    return _ORIGINS.get(node_kind, "generation")


def screen_question(payload: JsonObject) -> JsonObject:
    """A question as the screens read it; its context is a text there."""
    context: Json = payload.get("additionalContext")
    return {
        "question": payload["question"],
        "kind": payload["kind"],
        "options": payload.get("options") or [],
        "allowFreeForm": bool(payload.get("allowFreeForm")),
        "urgency": payload.get("urgency", "normal"),
        "additionalContext": context if isinstance(context, str | None) else canonical_json(context).decode(),
    }


def _plan(event: Event) -> JsonObject:
    payload = event.payload
    difference: JsonObject = payload.get("difference") or {}
    kept = {each["id"]: each["status"] for each in difference.get("kept", ())}
    nodes: list[JsonObject] = [{"status": kept.get(node["id"], PENDING), **node} for node in payload["nodes"]]
    metadata: Any = payload.get("metadata") or (event.detail or {}).get("plan", {}).get("metadata")
    plan: JsonObject = {
        "runId": event.run_id,
        "version": payload["version"],
        "nodes": [{key: node.get(key) for key in _SCREEN_NODE} for node in nodes],
        "metadata": metadata or {},
    }
    return {**payload, "nodes": nodes, "plan": plan}


def _question(event: Event) -> JsonObject:
    payload, detail = event.payload, event.detail or {}
    subject: RequestSubject = detail.get("subject", "")
    answers = accepted_responses(subject, payload)
    request: JsonObject = {
        "id": payload["requestId"],
        "originAgent": payload.get("originAgent") or origin_agent(subject, None),
        "createdAt": rfc3339(event.recorded_at),
        "payload": screen_question(payload),
        "pendingNodeId": event.node_id,
        "operatorPrompt": answers.prompt(),
        "contractSummary": _contract_summary(event, detail),
    }
    schema = response_schema(answers, detail.get("contract"))
    return {**payload, "responseSchema": schema, "request": request}


def _contract_summary(event: Event, detail: JsonObject) -> JsonObject | None:
    """The node that asks, and what its output or the run's must keep; None where neither is known."""
    facts: JsonObject = dict(detail.get("asker") or {})
    if "contract" in detail:
        facts["contract"] = {"output": {"mode": "json_schema", "schema": detail["contract"]}}
    return {**facts, "planVersion": event.plan_version} if facts else None


_RENDERED: dict[EventType, Callable[[Event], JsonObject]] = {
    "plan_generated": _plan,
    "plan_updated": _plan,
    "hitl_request": _question,
}
