"""What a capability says about itself when it registers."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.base import JsonSchema, OpenModel, Reference
from schemas.plan import CapabilityId, Label, QueueName, TimeoutSeconds
from schemas.vocabulary import AgentType, NodeKind

FacetName = Reference


class CapabilityDescriptor(OpenModel):
    """One capability: what it does, which facets it takes and gives, and which workers serve it."""

    id: CapabilityId
    version: Annotated[str, StringConstraints(min_length=1, max_length=50)]
    label: Label
    kind: NodeKind
    agent_type: AgentType = "ai"
    facets_in: list[FacetName] = Field(default_factory=list[str])
    facets_out: list[FacetName] = Field(default_factory=list[str])
    output_schema: JsonSchema | None = None
    timeout_seconds: TimeoutSeconds | None = None
    queue: QueueName = "default"
    description: Annotated[str, StringConstraints(max_length=10_000)] = ""
