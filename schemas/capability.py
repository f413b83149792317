"""What a capability says about itself when it registers."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.base import AS_SENT, JsonSchema, OpenModel, Reference
from schemas.plan import CapabilityId, Label, NodeKind

AgentType = Literal["ai", "human", "service"]

FacetName = Reference
QueueName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")]

MAX_TIMEOUT_SECONDS = 24 * 3600


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
    timeout_seconds: Annotated[float, Field(gt=0, le=MAX_TIMEOUT_SECONDS), AS_SENT] | None = None
    queue: QueueName = "default"
    description: Annotated[str, StringConstraints(max_length=10_000)] = ""
