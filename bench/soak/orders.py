"""What the customers of a soak ask for, and what they expect to get."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import jsonschema

from schemas.contract_schema import effective_schema
from tests.support.linkedin import VARIANTS, example, with_inputs


@dataclass(frozen=True, slots=True)
class Order:
    """An envelope and the status in which its run must end."""

    envelope: dict[str, Any]
    status: str = "completed"

    def fault_of(self, complete: dict[str, Any]) -> str | None:
        """What is wrong with this `complete` frame; None when it is as it should be."""
        payload = complete["payload"]
        if payload["status"] != self.status:
            return f"ended {payload['status']} instead of {self.status}: {payload.get('error')}"
        if self.status != "completed":
            return None
        try:
            # A library that the engine does not use.
            jsonschema.validate(payload["output"], effective_schema(self.envelope["outputContract"]))
        except jsonschema.ValidationError as error:
            return f"completed with an output that its contract refuses: {error.message}"
        return None


def next_order(chance: Random) -> Order:
    """Mostly posts in 1 to 6 variants, some to be approved; a flat record; now and then what nobody can do."""
    kind = chance.random()
    if kind < 0.05:
        return Order(example("infeasible"), "failed")
    if kind < 0.20:
        return Order(example("linkedin-flat-record"))
    envelope = with_inputs(VARIANTS, variantCount=chance.randint(1, 6))
    if kind < 0.40:
        envelope["policies"] = {**envelope.get("policies", {}), "requiresHitlApproval": True}
    return Order(envelope)
