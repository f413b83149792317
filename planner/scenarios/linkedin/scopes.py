"""What a LinkedIn plan has to give: values of the envelope, and what the nodes are going to make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as made_by
from typing import Any

from planner.mapping.names import canonical
from planner.mapping.scopes import KnownScope, NodeScope, Scope, counted, facet_field
from planner.mapping.sources import PARAGRAPH, Parts, Source, known_source
from planner.scenarios.linkedin import names
from planner.scenarios.linkedin.facts import Facts
from planner.scenarios.linkedin.variants import Variant
from runs.expression import join, reference
from schemas.facets import FACETS

POST_TEXTS = ("headline", "body", "callToAction")
POST_PARTS = (*POST_TEXTS, "hashtags")


@dataclass(frozen=True, slots=True)
class VariantScope:
    """What one variant has; other names are looked up in the run."""

    variant: Variant
    run: RunScope | None
    counted: str = "body"

    def find(self, name: str) -> Source | None:
        found = names.VARIANT_FIELDS.get(name)
        if found is None:
            return self.run.find(name) if self.run else None
        return self.field(found)

    def field(self, found: str) -> Source | None:
        """The source of a variant's field, by our own name of it."""
        if found in POST_TEXTS:
            return self._part("string", found)
        if found == "hashtags":
            return self._part("array", found, FACETS["post_copy"].schema["properties"]["hashtags"])
        if found in _COUNTS:
            return self._count(_COUNTS[found])
        if found == "fullText":
            return self._full_text()
        return self._known(found)

    def _part(self, json_type: str, field: str, facet: Mapping[str, Any] | None = None) -> Source:
        node_id = self.variant.node_id
        expression = reference(node_id, field)
        return Source(json_type, expression, node_id=node_id, field=field, facet=facet, content=True)

    def _count(self, what: str) -> Source:
        text = self._full_text() if self.counted == "fullText" else self._part("string", self.counted)
        return counted(text, what)

    def _full_text(self) -> Source:
        node_id = self.variant.node_id
        expression = join([reference(node_id, each) for each in POST_PARTS], PARAGRAPH)
        return Source(
            "string", expression, node_id=node_id, field="fullText", joined=POST_PARTS, content=True
        )

    def _known(self, found: str) -> Source | None:
        variant = self.variant
        if found == "instruction":
            return self.run.instruction_of(variant) if self.run else None
        values: dict[str, str | int] = {
            "label": variant.label,
            "position": variant.position,
            "index": variant.position - 1,
        }
        if found == "variantId":
            expression = reference(variant.node_id, found)
            return Source("string", expression, variant.id, node_id=variant.node_id, field=found)
        return known_source(values[found])


@dataclass(frozen=True, slots=True)
class RunMaterial:
    """All that a plan with these variants has to give.

    `touched` fills as a mapping looks at what the envelope says; a mapping that never does is the same for every
    envelope with this contract and this number of variants.
    """

    facts: Facts
    run_id: str
    variants: tuple[Variant, ...]
    brief_id: str = "brief"
    review_id: str = "review"
    markdown: bool = False
    touched: set[str] = made_by(default_factory=set[str])
    _indexes: dict[int, Mapping[str, str]] = made_by(default_factory=dict[int, Mapping[str, str]])

    @property
    def only_variant(self) -> Variant | None:
        return self.variants[0] if len(self.variants) == 1 else None

    def run_scope(self) -> Scope:
        """The names at the top of a contract; with a single variant they include what that variant has."""
        only = self.only_variant
        return VariantScope(only, RunScope(self)) if only else RunScope(self)

    def brief_scope(self) -> NodeScope:
        return NodeScope(self.brief_id, FACETS["creative_brief"].schema, names.BRIEF_FIELDS, RunScope(self))

    def review_scope(self) -> NodeScope:
        return NodeScope(self.review_id, FACETS["review"].schema, names.REVIEW_FIELDS)

    def company_scope(self) -> KnownScope:
        self.touched.add("company")
        company = self.facts.company
        return KnownScope(company, self.index_of(company), names.COMPANY_FIELDS, RunScope(self))

    def members_scope(self, members: Mapping[str, Any]) -> KnownScope:
        """The names of an object of the envelope."""
        return KnownScope(members, self.index_of(members))

    def index_of(self, members: Mapping[str, Any]) -> Mapping[str, str]:
        """The members' names by their canonical ones, made once for each object of the facts; the first one counts."""
        index = self._indexes.get(id(members))
        if index is None:
            index = self._indexes[id(members)] = {canonical(name): name for name in reversed(list(members))}
        return index


@dataclass(frozen=True, slots=True)
class RunScope:
    """What the run as a whole has."""

    material: RunMaterial

    def find(self, name: str) -> Source | None:
        material = self.material
        material.touched.add(name)
        found = names.RUN_FIELDS.get(name, "")
        if found in ("keyMessages", "angles"):
            return facet_field(material.brief_id, FACETS["creative_brief"].schema, found)
        if found in _REVIEW_NAMES:
            return facet_field(material.review_id, FACETS["review"].schema, _REVIEW_NAMES[found])
        if found == "variantCount":
            return known_source(len(material.variants))
        if found == "runId" and material.run_id:
            return known_source(material.run_id)
        for place in (material.facts.known, material.facts.company):
            if found in place:
                return known_source(place[found])
        return known_source(material.facts.extras[name]) if name in material.facts.extras else None

    def instruction_of(self, variant: Variant) -> Source | None:
        """What the envelope asks of one variant."""
        self.material.touched.add("instruction")
        return known_source(" ".join(variant.instructions)) if variant.instructions else None


_COUNTS = {"wordCount": "words", "characterCount": "characters"}
_REVIEW_NAMES = {"reviewSummary": "summary", "findings": "findings", "reviewPassed": "approved"}


def whole_text(material: RunMaterial) -> Source:
    """Every variant as one text, each under its label where there are several."""
    posts = [VariantScope(variant, None).field("fullText") for variant in material.variants]
    found = tuple(post for post in posts if post is not None)
    if len(found) == 1:
        return found[0]
    mark = "## " if material.markdown else ""
    labels = [f"{mark}{variant.label}" for variant in material.variants]
    parts = [part for label, post in zip(labels, found, strict=True) for part in (label, post.expression)]
    overhead = sum(map(len, labels)) + len(PARAGRAPH) * (2 * len(labels) - 1)
    return Source("string", join(parts, PARAGRAPH), parts=Parts(found, overhead, "variant"))
