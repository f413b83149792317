"""Hypothesis strategies: inputs of any kind, schemas of any kind, and contracts that can be met."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.support.linkedin import array_of, contract_for, object_of

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
HOSTILE = st.sampled_from(
    [
        "{}", "{company}", "{0.__class__}", "%s %(x)s", "${HOME}", "{{7*7}}", "a\nb\r\nc", "\u202e\u2028", "…", " ",
        "x" * 5_000, "word " * 900, "🙂" * 200, "<script>alert(1)</script>", '"; drop table', "$node", "#", ".", "-",
    ]
)  # fmt: skip
USUAL = st.sampled_from(["Northwind Robotics", "platform engineers", "attract_new_employees", "inspiring"])
WORDS = TEXT | HOSTILE | USUAL
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
)
JSON: st.SearchStrategy[Any] = st.recursive(
    _SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
_PROFILE_KEYS = st.sampled_from(["companyName", "name", "coreValue", "recentEvent", "industry"])
PROFILES = st.fixed_dictionaries(
    {"type": st.sampled_from(["company_profile", "companyProfile", "x"]) | JSON},
    optional={"payload": JSON | st.dictionaries(_PROFILE_KEYS, WORDS | JSON)},
)
INPUTS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "channel": st.just("linkedin") | JSON,
        "audience": WORDS | st.lists(WORDS, max_size=3) | JSON,
        "goal": WORDS | JSON,
        "variantCount": st.integers(0, 7) | JSON,
        "company": WORDS | JSON,
        "contextBundles": st.lists(PROFILES | JSON, max_size=2) | JSON,
        "region": JSON,
    },
)
_VERBS = st.sampled_from(["highlight", "be"])
_FOR_A_VARIANT = st.builds("Variant {} should {} {}.".format, st.sampled_from("ABCDEFGZ"), _VERBS, WORDS)
INSTRUCTIONS: st.SearchStrategy[Any] = st.lists(WORDS | _FOR_A_VARIANT, max_size=4)
POLICIES: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {}, optional={"brandVoice": WORDS | JSON, "maxAttempts": st.integers(1, 3)}
)
_ASKED = st.sampled_from(["Create LinkedIn posts", "Draft a LinkedIn post that invites {} to x"])
OBJECTIVES = _ASKED | _ASKED | _ASKED | WORDS.map("x".__add__)

NAMES = st.sampled_from(
    [
        "headline", "title", "body", "text", "cta", "callToAction", "hashtags", "tags", "wordCount", "characterCount",
        "fullText", "variants", "posts", "items", "id", "label", "position", "channel", "audience", "goal", "company",
        "brief", "review", "keyMessages", "findings", "approved", "meta", "licence", "variantA", "variantB", "$node",
    ]
)  # fmt: skip
BOUND = st.integers(0, 400)
SIXTH = st.integers(0, 6)
_TYPES = st.lists(st.sampled_from(["string", "null", "boolean"]), min_size=1, unique=True)
_LISTED = st.lists(st.sampled_from(["linkedin", "a", "b", 1, 2]), min_size=1, unique=True)
_LEAF: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.fixed_dictionaries({"type": st.just("string")}, optional={"minLength": BOUND, "maxLength": BOUND}),
    st.fixed_dictionaries({"type": st.just("integer")}, optional={"minimum": BOUND, "maximum": BOUND}),
    st.fixed_dictionaries({"type": _TYPES}),
    st.builds(lambda value: {"const": value}, st.sampled_from([1, "linkedin", None, {"$node": "x"}])),
    st.builds(lambda values: {"enum": values}, _LISTED),
    st.just({"$ref": "#/$defs/shared"}),
)


def _deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    members = st.dictionaries(NAMES, inner, max_size=5)
    objects = st.builds(_object, members, st.booleans(), st.integers(0, 31))
    arrays = st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner},
        optional={"minItems": st.integers(0, 4), "maxItems": SIXTH},
    )
    both = st.builds(lambda parts: {"allOf": parts}, st.lists(objects, min_size=1, max_size=2))
    either = st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3))
    return objects | arrays | both | either


def _object(members: dict[str, Any], closed: bool, required: int) -> dict[str, Any]:
    names = [name for index, name in enumerate(members) if required & 1 << index]
    schema: dict[str, Any] = {"type": "object", "properties": members, "required": names}
    return {**schema, "additionalProperties": False} if closed else schema


PLAIN_SCHEMAS: st.SearchStrategy[Any] = st.recursive(_LEAF, _deeper, max_leaves=12)
"""Schemas of the kind that people write; some can be met, others not."""

KEYWORDS = st.sampled_from(
    [
        "type", "properties", "required", "items", "prefixItems", "allOf", "anyOf", "oneOf", "$ref", "const", "enum",
        "default", "additionalProperties", "minLength", "maxLength", "minItems", "maxItems", "minimum", "$defs",
        "$schema", "$anchor", "$id", "patternProperties", "format", "pattern", "exclusiveMinimum", "not", "if",
    ]
)  # fmt: skip
ANY_SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    JSON | PLAIN_SCHEMAS | st.sampled_from(["#", "#/$defs/x", "#x", "string", "object", "array"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS | NAMES, inner, max_size=5),
    max_leaves=20,
)
"""Schemas that no person would write: keywords with values of any kind."""

CONTRACTS = st.one_of(
    st.builds(contract_for, st.dictionaries(KEYWORDS, ANY_SCHEMAS, max_size=5) | st.booleans()),
    st.fixed_dictionaries(
        {"mode": st.just("freeform"), "instructions": WORDS.map("x".__add__)},
        optional={"expectedFormat": WORDS.map("x".__add__).map(lambda text: text[:900])},
    ),
    st.fixed_dictionaries(
        {
            "mode": st.just("facets"),
            "facets": st.lists(
                st.sampled_from(["post_copy", "creative_brief", "review", "nope"]), min_size=1, unique=True
            ),
        }
    ),
)


def envelopes(contracts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Envelopes with these contracts."""
    optional: dict[str, st.SearchStrategy[Any]] = {
        "inputs": INPUTS,
        "policies": POLICIES,
        "specialInstructions": INSTRUCTIONS,
        "metadata": st.dictionaries(TEXT.map("own ".__add__), JSON, max_size=2),
    }
    return st.fixed_dictionaries({"objective": OBJECTIVES, "outputContract": contracts}, optional=optional)


