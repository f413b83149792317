"""The runs that are measured."""

from __future__ import annotations

from typing import Any

import orjson

_VARIANT = {
    "type": "object",
    "required": ["headline", "body", "callToAction"],
    "properties": {
        "headline": {"type": "string", "minLength": 5, "maxLength": 120},
        "body": {"type": "string", "minLength": 20},
        "callToAction": {"type": "string", "minLength": 3},
    },
}
_SCHEMA = {
    "type": "object",
    "required": ["variants"],
    "additionalProperties": False,
    "properties": {"variants": {"type": "array", "minItems": 1, "maxItems": 1, "items": _VARIANT}},
}

NODES = 3
"""What the plan of `three_nodes` must have: brief, one draft, review."""


def three_nodes(**policies: Any) -> bytes:
    """The smallest real run: a brief, one draft, a review, delivered as the material is."""
    company = {
        "companyName": "Northwind Robotics",
        "coreValue": "Machines that explain themselves",
        "recentEvent": "opening of the Ghent test hall",
    }
    return orjson.dumps(
        {
            "objective": "Create a LinkedIn post that invites platform engineers to Northwind's open day",
            "inputs": {
                "channel": "linkedin",
                "goal": "attract_new_employees",
                "audience": "platform engineers",
                "variantCount": 1,
                "contextBundles": [{"type": "company_profile", "payload": company}],
            },
            "policies": {"brandVoice": "inspiring", **policies},
            "specialInstructions": ["Highlight team culture."],
            "metadata": {"clientId": "bench", "runLabel": "three-nodes"},
            "outputContract": {"mode": "json_schema", "schema": _SCHEMA},
        }
    )


def waiting_for_approval() -> bytes:
    """The same run, which stops before its delivery until a person approves: it stays open."""
    return three_nodes(requiresHitlApproval=True)
