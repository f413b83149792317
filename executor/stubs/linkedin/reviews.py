"""A look at the drafts by simple rules."""

from __future__ import annotations

from collections.abc import Iterator

from executor.stubs.linkedin.story import Story, asked_of, asked_of_all, read_story
from executor.stubs.reading import line, list_of, object_at
from executor.stubs.shaping import contract_properties, fit_properties
from runs.event import JsonObject
from schemas.facets import FACETS

MAX_POST_CHARS = 3_000
"""LinkedIn cuts a longer post off."""

_TEXTS = ("headline", "body", "callToAction")
_FURTHER = ("Nothing else stood out.", "Only simple rules were applied.", "A person may see more.")


def review_drafts(context: JsonObject) -> JsonObject:
    """A `review` of the drafts that this node depends on. Raises CapabilityError `limits_impossible`."""
    variants, drafts = _drafts(context)
    story = read_story(context)
    findings = list(_doubled(variants, drafts))
    for variant, draft in zip(variants, drafts, strict=True):
        findings += _of_one(variant, draft, story)
    findings += [
        _finding("info", f"Beyond a template, and left to a person: {each}")
        for each in asked_of_all(context).unmet
    ]
    errors = sum(finding["severity"] == "error" for finding in findings)
    review: JsonObject = {
        "approved": errors == 0,
        "summary": f"{len(variants)} variant(s) reviewed: {errors} error(s), {len(findings) - errors} remark(s).",
        "findings": findings,
    }
    properties = contract_properties(context, FACETS["review"].schema)
    most = object_at(properties, "findings").get("maxItems", len(findings))
    return fit_properties({**review, "findings": findings[: int(most)]}, properties, _FURTHER)


def _drafts(context: JsonObject) -> tuple[list[JsonObject], list[JsonObject]]:
    """The variants and their drafts: the nodes that the plan names, else the facet `post_copy`, one or many."""
    named = [
        object_at({"each": each}, "each") for each in list_of(object_at(context, "bundle").get("variants"))
    ]
    if named and "facets" not in context:
        return named, [object_at(context, "dependencies", str(each.get("node"))) for each in named]
    given = object_at(context, "facets").get("post_copy")
    drafts = [object_at({"each": each}, "each") for each in (list_of(given) or [given])]
    if len(named) == len(drafts):
        return named, drafts
    return [{"id": each.get("variantId")} for each in drafts], drafts


def _finding(severity: str, message: str, variant: JsonObject | None = None) -> JsonObject:
    finding: JsonObject = {"severity": severity, "message": message[:2_000]}
    variant_id = line(variant.get("id"), 100) if variant is not None else ""
    return {**finding, "variantId": variant_id} if variant_id else finding


def _doubled(variants: list[JsonObject], drafts: list[JsonObject]) -> Iterator[JsonObject]:
    """Variants that say the same are no variants."""
    for name in ("headline", "body"):
        first_with: dict[str, JsonObject] = {}
        for variant, draft in zip(variants, drafts, strict=True):
            text = line(draft.get(name), 10_000).casefold()
            earlier = first_with.setdefault(text, variant)
            if earlier is not variant:
                severity = "error" if name == "body" else "warning"
                yield _finding(severity, f"The {name} is that of {earlier.get('label')} too.", variant)


def _of_one(variant: JsonObject, draft: JsonObject, story: Story) -> Iterator[JsonObject]:
    texts = [line(draft.get(name), 10_000) for name in _TEXTS]
    for name, text in zip(_TEXTS, texts, strict=True):
        if not text:
            yield _finding("error", f"The {name} is missing.", variant)
    whole = "\n\n".join(texts)
    if len(whole) > MAX_POST_CHARS:
        yield _finding(
            "warning", f"The post has {len(whole)} characters; LinkedIn takes {MAX_POST_CHARS}.", variant
        )
    said = whole.casefold()
    if story.company and story.company.casefold() not in said:
        yield _finding("warning", f"{story.company} is not mentioned.", variant)
    asked = asked_of(variant)
    for focus in asked.focuses:
        if focus.rstrip("…").casefold() not in said:
            yield _finding("warning", f"The instruction to speak of {focus!r} is not followed.", variant)
    for each in asked.unmet:
        yield _finding("info", f"Beyond a template, and left to a person: {each}", variant)
