"""Where a name of the contract is looked up: in a variant of what is made, and in the run as a whole.

The nodes are not known yet when a contract is read, so a reference names a facet, and which variant of it
(`planner.derive.marks`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planner.derive.marks import mark
from planner.derive.said import Said
from planner.derive.variants import Variant
from planner.derive.words import Words, words_of
from planner.mapping.names import canonical, name_index
from planner.mapping.scopes import NodeScope, counted
from planner.mapping.sources import PARAGRAPH, Parts, Source, known_source
from runs.expression import join, reference

FULL_TEXT = "fullText"
VARIANT_ID = "variantid"

OF_A_VARIANT = name_index(
    {
        FULL_TEXT: "fullPost fullCopy completeText wholeText plainText rendered renderedText fullMessage",
        "wordCount": "words numberOfWords wordTotal numWords wordsCount",
        "characterCount": "charCount characters chars numberOfCharacters numChars length charactersCount",
        "variantId": "id variant variantKey key",
        "label": "name variantLabel variantName",
        "position": "number order variantNumber ordinal sequence",
        "index": "variantIndex",
        "instruction": "specialInstruction variantInstruction",
    }
)
"""Canonical name → what is known of every variant, whatever it is a variant of."""

_COUNTS = {"wordCount": "words", "characterCount": "characters"}
_NUMBER = frozenset(
    map(canonical, ("variantCount", "count", "total", "numberOfVariants", "totalVariants", "variantsCount"))
)


@dataclass(frozen=True, slots=True)
class VariantScope:
    """What one variant has; other names are looked up in the run. Text is counted in the member `counted`."""

    variant: Variant
    words: Words
    run: RunScope | None
    counted: str

    def find(self, name: str) -> Source | None:
        member = self.words.within.get(name)
        found = OF_A_VARIANT.get(name)
        if found == "variantId" or (member is not None and canonical(member) == VARIANT_ID):
            return self._variant_id()
        source = self.member(member) if member is not None else None
        source = source or (self._known(found) if found is not None else None)
        return source or (self.run.find(name) if self.run else None)

    def member(self, name: str) -> Source | None:
        """The source of a member of the facet, by its own name."""
        json_type = self.words.types.get(name)
        if json_type is None:
            return None
        node = mark(self.words.facet, self.variant.position - 1)
        schema = self.words.schema["properties"][name] if json_type in ("array", "object") else None
        return Source(json_type, reference(node, name), node_id=node, field=name, facet=schema, content=True)

    def _variant_id(self) -> Source:
        own = next((each for each in self.words.types if canonical(each) == VARIANT_ID), None)
        if own is None:
            return known_source(self.variant.id)
        node = mark(self.words.facet, self.variant.position - 1)
        return Source("string", reference(node, own), self.variant.id, node_id=node, field=own)

    def _known(self, found: str) -> Source | None:
        if found in _COUNTS:
            text = self.full_text() if self.counted == FULL_TEXT else self.member(self.counted)
            return None if text is None else counted(text, _COUNTS[found])
        if found == FULL_TEXT:
            return self.full_text()
        if found == "instruction":
            return self.run.instruction_of(self.variant) if self.run else None
        values: dict[str, str | int] = {
            "label": self.variant.label,
            "position": self.variant.position,
            "index": self.variant.position - 1,
        }
        return known_source(values[found])

    def full_text(self) -> Source | None:
        """All that makes the text of the facet, joined; the one text where there is no more."""
        if len(self.words.text) < 2:
            return self.member(self.counted) if self.counted in self.words.types else None
        node = mark(self.words.facet, self.variant.position - 1)
        expression = join([reference(node, each) for each in self.words.text], PARAGRAPH)
        return Source(
            "string", expression, node_id=node, field=FULL_TEXT, joined=self.words.text, content=True
        )


@dataclass(frozen=True, slots=True)
class RunScope:
    """What the run as a whole has: what the envelope says, and what else is made.

    `others` are the words of the facets that can be made beside the variants; `touched` fills as the envelope is asked.
    """

    run_id: str
    variants: Sequence[Variant]
    said: Said
    others: Sequence[Words]
    whole: Mapping[str, tuple[str, Mapping[str, Any]]]
    touched: set[str] = field(default_factory=set[str])

    def find(self, name: str) -> Source | None:
        if name in _NUMBER:
            return known_source(len(self.variants))
        if name == "runid" and self.run_id:
            return known_source(self.run_id)
        self.touched.add(name)
        if found := self.said.find(name):
            return known_source(found[0])
        for words in self.others:
            member = words.alone.get(name)
            json_type = words.types.get(member) if member is not None else None
            if member is not None and json_type is not None:
                schema = words.schema["properties"][member]
                node = mark(words.facet)
                return Source(json_type, reference(node, member), node_id=node, field=member, facet=schema)
        return self._whole(name)

    def _whole(self, name: str) -> Source | None:
        """A facet by its name; one that is an object is entered (`FacetMaterial.inside`)."""
        facet, schema = self.whole.get(name, ("", {}))
        json_type = schema.get("type")
        if not facet or not isinstance(json_type, str) or json_type == "object":
            return None
        node = mark(facet)
        return Source(json_type, reference(node), node_id=node, facet=schema)

    def object_named(self, name: str) -> Words | None:
        """The facet beside the variants that an object of this canonical name is."""
        found = next((each for each in self.others if name in each.names), None)
        facet, schema = self.whole.get(name, ("", {}))
        if found is not None or not facet or schema.get("type") != "object":
            return found
        self.touched.add(name)
        return words_of(facet, schema)

    def scope_of(self, words: Words) -> NodeScope:
        """Inside an object for another facet."""
        within = {name: member for name, member in words.within.items() if member in words.types}
        return NodeScope(mark(words.facet), words.schema, within, self)

    def instruction_of(self, variant: Variant) -> Source | None:
        """What the envelope asks of one variant."""
        self.touched.add("instruction")
        return known_source(" ".join(variant.instructions)) if variant.instructions else None


def whole_text(
    variants: Sequence[Variant], words: Words, counted_in: str, *, markdown: bool
) -> Source | None:
    """Every variant as one text, each under its label where there are several."""
    texts = [VariantScope(each, words, None, counted_in).full_text() for each in variants]
    found = tuple(each for each in texts if each is not None)
    if len(found) < 2:
        return found[0] if found else None
    heading = "## " if markdown else ""
    labels = [f"{heading}{each.label}" for each in variants]
    parts = [part for label, text in zip(labels, found, strict=True) for part in (label, text.expression)]
    overhead = sum(map(len, labels)) + len(PARAGRAPH) * (2 * len(labels) - 1)
    return Source("string", join(parts, PARAGRAPH), parts=Parts(found, overhead, "variant"))
