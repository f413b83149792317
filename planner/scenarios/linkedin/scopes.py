"""What there is to fill a contract with: values of the envelope, and what the nodes are going to make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as made_by
from typing import Any, Protocol, cast

from planner.mapping import names
from planner.mapping.expression import count, join, reference
from planner.mapping.names import canonical
from planner.mapping.sources import Source, Variant, known_source
from planner.mapping.values import weight
from planner.scenarios.linkedin.facts import Facts
from schemas.facets import FACETS

POST_TEXTS = ("headline", "body", "callToAction")


class Scope(Protocol):
    """Where a name is looked up."""

    def find(self, name: str) -> Source | None:
        """The source that a canonical name stands for here."""
        ...


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
        variant = self.variant
        if found in POST_TEXTS:
            return Source("string", reference(variant.node_id, found), node_id=variant.node_id, field=found)
        if found == "hashtags":
            facet = FACETS["post_copy"].schema["properties"]["hashtags"]
            expression = reference(variant.node_id, found)
            return Source("array", expression, node_id=variant.node_id, field=found, facet=facet)
        if found in ("wordCount", "characterCount"):
            return self._count(found)
        if found == "fullText":
            return self._full_text()
        return self._known(found)

    def _count(self, found: str) -> Source:
        what = "words" if found == "wordCount" else "characters"
        text = self._full_text() if self.counted == "fullText" else self.field(self.counted)
        expression = count(what, text.expression if text else "")
        return Source("integer", expression, node_id=self.variant.node_id, field=self.counted, aspect=what)

    def _full_text(self) -> Source:
        fields = (*POST_TEXTS, "hashtags")
        expression = join([reference(self.variant.node_id, each) for each in fields], "\n\n")
        return Source("string", expression, node_id=self.variant.node_id, field="fullText")

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
class NodeScope:
    """The fields of a node's facet, by the names that callers have for them."""

    node_id: str
    facet: Mapping[str, Any]
    fields: Mapping[str, str]
    outer: Scope | None = None

    def find(self, name: str) -> Source | None:
        found = self.fields.get(name)
        if found is None:
            return self.outer.find(name) if self.outer else None
        return facet_field(self.node_id, self.facet, found)


def facet_field(node_id: str, facet: Mapping[str, Any], name: str) -> Source:
    """One field of what a node makes."""
    schema: Mapping[str, Any] = facet["properties"][name]
    return Source(schema["type"], reference(node_id, name), node_id=node_id, field=name, facet=schema)


@dataclass(frozen=True, slots=True)
class KnownScope:
    """The members of an object that the envelope has; `index` leads from a canonical name to the member's own."""

    members: Mapping[str, Any]
    index: Mapping[str, str]
    aliases: Mapping[str, str] = made_by(default_factory=dict[str, str])
    outer: Scope | None = None

    def find(self, name: str) -> Source | None:
        alias = self.aliases.get(name)
        key = alias if alias in self.members else self.index.get(name)
        if key is not None:
            return known_source(self.members[key])
        return self.outer.find(name) if self.outer else None


@dataclass(frozen=True, slots=True)
class PartScope:
    """What can be asked of one text: the text itself, its length, its number of words."""

    text: Source

    def find(self, name: str) -> Source | None:
        part = names.FIELD_PARTS.get(name)
        if part == "text":
            return self.text
        if part is None or self.text.node_id is None:
            return None
        what = "words" if part == "wordCount" else "characters"
        expression = count(what, self.text.expression)
        return Source("integer", expression, node_id=self.text.node_id, field=self.text.field, aspect=what)


@dataclass(frozen=True, slots=True)
class Material:
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
    _weights: dict[int, int] = made_by(default_factory=dict[int, int])

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

    def weight_of(self, source: Source) -> int:
        """How many values of the envelope a look at `source` touches; 1 for what a node makes."""
        if not source.known:
            return 1
        value = cast("object", source.value)
        if not isinstance(value, dict | list):
            return weight(value)
        known = self._weights.get(id(value))  # pyright: ignore[reportUnknownArgumentType]
        if known is None:
            known = self._weights[id(value)] = weight(value)  # pyright: ignore[reportUnknownArgumentType]
        return known


@dataclass(frozen=True, slots=True)
class RunScope:
    """What the run as a whole has."""

    material: Material

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


_REVIEW_NAMES = {"reviewSummary": "summary", "findings": "findings", "reviewPassed": "approved"}


def whole_text(material: Material) -> Source:
    """Every variant as one text, each under its label where there are several."""
    posts = [VariantScope(variant, None).field("fullText") for variant in material.variants]
    found = tuple(post for post in posts if post is not None)
    if len(found) == 1:
        return found[0]
    mark = "## " if material.markdown else ""
    labels = [f"{mark}{variant.label}" for variant in material.variants]
    parts = [part for label, post in zip(labels, found, strict=True) for part in (label, post.expression)]
    overhead = sum(map(len, labels)) + 2 * (2 * len(labels) - 1)
    return Source("string", join(parts, "\n\n"), parts=found, overhead=overhead)
