"""Documents that several tests use: good ones, and bad ones with what is wrong in them."""

from pathlib import Path
from typing import Any

from schemas.vocabulary import EventType

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.json"))
CONTRACT: dict[str, Any] = {"schema": {"type": "object"}}


def envelope(**keys: Any) -> dict[str, Any]:
    return {"objective": "Write a post", "outputContract": CONTRACT} | keys


LOGGED: dict[str, Any] = {"trigger": "node_error", "action": "log"}


def asking(**hitl: Any) -> dict[str, Any]:
    """Keys of an envelope whose one runtime policy asks people under rules of its own."""
    return {"policies": {"runtime": [LOGGED | {"action": {"type": "hitl", "hitl": hitl}}]}}


# Keys of an envelope that make it bad, the code of the problem, and its place.
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"objective": ""}, "too_short", "/objective"),
    ({"objective": " \t\u00a0\n"}, "blank", "/objective"),
    ({"objective": "x" * 10_001}, "too_long", "/objective"),
    ({"objective": 7}, "wrong_type", "/objective"),
    ({"objective": None}, "wrong_type", "/objective"),
    ({"objectiv": "x"}, "unknown_key", "/objectiv"),
    ({"special_instructions": []}, "unknown_key", "/special_instructions"),
    ({"a/b~c": 1}, "unknown_key", "/a~1b~0c"),
    ({"": 1}, "unknown_key", "/"),
    ({"?json_schema": 1}, "unknown_key", "/?json_schema"),
    ({"json_schema": 1}, "unknown_key", "/json_schema"),
    ({"inputs": []}, "wrong_type", "/inputs"),
    ({"inputs": None}, "wrong_type", "/inputs"),
    ({"constraints": "none"}, "wrong_type", "/constraints"),
    ({"constraints": {"requiresHitlApproval": "yes"}}, "wrong_type", "/constraints/requiresHitlApproval"),
    ({"constraints": {"requiresHitlApproval": 1}}, "wrong_type", "/constraints/requiresHitlApproval"),
    ({"constraints": {"requires_hitl_approval": True}}, "unknown_key", "/constraints/requires_hitl_approval"),
    ({"constraints": {"deadlineSeconds": 0}}, "out_of_range", "/constraints/deadlineSeconds"),
    ({"constraints": {"deadlineSeconds": -0.5}}, "out_of_range", "/constraints/deadlineSeconds"),
    ({"constraints": {"deadlineSeconds": 1e300}}, "out_of_range", "/constraints/deadlineSeconds"),
    ({"constraints": {"deadlineSeconds": "60"}}, "wrong_type", "/constraints/deadlineSeconds"),
    ({"constraints": {"deadlineSeconds": True}}, "wrong_type", "/constraints/deadlineSeconds"),
    ({"constraints": {"threadId": ""}}, "too_short", "/constraints/threadId"),
    ({"constraints": {"threadId": "x" * 201}}, "too_long", "/constraints/threadId"),
    ({"constraints": {"resumeRunId": 12}}, "wrong_type", "/constraints/resumeRunId"),
    ({"policies": []}, "wrong_type", "/policies"),
    ({"policies": {"planner": 3}}, "wrong_type", "/policies/planner"),
    ({"policies": {"runtime": {}}}, "wrong_type", "/policies/runtime"),
    ({"policies": {"runtime": [LOGGED, "hitl"]}}, "wrong_type", "/policies/runtime/1"),
    ({"policies": {"runtime": [LOGGED | {"action": 1}]}}, "wrong_type", "/policies/runtime/0/action"),
    ({"policies": {"runtime": [{"action": "log"}]}}, "missing", "/policies/runtime/0/trigger"),
    ({"policies": {"runtime": [{"trigger": "node_error"}]}}, "missing", "/policies/runtime/0/action"),
    ({"policies": {"runtime": [LOGGED | {"trigger": 1}]}}, "wrong_type", "/policies/runtime/0/trigger"),
    ({"policies": {"runtime": [LOGGED | {"weight": 1}]}}, "unknown_key", "/policies/runtime/0/weight"),
    ({"policies": {"runtime": [LOGGED | {"trigger": {}}]}}, "missing", "/policies/runtime/0/trigger/event"),
    (
        {"policies": {"runtime": [LOGGED | {"trigger": {"event": "plan_generated", "nodeId": "a"}}]}},
        "contradiction",
        "/policies/runtime/0/trigger/nodeId",
    ),
    (
        {"policies": {"runtime": [LOGGED | {"action": {"type": "log", "hitl": {}}}]}},
        "unknown_key",
        "/policies/runtime/0/action/hitl",
    ),
    (asking(quorum=0), "out_of_range", "/policies/runtime/0/action/hitl/quorum"),
    (asking(approvers="bob"), "wrong_type", "/policies/runtime/0/action/hitl/approvers"),
    (asking(expiresInSeconds="x"), "wrong_type", "/policies/runtime/0/action/hitl/expiresInSeconds"),
    (asking(onExpiry="escalate"), "missing", "/policies/runtime/0/action/hitl/escalateTo"),
    ({"policies": {"maxAttempts": 0}}, "out_of_range", "/policies/maxAttempts"),
    ({"policies": {"maxAttempts": 2.5}}, "wrong_type", "/policies/maxAttempts"),
    ({"policies": {"fallback": "hope"}}, "not_allowed", "/policies/fallback"),
    ({"policies": {"humanReview": "yes"}}, "wrong_type", "/policies/humanReview"),
    ({"policies": {f"own {n}": n for n in range(201)}}, "too_long", "/policies"),
    ({"policies": {"requiresHITLApproval": True}}, "unknown_key", "/policies/requiresHITLApproval"),
    ({"policies": {"approvers": ["ann"]}}, "unknown_key", "/policies/approvers"),
    (
        {"policies": {"planner": {"directives": {"requiresHitlApproval": "yes"}}}},
        "wrong_type",
        "/policies/planner/directives/requiresHitlApproval",
    ),
    (
        {"policies": {"planner": {"directives": {"requireHitlApproval": True}}}},
        "unknown_key",
        "/policies/planner/directives/requireHitlApproval",
    ),
    ({"policies": {"hitl": {"room": 7}}}, "unknown_key", "/policies/hitl/room"),
    ({"constraints": {"bugdet": {"euro": 3}}}, "unknown_key", "/constraints/bugdet"),
    ({"policies": {"requiresHitlApproval": "no"}}, "wrong_type", "/policies/requiresHitlApproval"),
    ({"policies": {"hitl": "always"}}, "wrong_type", "/policies/hitl"),
    ({"policies": {"hitl": {"quorum": 0}}}, "out_of_range", "/policies/hitl/quorum"),
    ({"policies": {"hitl": {"quorum": "two"}}}, "wrong_type", "/policies/hitl/quorum"),
    ({"policies": {"hitl": {"approvers": "ann"}}}, "wrong_type", "/policies/hitl/approvers"),
    ({"policies": {"hitl": {"expiresInSeconds": "1h"}}}, "wrong_type", "/policies/hitl/expiresInSeconds"),
    ({"policies": {"hitl": {"expiresInSeconds": 1e12}}}, "out_of_range", "/policies/hitl/expiresInSeconds"),
    ({"policies": {"hitl": {"onReject": None}}}, "not_allowed", "/policies/hitl/onReject"),
    ({"policies": {"hitl": {"onExpiry": "shrug"}}}, "not_allowed", "/policies/hitl/onExpiry"),
    ({"policies": {"hitl": {"onExpiry": "escalate"}}}, "missing", "/policies/hitl/escalateTo"),
    ({"policies": {"hitl": {"forbidSubmitter": "yes"}}}, "wrong_type", "/policies/hitl/forbidSubmitter"),
    ({"specialInstructions": "be nice"}, "wrong_type", "/specialInstructions"),
    ({"specialInstructions": ["a", 2]}, "wrong_type", "/specialInstructions/1"),
    ({"specialInstructions": ["a"] * 101}, "too_long", "/specialInstructions"),
    ({"metadata": {"clientId": {}}}, "wrong_type", "/metadata/clientId"),
    ({"metadata": {"correlationId": "a\r\nSet-Cookie: b"}}, "bad_format", "/metadata/correlationId"),
    ({"outputContract": None}, "wrong_type", "/outputContract"),
    ({"outputContract": [CONTRACT]}, "wrong_type", "/outputContract"),
    ({"outputContract": {}}, "missing", "/outputContract/mode"),
    ({"outputContract": {"facets": ["post_copy"]}}, "missing", "/outputContract/mode"),
    ({"outputContract": {"mode": "xml"}}, "unknown_mode", "/outputContract/mode"),
    ({"outputContract": {"mode": None, "schema": {}}}, "unknown_mode", "/outputContract/mode"),
    ({"outputContract": {"mode": ["facets"]}}, "unknown_mode", "/outputContract/mode"),
    ({"outputContract": {"mode": "json_schema"}}, "missing", "/outputContract/schema"),
    ({"outputContract": {"schema": "object"}}, "wrong_type", "/outputContract/schema"),
    ({"outputContract": {"schema": None}}, "wrong_type", "/outputContract/schema"),
    ({"outputContract": {"schema": {}, "hints": 1}}, "wrong_type", "/outputContract/hints"),
    ({"outputContract": {"schema": {}, "hint": {}}}, "unknown_key", "/outputContract/hint"),
    ({"outputContract": {"mode": "freeform"}}, "missing", "/outputContract/instructions"),
    ({"outputContract": {"mode": "freeform", "instructions": " "}}, "blank", "/outputContract/instructions"),
    ({"outputContract": {"mode": "facets"}}, "missing", "/outputContract/facets"),
    ({"outputContract": {"mode": "facets", "facets": []}}, "too_short", "/outputContract/facets"),
    ({"outputContract": {"mode": "facets", "facets": ["a", ""]}}, "too_short", "/outputContract/facets/1"),
    (
        {"outputContract": {"mode": "facets", "facets": ["a", "b", "a"]}},
        "not_unique",
        "/outputContract/facets/2",
    ),
    ({"inputs": {"a": ["b", "c\0"]}}, "nul_character", "/inputs/a/1"),
    ({"metadata": {"runLabel": "\0"}}, "nul_character", "/metadata/runLabel"),
    ({"inputs": {"a": {"k\0": 1}}}, "nul_character", "/inputs/a"),
]


