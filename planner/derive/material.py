"""What the registered facets give the mapper: an item is a variant of a facet of which there may be several."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, cast

from planner.derive.free_text import text_of
from planner.derive.marks import mark
from planner.derive.scopes import FULL_TEXT, OF_A_VARIANT, RunScope, VariantScope, whole_text
from planner.derive.variants import Variant
from planner.derive.words import Words
from planner.mapping.material import Inside, Vocabulary
from planner.mapping.names import canonical, name_index, name_set
from planner.mapping.problems import Mapped
from planner.mapping.scopes import KnownScope, Scope, TextScope
from planner.mapping.sources import Source
from planner.planner import JsonObject
from planner.text import as_list
from runs.expression import literal, reference

_OBJECTS = name_set(
    "variant draft record header main data payload result output item fields attributes text entry article"
)
"""Objects that hold what is made, whatever it is and whichever names its parts have."""

_LISTS = name_set(
    "variants items drafts records results outputs entries options proposals alternatives versions data list"
)
"""Lists that hold all variants even where the contract says nothing of their items."""

_TEXT_PARTS = name_index(
    {
        "text": "value content copy body headline",
        "words": "wordCount",
        "characters": "characterCount length chars",
    }
)
"""What an object that stands for one text may ask of it: `{"headline": {"text": …, "length": …}}`."""

_NAMED = re.compile(r"(.*?)[_ -]?([a-f]|[1-6])", re.IGNORECASE)
_BEFORE = frozenset({"", "variant", "version", "option", "draft"})
_MAX_NAMES = 20
_MAX_NAME_CHARS = 60


def vocabulary_of(words: Words, others: Iterable[Words], telling: str) -> Vocabulary:
    """The words of the mapper's messages and decisions, where the items are variants of this facet."""
    required = [name for name in as_list(words.schema.get("required")) if name in words.types]
    shape = {"type": "object", "required": required}
    return Vocabulary(
        item_noun="variant",
        whole_item=f"a whole {words.facet}",
        items_noun=f"the facet {words.facet}",
        item_lists=_LISTS | words.lists,
        item_objects=_OBJECTS | words.names,
        item_fields={**OF_A_VARIANT, **words.within},
        whole_objects=frozenset(name for each in others for name in each.names),
        item_shape=shape,
        output_shape={
            "type": "object",
            "required": ["variants"],
            "properties": {"variants": {"type": "array", "items": shape}},
        },
        telling_parts=frozenset({telling, FULL_TEXT}),
    )


def telling_member(words: Words) -> str:
    """The member that says most: the one that is counted where words or characters are asked for."""
    place = text_of(words.schema)
    return place[0].lstrip("/") if place else next(iter(words.text), "")


@dataclass(frozen=True, slots=True)
class Item:
    """A variant, as the mapper sees it."""

    node_id: str
    label: str


@dataclass(frozen=True, slots=True)
class FacetMaterial:
    """A `planner.mapping.material.Material`. `brought` are facets that the envelope has."""

    vocabulary: Vocabulary
    words: Words
    telling: str
    run: RunScope
    brought: Mapping[str, tuple[Words, JsonObject]]
    fit_key: Hashable
    markdown: bool = False

    @property
    def variants(self) -> Sequence[Variant]:
        return self.run.variants

    @property
    def items(self) -> Sequence[Item]:
        return [Item(mark(self.words.facet, each.position - 1), each.label) for each in self.variants]

    @property
    def touched(self) -> AbstractSet[str]:
        return self.run.touched

    def root_scope(self) -> Scope:
        """With a single variant the names at the top include what that variant has."""
        return self.item_scope(0) if len(self.variants) == 1 else self.run

    def item_scope(self, index: int) -> VariantScope:
        return VariantScope(self.variants[index], self.words, self.run, self.telling)

    def whole_text(self, scope: Scope, *, in_item: bool) -> Source | None:
        if in_item:
            return scope.find(canonical(FULL_TEXT))
        return whole_text(self.variants, self.words, self.telling, markdown=self.markdown)

    def item_named(self, name: str) -> int | None:
        """The variant that `variantA`, `option_2` or plain `b` speaks of."""
        key = self._named(name)
        return next((at for at, each in enumerate(self.variants) if key in (each.id, str(at + 1))), None)

    def names_absent_item(self, name: str) -> bool:
        """Whether `variantC` is spoken of where there are only two; a letter alone says too little."""
        return len(name) > 1 and self._named(name) is not None and self.item_named(name) is None

    def _named(self, name: str) -> str | None:
        match = _NAMED.fullmatch(name[:_MAX_NAME_CHARS])
        before = canonical(match[1]) if match is not None else None
        return match[2].lower() if match and (before in _BEFORE or before in self.words.names) else None

    def inside(self, name: str, scope: Scope, *, in_item: bool) -> Inside:
        plain = canonical(name)
        if not plain or plain in self.vocabulary.item_objects:
            return Inside(scope)
        if plain in self.brought:
            return self._inside_brought(*self.brought[plain])
        words = self.run.object_named(plain)
        if words is not None:
            whole = Mapped(reference(mark(words.facet)), plain=True)
            return Inside(self.run.scope_of(words), whole, words.schema)
        at = None if in_item else self.item_named(name)
        return self._by_source(plain, scope) if at is None else Inside(self.item_scope(at), in_item=True)

    def _inside_brought(self, words: Words, value: JsonObject) -> Inside:
        self.run.touched.add(words.facet)
        scope = KnownScope(value, _index(value), words.within, self.run)
        return Inside(scope, Mapped(literal(value)), {"properties": value, "required": []})

    def _by_source(self, plain: str, scope: Scope) -> Inside:
        source = scope.find(plain)
        if source is None:
            return Inside(scope, certain=False)
        if source.known and source.json_type == "object":
            members = cast("dict[str, Any]", source.value)
            return Inside(KnownScope(members, _index(members)), Mapped(source.expression))
        if source.json_type == "string":
            return Inside(TextScope(source, _TEXT_PARTS))
        return Inside(scope, certain=False)

    def narrowed(self, scope: Scope, names: Iterable[str]) -> Scope:
        """Words and characters are those of the text that is delivered beside them."""
        if not isinstance(scope, VariantScope):
            return scope
        plain = {canonical(each) for each in names}
        full = any(OF_A_VARIANT.get(each) == FULL_TEXT for each in plain)
        told = any(self.words.within.get(each) == self.telling for each in plain)
        return replace(scope, counted=FULL_TEXT) if full and not told else scope

    def available(self) -> str:
        """What there is, by its own names; a contract may spell them its own way."""
        of_each = [*self.words.types, FULL_TEXT, "wordCount", "characterCount", "label", "position"]
        of_others = [name for words in self.run.others for name in dict.fromkeys(words.alone.values())]
        said = [each[:40] for each in self.run.said.names()[:_MAX_NAMES]]
        each = "" if len(self.variants) == 1 else "for each variant, in an array: "
        for_the_run = ", ".join(dict.fromkeys([*said, *of_others, "variantCount"]))
        return f"Available are {each}{', '.join(dict.fromkeys(of_each))}; and for the run: {for_the_run}."


def _index(members: Mapping[str, Any]) -> dict[str, str]:
    """The members' names by their canonical ones; the first one counts."""
    return {canonical(name): name for name in reversed(list(members))}
