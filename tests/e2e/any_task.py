"""Hypothesis strategies for a whole run: what is submitted, how it is answered, and how it is forked."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.planner.strategies import ANY_SCHEMAS, CONTRACTS, INPUTS, JSON, PLAIN_SCHEMAS, WORDS
from tests.support.linkedin import POST, array_of, contract_for, object_of

SIZES = st.sampled_from((1, 10, 300, 3_000))
LONG = st.tuples(WORDS.map(lambda text: text or "x"), st.sampled_from((1, 100, 60_000))).map(
    lambda drawn: (drawn[0] * drawn[1])[:1_500_000]
)
VALUES: st.SearchStrategy[Any] = (
    JSON
    | LONG
    | st.tuples(JSON, SIZES).map(lambda drawn: [drawn[0]] * drawn[1])
    | st.tuples(JSON, SIZES).map(lambda drawn: {f"member {n}": drawn[0] for n in range(drawn[1])})
)


def _refs(depth: int) -> dict[str, Any]:
    """A chain of references through so many definitions."""
    chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(depth)}
    return {
        **object_of({"body": {"$ref": "#/$defs/d0"}}),
        "$defs": {**chain, f"d{depth}": {"type": "string"}},
    }


def _nested(depth: int) -> Any:
    schema: Any = {"type": "string"}
    for _ in range(min(depth, 60)):
        schema = object_of({"body": schema})
    return schema


def _doubling(depth: int) -> dict[str, Any]:
    """Each definition refers to the next one twice."""
    defs = {
        f"d{n}": {"type": "object", "properties": {key: {"$ref": f"#/$defs/d{n + 1}"} for key in "ab"}}
        for n in range(min(depth, 100))
    }
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{min(depth, 100)}": {"type": "string"}}}


def _posts(field: str, schema: Any) -> dict[str, Any]:
    """The contract of the LinkedIn example, with this schema for one field of each variant."""
    properties = {**POST["properties"], field: schema}
    return object_of({"variants": array_of(object_of(properties, closed=False))}, closed=False)


LARGE_SCHEMAS: st.SearchStrategy[Any] = st.one_of(
    st.builds(lambda size, word: {"enum": [f"{word[:20]}{n}" for n in range(size)]}, SIZES, WORDS),
    st.builds(lambda size, each: {"oneOf": [each] * size}, SIZES, PLAIN_SCHEMAS),
    st.builds(lambda size, each: {"anyOf": [each] * size}, SIZES, PLAIN_SCHEMAS),
    st.builds(lambda size, each: {"allOf": [each] * size}, SIZES, PLAIN_SCHEMAS),
    st.builds(lambda size, each: object_of({f"p{n}": each for n in range(size)}), SIZES, PLAIN_SCHEMAS),
    SIZES.map(_refs),
    SIZES.map(_nested),
    SIZES.map(_doubling),
    st.builds(
        lambda least, shortest: array_of({"type": "string", "minLength": shortest}, minItems=least),
        st.sampled_from((0, 20, 3_000, 10**9)),
        st.sampled_from((0, 20, 3_000, 10**9)),
    ),
)
FIELDS = st.sampled_from(("headline", "body", "callToAction", "hashtags", "theme"))
SCHEMAS = (
    PLAIN_SCHEMAS
    | ANY_SCHEMAS
    | LARGE_SCHEMAS
    | st.builds(_posts, FIELDS, PLAIN_SCHEMAS | LARGE_SCHEMAS)
    | st.builds(lambda schema: object_of({"body": {"type": "string"}, "theme": schema}), LARGE_SCHEMAS)
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "quorum": st.integers(1, 2),
        "approvers": st.lists(st.sampled_from(("ann", "bob")), min_size=2, max_size=3, unique=True),
        "onReject": st.sampled_from(("fail", "replan", "rerun")),
        "plan": st.booleans(),
        "expiresInSeconds": st.integers(1, 100),
        "onExpiry": st.sampled_from(("reject", "approve")),
    },
)
EVENTS = st.sampled_from(
    ("plan_generated", "plan_updated", "node_complete", "node_error", "validation_error")
)
RUNTIME = st.fixed_dictionaries(
    {
        "trigger": EVENTS,
        "action": st.sampled_from(("hitl", "log", "log", "fail"))
        | st.builds(lambda question: {"type": "hitl", "question": "?" + question[:500]}, WORDS),
    }
)
POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "runtime": st.lists(RUNTIME, max_size=9),
        "hitl": RULES,
        "requiresHitlApproval": st.booleans(),
        "humanReview": st.booleans(),
        "maxAttempts": st.integers(1, 3),
        "fallback": st.sampled_from(("retry", "hitl", "abort")),
        "brandVoice": VALUES,
    },
)
CONSTRAINTS = st.fixed_dictionaries(
    {}, optional={"deadlineSeconds": st.integers(5, 60), "variantCount": st.integers(0, 7) | JSON}
)
OBJECTIVES = st.sampled_from(("Create LinkedIn posts", "Create a LinkedIn post", "Say hello"))
ENVELOPES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"objective": OBJECTIVES, "outputContract": SCHEMAS.map(contract_for) | CONTRACTS},
    optional={
        "inputs": INPUTS
        | st.fixed_dictionaries({"channel": st.just("linkedin")}, optional={"theme": VALUES}),
        "policies": POLICIES,
        "constraints": CONSTRAINTS,
        "specialInstructions": st.lists(WORDS.map(lambda text: "x" + text[:1_900]), max_size=50),
        "metadata": st.dictionaries(WORDS.map(lambda text: "own " + text[:20]), VALUES, max_size=2),
    },
)

RESPONSES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"responseType": "approval"},
        {"responseType": "rejection"},
        {"responseType": "rejection", "freeformText": "x" * 1_000},
        {"responseType": "freeform", "freeformText": "again"},
        {"responseType": "option", "selectedOptionId": "retry"},
        {"responseType": "withdraw"},
    ]
) | st.builds(lambda value: {"responseType": "edit", "editedOutput": value}, VALUES)
NODE_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "agentType": st.just("human"),
        "contract": st.fixed_dictionaries(
            {},
            optional={
                "output": SCHEMAS,
                "expectations": st.lists(WORDS.map(lambda text: "x" + text[:900]), max_size=100),
                "fallback": st.sampled_from(("retry", "hitl", "abort")),
                "maxAttempts": st.integers(1, 2),
            },
        ),
        "bundle": st.dictionaries(WORDS.map(lambda text: text[:20]), VALUES, max_size=3),
    },
)
FORKS = st.fixed_dictionaries(
    {"copies": st.sampled_from((0, 0, 1, 100)), "changes": st.lists(NODE_CHANGES, max_size=3)},
    optional={"inputs": st.dictionaries(WORDS, VALUES, max_size=2), "policies": POLICIES},
)