def _bounded(kind: str, low: str, high: str, least: int, most: int) -> st.SearchStrategy[dict[str, Any]]:
    """A type with a lower bound, an upper bound at least a fifth and 12 above it, both or neither."""
    lows = st.none() | st.integers(least, most)
    widths = st.none() | st.integers(12, 400)

    def made(lowest: int | None, width: int | None) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": kind}
        if lowest is not None:
            schema[low] = lowest
        if width is not None:
            schema[high] = (lowest or 0) + (lowest or 0) // 5 + width
        return schema

    return st.builds(made, lows, widths)


_HEADLINES = _bounded("string", "minLength", "maxLength", 0, 140).filter(
    lambda s: s.get("maxLength", 0) <= 900
)
_BODIES = _bounded("string", "minLength", "maxLength", 0, 3_000)
_CALLS = _bounded("string", "minLength", "maxLength", 0, 200)
_FIELDS: dict[str, tuple[list[str], st.SearchStrategy[Any]]] = {
    "headline": (["headline", "title", "post_title", "Subject"], _HEADLINES),
    "callToAction": (["callToAction", "cta", "call-to-action"], _CALLS),
    "hashtags": (
        ["hashtags", "tags"],
        st.builds(array_of, st.just({"type": "string"}), minItems=st.integers(0, 8)),
    ),
    "variantId": (["id", "variant_id"], st.just({"type": "string"})),
    "position": (["position", "number"], st.just({"type": "integer", "minimum": 1})),
    "characterCount": (["characterCount", "chars"], st.just({"type": "integer"})),
}


@st.composite
def posts_that_can_be(draw: st.DrawFn) -> dict[str, Any]:
    """The schema of one post: a body, and some of the other fields, each under one of its names."""
    properties: dict[str, Any] = {}
    if draw(st.booleans()):
        properties[draw(st.sampled_from(["body", "text", "content"]))] = draw(_BODIES)
        if draw(st.booleans()):
            properties["word_count"] = {"type": "integer", "minimum": 1}
    else:
        properties["wordCount"] = draw(_bounded("integer", "minimum", "maximum", 1, 300))
        properties["body"] = {"type": "string"}
    for names, schemas in _FIELDS.values():
        if draw(st.booleans()):
            properties[draw(st.sampled_from(names))] = draw(schemas)
    schema = object_of(properties, closed=draw(st.booleans()))
    return draw(st.sampled_from([schema, {"allOf": [schema]}, {"anyOf": [{"type": "integer"}, schema]}]))


@st.composite
def contracts_that_can_be(draw: st.DrawFn) -> tuple[dict[str, Any], int]:
    """A schema over the material, and a number of variants that it takes."""
    post = draw(posts_that_can_be())
    if draw(st.booleans()):
        return post, 1
    count = draw(st.integers(1, 6))
    posts = array_of(post, minItems=draw(st.integers(0, count)), maxItems=draw(st.integers(count, 6)))
    name = draw(st.sampled_from(["variants", "posts", "items", "ownName"]))
    extras = {
        "channel": {"const": "linkedin"},
        "audience": {"type": "string"},
        "variantCount": {"type": "integer"},
        "brief": {"type": "object"},
        "findings": {"type": "array"},
    }
    chosen = draw(st.lists(st.sampled_from(sorted(extras)), unique=True, max_size=3))
    whole = object_of({name: posts, **{extra: extras[extra] for extra in chosen}})
    return draw(st.sampled_from([posts, whole, object_of({"result": whole}), whole])), count
