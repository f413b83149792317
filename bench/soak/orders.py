"""What the customers of a soak ask for, what they do meanwhile, and what they expect to get."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import jsonschema

from bench.soak import actions
from bench.soak.actions import Action
from schemas.contract_schema import effective_schema
from tests.support.linkedin import VARIANTS, example, with_inputs


@dataclass(frozen=True, slots=True)
class Order:
    """An envelope, what its customer does at each frame, and the statuses in which its run may end."""

    envelope: dict[str, Any]
    action: Action = actions.approve
    statuses: tuple[str, ...] = ("completed",)

    def fault_of(self, complete: dict[str, Any]) -> str | None:
        """What is wrong with this `complete` frame; None when it is as it should be."""
        payload = complete["payload"]
        if payload["status"] not in self.statuses:
            wanted = " or ".join(self.statuses)
            return f"ended {payload['status']} instead of {wanted}: {payload.get('error')}"
        if payload["status"] != "completed":
            return None
        try:
            # A library that the engine does not use.
            jsonschema.validate(payload["output"], effective_schema(self.envelope["outputContract"]))
        except jsonschema.ValidationError as error:
            return f"completed with an output that its contract refuses: {error.message}"
        return None


_EXPIRES_SECONDS = 1.5
_DEADLINE_SECONDS = 3.0

_RULES: tuple[tuple[float, dict[str, Any], dict[str, Any], Action, tuple[str, ...]], ...] = (
    # share, policies, constraints, action, statuses
    (0.15, {"requiresHitlApproval": True}, {}, actions.approve, ("completed",)),
    (0.08, {"requiresHitlApproval": True, "hitl": {"quorum": 2}}, {}, actions.approve_as_two, ("completed",)),
    (
        0.06,
        {"requiresHitlApproval": True, "hitl": {"onReject": "rerun"}},
        {},
        actions.reject_once,
        ("completed",),
    ),
    (
        0.06,
        {
            "requiresHitlApproval": True,
            "hitl": {"expiresInSeconds": _EXPIRES_SECONDS, "onExpiry": "approve"},
        },
        {},
        actions.wait,
        ("completed",),
    ),
    (0.04, {"requiresHitlApproval": True}, {"deadlineSeconds": _DEADLINE_SECONDS}, actions.wait, ("failed",)),
    (0.08, {}, {}, actions.abort, ("aborted", "completed")),
    (0.08, {}, {}, actions.pause_for_a_moment, ("completed",)),
    (0.06, {"humanReview": True}, {}, actions.do_the_task, ("completed",)),
)


def next_order(chance: Random) -> Order:
    """Mostly posts in 1 to 6 variants, under all kinds of rules; a flat record; now and then what cannot be done."""
    kind = chance.random()
    if kind < 0.05:
        return Order(example("infeasible"), statuses=("failed",))
    if kind < 0.15:
        return Order(example("linkedin-flat-record"))
    envelope = with_inputs(VARIANTS, variantCount=chance.randint(1, 6))
    below = 0.15
    for share, policies, constraints, action, statuses in _RULES:
        below += share
        if kind < below:
            envelope["policies"] = {**envelope.get("policies", {}), **policies}
            envelope["constraints"] = {**envelope.get("constraints", {}), **constraints}
            return Order(envelope, action, statuses)
    return Order(envelope)
