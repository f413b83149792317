"""Hypothesis strategies: any JSON, documents that are nearly envelopes, and envelopes that are good."""

from typing import Any

import orjson
from hypothesis import strategies as st

from schemas.envelope import TaskEnvelope

INTEGERS = st.integers(-(2**63), 2**64 - 1)
NUMBERS = INTEGERS | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KNOWN_KEYS = st.sampled_from(
    [
        *TaskEnvelope.model_json_schema()["properties"],
        *("mode", "schema", "hints", "example", "facets", "instructions", "expectedFormat"),
        *("planner", "runtime", "requiresHitlApproval", "deadlineSeconds", "threadId", "thread_id"),
        *(
            "correlationId",
            "trigger",
            "action",
            "event",
            "type",
            "hitl",
            "maxAttempts",
            "fallback",
            "humanReview",
        ),
        *("approvers", "quorum", "expiresInSeconds", "onExpiry", "escalateTo", "nodeId", "question"),
    ]
)
KNOWN_VALUES = st.sampled_from(
    ["json_schema", "freeform", "facets", "x", True, 1, "node_complete", "plan_generated", "hitl", "escalate"]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT | KNOWN_VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KNOWN_KEYS | TEXT, inner, max_size=6),
    max_leaves=25,
)
CONTRACTS = JSON | st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["json_schema", "freeform", "facets", "x"]) | JSON,
        "schema": st.dictionaries(TEXT, JSON, max_size=2) | JSON,
        "instructions": TEXT | JSON,
        "facets": st.lists(TEXT, max_size=3) | JSON,
    },
)
ENVELOPES = JSON | st.fixed_dictionaries(
    {"objective": TEXT, "outputContract": CONTRACTS},
    optional={
        "inputs": st.dictionaries(TEXT, JSON, max_size=3) | JSON,
        "constraints": st.dictionaries(KNOWN_KEYS | TEXT, JSON, max_size=3) | JSON,
        "policies": st.dictionaries(KNOWN_KEYS | TEXT, JSON, max_size=3) | JSON,
        "metadata": st.dictionaries(KNOWN_KEYS | TEXT, JSON, max_size=3) | JSON,
        "specialInstructions": st.lists(TEXT, max_size=3) | JSON,
    },
)

# What is kept untouched: any key but one that a model obeys, or its snake_case twin.
FREE_TEXT = TEXT.filter(lambda text: "\0" not in text)
FREE_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | FREE_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FREE_TEXT, inner, max_size=4),
    max_leaves=15,
)
FREE_OBJECTS = st.dictionaries(FREE_TEXT.map("quite their own ".__add__), FREE_JSON, max_size=4)
GOOD_TEXT = FREE_TEXT.map("x".__add__)
GOOD_ENVELOPES = st.fixed_dictionaries(
    {
        "objective": GOOD_TEXT,
        "outputContract": st.fixed_dictionaries({"schema": FREE_OBJECTS | st.booleans()})
        | st.fixed_dictionaries(
            {"mode": st.just("json_schema"), "schema": FREE_OBJECTS},
            optional={"hints": FREE_OBJECTS, "example": FREE_JSON},
        )
        | st.fixed_dictionaries({"mode": st.just("freeform"), "instructions": GOOD_TEXT})
        | st.fixed_dictionaries(
            {"mode": st.just("facets"), "facets": st.lists(GOOD_TEXT, min_size=1, max_size=4, unique=True)}
        ),
    },
    optional={
        "inputs": st.dictionaries(FREE_TEXT, FREE_JSON, max_size=4),
        "constraints": st.fixed_dictionaries(
            {},
            optional={
                "threadId": st.none() | GOOD_TEXT,
                "deadlineSeconds": st.floats(1, 60),
                "variantCount": FREE_JSON,
            },
        ),
        "policies": FREE_OBJECTS,
        "metadata": FREE_OBJECTS,
        "specialInstructions": st.lists(FREE_TEXT, max_size=4),
    },
)


def canonical(document: Any) -> bytes:
    """The document as bytes that are equal exactly when the documents are."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
