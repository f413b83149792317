"""The nodes of a LinkedIn plan, each with the limits that the contract sets for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planner.mapping.output_limits import OutputLimits, output_schema
from planner.node_factory import NodeFactory
from planner.planner import JsonObject
from planner.scenarios.linkedin.variants import Variant
from planner.text import phrase
from schemas.facets import FACETS
from schemas.plan import MAX_EXPECTATIONS

BRIEF = "stub.linkedin.brief"
DRAFT = "stub.linkedin.draft"
REVIEW = "stub.linkedin.review"
HUMAN_REVIEW = "human.review"
RESHAPES = ("flex.reshape", "stub.transform.reshape")


@dataclass(frozen=True, slots=True)
class LinkedInNodes:
    """Makes the nodes of one plan.

    `digest` is what the envelope says, one line each; `general` are the instructions for every variant; `asked` is
    what the caller's contract asks of each node. The methods raise Unmappable for a limit that a node cannot keep.
    """

    factory: NodeFactory
    digest: JsonObject
    variants: Sequence[Variant]
    general: Sequence[str] = ()
    asked: Mapping[str, OutputLimits] = field(default_factory=dict[str, OutputLimits])

    def brief(self) -> JsonObject:
        """The brief on which every draft is based."""
        return self.factory.node(
            node_id="brief",
            capability_id=BRIEF,
            label="Creative brief",
            depends_on=(),
            output=output_schema(FACETS["creative_brief"], self.asked.get("brief"), ("angles",)),
            expectations=[f"Says what the {len(self.variants)} variant(s) are about, for whom and why."],
            bundle=self._bundle({"variants": [_variant(each) for each in self.variants]}),
        )

    def draft(self, variant: Variant) -> JsonObject:
        """One variant of the post."""
        asked = self.asked.get(variant.node_id)
        limits = asked.counted() if asked is not None else {}
        return self.factory.node(
            node_id=variant.node_id,
            capability_id=DRAFT,
            label=f"Draft {variant.id.upper()}",
            depends_on=("brief",),
            output=output_schema(FACETS["post_copy"], asked, ("variantId",)),
            expectations=self._of_draft(variant),
            bundle=self._bundle({"variant": _variant(variant), **({"limits": limits} if limits else {})}),
        )

    def review(self) -> JsonObject:
        """A look at all the drafts together."""
        return self.factory.node(
            node_id="review",
            capability_id=REVIEW,
            label="Review",
            depends_on=[variant.node_id for variant in self.variants],
            output=output_schema(FACETS["review"], self.asked.get("review")),
            expectations=["Says of each variant whether it may go out, and why not."],
            bundle=self._bundle(
                {"variants": [{**_variant(each), "node": each.node_id} for each in self.variants]}
            ),
        )

    def human_review(self, assignees: Sequence[str]) -> JsonObject:
        """A person's look at all the drafts; without `assignees`, any operator may do it."""
        return self.factory.node(
            node_id="human-review",
            capability_id=HUMAN_REVIEW,
            label="Human review",
            depends_on=[variant.node_id for variant in self.variants],
            output=self.factory.descriptors[HUMAN_REVIEW].get("outputSchema"),
            expectations=[
                "Says whether the drafts may go out, and why not.",
                "The verdict is kept and does not stop the run; declining the task does.",
            ],
            bundle=self._bundle({"assignees": list(assignees)} if assignees else {}),
        )

    def shape(self, capability_id: str, mapping: Any, needs: Sequence[str], output: Any) -> JsonObject:
        """The caller's shape, made of what the other nodes have made."""
        return self.factory.node(
            node_id="shape",
            capability_id=capability_id,
            label="Shape the output",
            depends_on=needs,
            output=output,
            expectations=["Has the shape that the caller's contract asks for."],
            bundle={"mapping": mapping},
        )

    def _bundle(self, more: JsonObject) -> JsonObject:
        return {**self.digest, **more, **({"instructions": list(self.general)} if self.general else {})}

    def _of_draft(self, variant: Variant) -> list[str]:
        audience = f" for {self.digest['audience']}" if "audience" in self.digest else ""
        voice = f", in this voice: {self.digest['brandVoice']}" if "brandVoice" in self.digest else ""
        instructions = [line for each in variant.instructions if (line := phrase(each))]
        # The bundle has all instructions, also those that are more than a contract may list.
        return [f"One LinkedIn post{audience}{voice}.", *instructions][:MAX_EXPECTATIONS]


def _variant(variant: Variant) -> JsonObject:
    described: JsonObject = {"id": variant.id, "label": variant.label, "position": variant.position}
    return {**described, "instructions": list(variant.instructions)} if variant.instructions else described
