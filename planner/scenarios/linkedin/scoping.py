"""Which scope holds inside an object, by what the object is called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

from planner.mapping.material import Inside
from planner.mapping.names import canonical
from planner.mapping.problems import Mapped
from planner.mapping.scopes import Scope, TextScope
from planner.scenarios.linkedin import names
from planner.scenarios.linkedin.scopes import RunMaterial, RunScope, VariantScope
from planner.scenarios.linkedin.variants import Variant
from runs.expression import literal, reference
from schemas.facets import FACETS

_NAMED_VARIANT = re.compile(r"(?:variant|post|version|option|draft)?_?-? ?([a-f]|[1-6])", re.IGNORECASE)


def inside(name: str, scope: Scope, material: RunMaterial, *, in_item: bool) -> Inside:
    """What holds inside the object `name` of `scope`; the whole output and a whole post have no name."""
    plain = canonical(name)
    if not plain or plain in names.POST_OBJECTS:
        return Inside(scope)
    if plain in names.BRIEF_OBJECTS:
        whole = Mapped(reference(material.brief_id), plain=True)
        return Inside(material.brief_scope(), whole, FACETS["creative_brief"].schema)
    if plain in names.REVIEW_OBJECTS:
        whole = Mapped(reference(material.review_id), plain=True)
        return Inside(material.review_scope(), whole, FACETS["review"].schema)
    variant = None if in_item else variant_named(name, material)
    if variant is not None:
        return Inside(VariantScope(variant, RunScope(material)), in_item=True)
    return _by_source(plain, scope, material)


def _by_source(plain: str, scope: Scope, material: RunMaterial) -> Inside:
    if plain in names.COMPANY_OBJECTS:
        company = material.company_scope()
        if company.members:
            members = dict(company.members)
            return Inside(company, Mapped(literal(members)), {"properties": members, "required": []})
    source = scope.find(plain)
    if source is None:
        return Inside(scope, certain=False)
    if source.known and source.json_type == "object":
        members = cast("dict[str, Any]", source.value)
        return Inside(material.members_scope(members), Mapped(source.expression))
    return (
        Inside(TextScope(source, names.TEXT_PARTS))
        if source.json_type == "string"
        else Inside(scope, certain=False)
    )


def variant_named(name: str, material: RunMaterial) -> Variant | None:
    """The variant that `variantA`, `post_2` or plain `b` speaks of."""
    match = _NAMED_VARIANT.fullmatch(name)
    if match is None:
        return None
    key = match[1].lower()
    return next((each for each in material.variants if key in (each.id, str(each.position))), None)


def names_absent_variant(name: str, material: RunMaterial) -> bool:
    """Whether `variantC` is spoken of where there are only two; a letter alone says too little."""
    return (
        len(name) > 1 and _NAMED_VARIANT.fullmatch(name) is not None and variant_named(name, material) is None
    )


def counting(scope: Scope, declared: Iterable[str]) -> Scope:
    """Words and characters are those of the text that is delivered beside them."""
    if not isinstance(scope, VariantScope):
        return scope
    wanted = {names.VARIANT_FIELDS.get(canonical(name)) for name in declared}
    return replace(scope, counted="fullText") if "fullText" in wanted and "body" not in wanted else scope
