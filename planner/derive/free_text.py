"""Which facets a contract for free text means: texts, of which the objective or the instructions speak."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, cast

from planner.contract import Contract
from planner.derive.catalogue import Catalogue
from planner.derive.goal import Goal, GoalUnmet, Part, Slot, Unmet
from planner.derive.offers import Offer
from planner.planner import JsonObject, PlanRefused, diagnostic
from schemas import pointer

OBJECTIVE_UNKNOWN = "objective_unknown"
FORMAT_UNAVAILABLE = "format_unavailable"
_WORD = re.compile(r"[^\W_]{3,40}")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ANY_WORD = re.compile(r"\w+")
_MAX_CHARS = 20_000
_MAX_INPUTS = 100
_MAX_INPUT_CHARS = 200
_TEXTS = ("text", "body", "content", "message", "reply", "answer", "summary", "description")


def check_format(contract: Contract) -> None:
    """Raises PlanRefused for a text in the format of a file."""
    if contract.foreign_format is not None:
        message = f"A text can be delivered, plain or in markdown, but no {contract.foreign_format}."
        raise PlanRefused([diagnostic(FORMAT_UNAVAILABLE, message, "/outputContract/expectedFormat")])


def free_text_goal(
    envelope: JsonObject,
    contract: Contract,
    catalogue: Catalogue,
    offers: Sequence[Offer],
    facets: Collection[str],
) -> Goal:
    """The texts of which most words are spoken; which of them is made is left to their cost. Raises GoalUnmet."""
    places = {facet: place for facet in sorted(facets) if (place := text_of(catalogue.schema_of(facet)))}
    objective = str(envelope.get("objective") or "")[:_MAX_CHARS]
    said = _words(f"{objective} {(contract.instructions or '')[:_MAX_CHARS]}")
    scores = {facet: len(_names(facet, catalogue, offers) & said) for facet in places}
    best = max(scores.values(), default=0)
    if not best:
        known = ", ".join(places) or "none"
        message = f"The objective speaks of no text that can be made. Texts that can be made are: {known}."
        raise GoalUnmet([Unmet(OBJECTIVE_UNKNOWN, message, "/objective")])
    chosen = [facet for facet, score in scores.items() if score == best]
    options = tuple(Part(facet, places[facet][0], 0 if facet in catalogue.many else None) for facet in chosen)
    return Goal(Slot(options), tuple(chosen), 1, {"": chosen[0]})


def text_of(schema: Any) -> tuple[str] | None:
    """Where a facet has its text: the pointer to it, alone; None for a facet without a text that it always has."""
    if not isinstance(schema, dict):
        return None
    keywords = cast("Mapping[str, Any]", schema)
    if keywords.get("type") == "string":
        return ("",)
    members = cast("Mapping[str, Any]", keywords.get("properties") or {})
    always = cast("list[str]", keywords.get("required") or [])
    texts = [name for name in always if _is_text(members.get(name))]
    found = next((name for name in _TEXTS if name in texts), texts[0] if len(texts) == 1 else None)
    return None if found is None else (pointer.build((found,)),)


def _is_text(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    keywords = cast("Mapping[str, Any]", schema)
    return keywords.get("type") == "string" and "enum" not in keywords and "format" not in keywords


def _names(facet: str, catalogue: Catalogue, offers: Sequence[Offer]) -> frozenset[str]:
    """The words of a facet's name, and of the ids of the capabilities that give it."""
    ids = " ".join(each.capability_id for each in offers if facet in each.gives)
    return _words(f"{facet} {ids}")


def _words(text: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in _WORD.findall(_CAMEL.sub(" ", text).casefold()))


def _stem(word: str) -> str:
    """Without the endings by which a word of an objective and a name differ most often."""
    for ending in ("ies", "ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


def spoken_words(envelope: JsonObject, contract: Contract) -> frozenset[str]:
    """The words of the objective, of the texts among the inputs and of what the contract says of a text."""
    texts: list[str] = [str(envelope.get("objective") or "")[:_MAX_CHARS], contract.instructions or ""]
    inputs = envelope.get("inputs")
    for value in islice(
        cast("dict[str, Any]", inputs).values() if isinstance(inputs, dict) else (), _MAX_INPUTS
    ):
        listed = cast("list[Any]", value)[:_MAX_INPUTS] if isinstance(value, list) else [value]
        texts += [each[:_MAX_INPUT_CHARS] for each in listed if isinstance(each, str)]
    return frozenset(_ANY_WORD.findall(" ".join(texts)[: 2 * _MAX_CHARS].casefold()))
