"""Capabilities of people: registered so that plans may name them; a worker starts such a node, a person does it."""

from __future__ import annotations

from schemas.capability import CapabilityDescriptor
from schemas.homes import HumanHome

HUMAN_REVIEW = CapabilityDescriptor(
    id="human.review",
    version="1",
    label="Human review",
    kind="validation",
    agent_type="human",
    home=HumanHome(),
    description="A person looks at what other nodes have made. The run waits until then.",
    output_schema={
        "type": "object",
        "required": ["approved", "comments"],
        "additionalProperties": False,
        "properties": {
            "approved": {"type": "boolean"},
            "comments": {"type": "string", "maxLength": 10_000},
        },
    },
)


def human_capabilities() -> list[CapabilityDescriptor]:
    """The descriptors of what people can do in a plan."""
    return [HUMAN_REVIEW]
