"""Hypothesis strategies: rules that are right, nearly right, or any JSON at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from tests.schemas.strategies import JSON

NAMES = st.sampled_from(["ann", "bob", "legal", "", 7, None])


def nearly(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with some of these fields, one time in a few with any JSON in place of one, or none at all."""
    return st.fixed_dictionaries({}, optional=fields) | st.fixed_dictionaries(
        {}, optional={name: values | JSON for name, values in fields.items()}
    )


HITL = nearly(
    approvers=st.lists(st.sampled_from(["ann", "bob", "legal"]), max_size=3)
    | st.lists(NAMES, max_size=2)
    | NAMES,
    quorum=st.integers(-1, 3) | st.just("abc"),
    expiresInSeconds=st.sampled_from([1, 60, 1e308, "x", -1, True]),
    onExpiry=st.sampled_from(["reject", "approve", "escalate", "shrug"]),
    escalateTo=NAMES,
    afterEscalation=st.sampled_from(["reject", "approve", 1]),
    onReject=st.sampled_from(["fail", "replan", "rerun", 0]),
    forbidSubmitter=st.booleans() | st.just("yes"),
    urgency=st.sampled_from(["low", "high", "now"]),
    approver=NAMES,
)
EVENTS = st.sampled_from(
    ["plan_generated", "node_complete", "node_error", "validation_error", "node_completed", 3]
)
ACTIONS = st.sampled_from(["hitl", "fail", "log", "hittl"])
TRIGGERS = EVENTS | nearly(event=EVENTS, nodeId=st.sampled_from(["a", "b", ["a"]]), kind=st.just("execution"))
RUNTIME = nearly(
    id=st.sampled_from(["p", "", 1]),
    trigger=TRIGGERS,
    action=ACTIONS | nearly(type=ACTIONS, question=st.sampled_from(["Go on?", "", 5]), hitl=HITL),
)
POLICIES = JSON | nearly(
    hitl=HITL,
    runtime=st.lists(RUNTIME, max_size=3),
    requiresHitlApproval=st.booleans() | st.just("yes"),
    maxAttempts=st.integers(-1, 200),
    fallback=st.sampled_from(["retry", "hitl", "abort", "hope"]),
)
CONSTRAINTS = JSON | nearly(
    deadlineSeconds=st.sampled_from([60, 1e308, "x", -1, True]), requiresHitlApproval=st.booleans()
)
BUNDLES = nearly(
    assignees=st.lists(NAMES, max_size=3) | NAMES, inputKeys=st.lists(NAMES | JSON, max_size=3) | NAMES
)
CONTRACTS = nearly(
    maxAttempts=st.integers(-1, 200),
    fallback=st.sampled_from(["retry", "hitl", "abort", "hope"]),
    timeoutSeconds=st.sampled_from([1, 1e308, 0, "x"]),
)
_NODE: Mapping[str, st.SearchStrategy[Any]] = {
    "id": st.sampled_from(["n", "m"]),
    "capabilityId": st.just("test.a"),
    "kind": st.just("execution"),
    "label": st.just("A"),
}
NODES = st.fixed_dictionaries(
    dict(_NODE),
    optional={"contract": CONTRACTS, "bundle": BUNDLES, "agentType": st.sampled_from(["ai", "human"])},
)
FORKS = JSON | nearly(policies=POLICIES, nodes=st.lists(NODES, min_size=1, max_size=2), inputs=JSON)
