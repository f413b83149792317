"""Making the nodes of a plan: queue and kind from the capability, attempts and fallback from the policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner.planner import JsonObject, PlanRefused, diagnostic
from planner.text import as_object

DEFAULT_MAX_ATTEMPTS = 3
MAX_ATTEMPTS = 100
FALLBACKS = ("retry", "hitl", "abort")


@dataclass(frozen=True, slots=True)
class NodeFactory:
    """Makes plan nodes in wire form; `descriptors` by capability id."""

    descriptors: Mapping[str, JsonObject]
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    fallback: str = "retry"

    def node(
        self,
        *,
        node_id: str,
        capability_id: str,
        label: str,
        depends_on: Sequence[str],
        output: Any,
        expectations: Sequence[str],
        bundle: JsonObject,
    ) -> JsonObject:
        """A node for a registered capability; kind, queue and agent type are those of its descriptor."""
        descriptor = self.descriptors[capability_id]
        return {
            "id": node_id,
            "capabilityId": capability_id,
            "kind": descriptor.get("kind") or "execution",
            "label": label,
            "dependsOn": list(depends_on),
            "contract": {
                "output": output,
                "expectations": list(expectations),
                "maxAttempts": self.max_attempts,
                "fallback": self.fallback,
                **_time_for_people(descriptor),
            },
            "bundle": bundle,
            "queue": descriptor.get("queue") or "default",
            "agentType": descriptor.get("agentType") or "ai",
            **_pinned(descriptor),
        }


def _time_for_people(descriptor: JsonObject) -> JsonObject:
    """A person's time is that of the plan: no process runs the attempt and looks into the descriptor."""
    seconds = descriptor.get("timeoutSeconds")
    return {"timeoutSeconds": seconds} if seconds and descriptor.get("agentType") == "human" else {}


def _pinned(descriptor: JsonObject) -> JsonObject:
    """The version that the plan is made for, and that it must not run twice; nothing where there is nothing to say."""
    pinned: JsonObject = {}
    if descriptor.get("version"):
        pinned["capabilityVersion"] = descriptor["version"]
    if descriptor.get("idempotent") is False:
        pinned["idempotent"] = False
    return pinned


def read_node_factory(envelope: JsonObject, descriptors: Mapping[str, JsonObject]) -> NodeFactory:
    """`policies.maxAttempts` and `policies.fallback`, which hold for every node. Raises PlanRefused."""
    policies = as_object(envelope.get("policies"))
    attempts, fallback = policies.get("maxAttempts"), policies.get("fallback")
    problems: list[JsonObject] = []
    if attempts is not None and (type(attempts) is not int or not 1 <= attempts <= MAX_ATTEMPTS):
        message = f"maxAttempts is a whole number from 1 to {MAX_ATTEMPTS}."
        problems.append(diagnostic("policy_invalid", message, "/policies/maxAttempts"))
    if fallback is not None and fallback not in FALLBACKS:
        message = f"fallback is one of {', '.join(FALLBACKS)}."
        problems.append(diagnostic("policy_invalid", message, "/policies/fallback"))
    if problems:
        raise PlanRefused(problems)
    return NodeFactory(descriptors, attempts or DEFAULT_MAX_ATTEMPTS, fallback or "retry")
