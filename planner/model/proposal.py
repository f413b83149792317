"""What a model writes: the nodes of a PlanGraph, with the capability of each and the nodes that it waits for.

All else in a node (queue, kind, contract, facets) follows from the registry, and is not the model's to say.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from outbound.models.answer import NoJson, json_in
from planner.planner import JsonObject, diagnostic
from schemas.base import Model, NodeId
from schemas.parsing import validate_document
from schemas.plan import MAX_NODES, Label
from schemas.refusal import DocumentRefused

MAX_RATIONALE = 2_000


class ProposedNode(Model):
    """One node. A capability's id is not checked by its form: whether it is registered says more."""

    id: NodeId
    capability_id: Annotated[str, StringConstraints(max_length=300)]
    label: Label
    depends_on: Annotated[list[NodeId], Field(max_length=MAX_NODES)] = Field(default_factory=list[str])


class Proposal(Model):
    """A plan as a model proposes it; `rationale` says in its words why it is this one."""

    rationale: str = ""
    nodes: Annotated[list[ProposedNode], Field(min_length=1, max_length=MAX_NODES)]


class ProposalRefused(Exception):
    """The proposal is not accepted; `diagnostics` have places in it."""

    def __init__(self, diagnostics: list[JsonObject]) -> None:
        super().__init__(f"{len(diagnostics)} problems")
        self.diagnostics = diagnostics


def read_proposal(text: str) -> Proposal:
    """The proposal in a model's answer. Raises ProposalRefused."""
    try:
        document = json_in(text)
    except NoJson:
        raise ProposalRefused([diagnostic("answer_not_json", "The answer holds no JSON.")]) from None
    try:
        return validate_document(Proposal, document)
    except DocumentRefused as refused:
        problems = [diagnostic("answer_invalid", each.message, each.pointer) for each in refused.problems]
        raise ProposalRefused(problems) from None


PROPOSAL_SCHEMA: JsonObject = {
    "type": "object",
    "description": "A plan: a graph of nodes without cycles.",
    "required": ["rationale", "nodes"],
    "additionalProperties": False,
    "properties": {
        "rationale": {"type": "string", "description": "Why this plan, in at most three sentences."},
        "nodes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "capabilityId", "label", "dependsOn"],
                "additionalProperties": False,
                "properties": {
                    "id": {"type": "string", "description": "Unique: letters, digits, '_', '.', '-'."},
                    "capabilityId": {"type": "string", "description": "The id of a registered capability."},
                    "label": {"type": "string", "description": "What the node does, for people."},
                    "dependsOn": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "Ids of the nodes whose output this one needs.",
                    },
                },
            },
        },
    },
}
"""What the model is asked for. It keeps to what strict structured output takes; the bounds are checked afterwards."""
