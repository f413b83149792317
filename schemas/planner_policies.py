"""`policies.planner`: what a plan must and must not have, and what it is chosen by. The contract planner obeys it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.base import OpenModel, Reference
from schemas.vocabulary import NodeKind

MAX_VARIANTS = 6
MAX_SELECTED = 100

PLANNED_BY = ("topology", "selection", "optimisation")
"""What a plan is looked for by; directives are for the capabilities."""

Selected = Annotated[list[Reference], Field(max_length=MAX_SELECTED)]
"""Ids of capabilities, tags of them, or types of homes."""

Weight = Annotated[float, Field(ge=0, le=1_000_000)]


class Topology(OpenModel):
    """The shape of a plan: variants of what may be made more than once, nodes one after the other, nodes, kinds."""

    variant_count: Annotated[int, Field(ge=1, le=MAX_VARIANTS)] | None = None
    max_depth: Annotated[int, Field(ge=1, le=1_000)] | None = None
    max_nodes: Annotated[int, Field(ge=1, le=1_000)] | None = None
    required_kinds: Annotated[list[NodeKind], Field(max_length=10)] = Field(default_factory=list[NodeKind])
    forbidden_kinds: Annotated[list[NodeKind], Field(max_length=10)] = Field(default_factory=list[NodeKind])


class Selection(OpenModel):
    """Capabilities that a plan must use, must not use, uses before others, and uses only where it must."""

    require: Selected = Field(default_factory=list[str])
    forbid: Selected = Field(default_factory=list[str])
    prefer: Selected = Field(default_factory=list[str])
    avoid: Selected = Field(default_factory=list[str])


class Weights(OpenModel):
    """What a unit of money, a second, a token and a node count for, against each other."""

    money: Weight = 0
    seconds: Weight = 0
    tokens: Weight = 0
    steps: Weight = 0


class Optimisation(OpenModel):
    """What the cheapest plan is the cheapest in. Descriptors say nothing of quality and diversity: these are `cost`."""

    objective: Literal["speed", "quality", "diversity", "token_efficiency", "cost"] = "cost"
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    weights: Weights | None = None


class PlannerPolicies(OpenModel):
    """The rules under which a plan is looked for; all may be left out."""

    topology: Topology = Field(default_factory=Topology)
    selection: Selection = Field(default_factory=Selection)
    optimisation: Optimisation = Field(default_factory=Optimisation)
    directives: dict[str, Any] = Field(default_factory=dict[str, Any])