RUN_ID = "01982b6e-7c1d-7a33-9d7e-2f4f6f0f5a11"
NODES = [{"id": "a", "capabilityId": "stub.a", "kind": "execution", "label": "A", "dependsOn": []}]
ERROR = {"code": "boom", "message": "It broke"}
CONTRACT_ERROR = {
    "instancePath": "/variants",
    "keyword": "minItems",
    "message": "must NOT have fewer than 2 items",
    "params": {"limit": 2},
    "schemaPath": "#/properties/variants/minItems",
}

PAYLOAD_OF: dict[EventType, dict[str, Any]] = {
    "start": {"runId": RUN_ID, "threadId": None, "objective": "x", "schemaHash": "ab" * 32},
    "plan_requested": {"attempt": 1, "planner": "rules", "capabilityCount": 5},
    "plan_rejected": {"attempt": 1, "diagnostics": [{"code": "no_plan", "message": "Cannot", "path": ""}]},
    "plan_generated": {"version": 1, "nodes": NODES, "edges": [{"from": "a", "to": "b"}], "metadata": {}},
    "plan_updated": {"previousVersion": 1, "version": 2, "trigger": "retry", "nodes": NODES, "edges": []},
    "node_start": {"capabilityId": "stub.a", "label": "A", "attempt": 1, "executorType": "ai"},
    "node_complete": {"capabilityId": "stub.a", "attempt": 1, "output": None, "durationMs": 3},
    "node_error": {
        "capabilityId": "stub.a",
        "attempt": 1,
        "error": ERROR,
        "willRetry": True,
        "nextAttemptAt": "2026-11-22T12:00:00.123Z",
    },
    "validation_error": {"scope": "final", "attempt": 1, "errors": [CONTRACT_ERROR]},
    "hitl_request": {
        "requestId": "q1",
        "kind": "choice",
        "question": "Which one?",
        "options": [{"id": "a", "label": "The first"}],
        "allowFreeForm": False,
        "urgency": "normal",
        "additionalContext": None,
        "pendingOutput": {"any": "thing"},
        "expiresAt": "2026-11-23T12:00:00Z",
    },
    "hitl_expiring": {
        "requestId": "q1",
        "question": "Which?",
        "urgency": "high",
        "expiresAt": "2026-11-22T12:00:00.123Z",
        "onExpiry": "escalate",
    },
    "hitl_resolved": {"requestId": "q1", "decision": "approved", "operator": "ada", "note": ""},
    "run_paused": {"reason": "lunch", "operator": {"id": "u1"}},
    "run_resumed": {"reason": None, "operator": None},
    "priority_changed": {"reason": None, "operator": "ada", "priority": "high"},
    "policy_triggered": {"policyId": "p", "trigger": {"kind": "cost"}, "action": "hitl"},
    "log": {"level": "info", "message": "hello"},
    "complete": {"status": "completed", "output": {"variants": []}},
}


def frame(event_type: str, payload: Any, **keys: Any) -> dict[str, Any]:
    return {
        "type": event_type,
        "id": "1",
        "timestamp": "2026-11-22T12:00:00Z",
        "runId": RUN_ID,
        "payload": payload,
    } | keys
