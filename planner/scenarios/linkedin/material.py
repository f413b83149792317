"""What a LinkedIn plan gives the mapper, and its words."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from planner.mapping.material import Inside, Vocabulary
from planner.mapping.scopes import Scope
from planner.mapping.sources import Source
from planner.scenarios.linkedin import names
from planner.scenarios.linkedin.available import available
from planner.scenarios.linkedin.scopes import RunMaterial, RunScope, VariantScope, whole_text
from planner.scenarios.linkedin.scoping import counting, inside, names_absent_variant, variant_named
from planner.scenarios.linkedin.variants import Variant

_POST = {"type": "object", "required": ["headline", "body", "callToAction"]}

VOCABULARY = Vocabulary(
    item_noun="variant",
    whole_item="a whole post",
    items_noun="the posts",
    item_lists=names.POST_LISTS,
    item_objects=names.POST_OBJECTS,
    item_fields=names.VARIANT_FIELDS,
    whole_objects=names.BRIEF_OBJECTS | names.REVIEW_OBJECTS,
    item_shape=_POST,
    output_shape={
        "type": "object",
        "required": ["variants"],
        "properties": {"variants": {"type": "array", "items": _POST}},
    },
    telling_parts=frozenset({"body", "fullText"}),
)


@dataclass(frozen=True, slots=True)
class LinkedInMaterial:
    """A `planner.mapping.material.Material`: an item is a variant of the post."""

    run: RunMaterial

    @property
    def vocabulary(self) -> Vocabulary:
        return VOCABULARY

    @property
    def items(self) -> Sequence[Variant]:
        return self.run.variants

    @property
    def fit_key(self) -> Hashable:
        return (len(self.run.variants), self.run.markdown)

    @property
    def touched(self) -> AbstractSet[str]:
        return self.run.touched

    def root_scope(self) -> Scope:
        return self.run.run_scope()

    def item_scope(self, index: int) -> Scope:
        return VariantScope(self.run.variants[index], RunScope(self.run))

    def whole_text(self, scope: Scope, *, in_item: bool) -> Source | None:
        return scope.find("fulltext") if in_item else whole_text(self.run)

    def item_named(self, name: str) -> int | None:
        variant = variant_named(name, self.run)
        return None if variant is None else variant.position - 1

    def names_absent_item(self, name: str) -> bool:
        return names_absent_variant(name, self.run)

    def inside(self, name: str, scope: Scope, *, in_item: bool) -> Inside:
        return inside(name, scope, self.run, in_item=in_item)

    def narrowed(self, scope: Scope, names: Iterable[str]) -> Scope:
        return counting(scope, names)

    def available(self) -> str:
        return available(self.run)
