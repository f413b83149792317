"""Whatever is thrown at the parsers, they give a model or a refusal with a usable pointer: nothing else."""

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import pointer
from schemas.base import Model
from schemas.envelope import EnvelopeRefused, TaskEnvelope, parse_envelope
from schemas.export import PUBLIC_MODELS
from schemas.parsing import parse_document, validate_document
from schemas.refusal import DocumentRefused

INTEGERS = st.integers(-(2**63), 2**64 - 1)
NUMBERS = INTEGERS | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KNOWN_KEYS = st.sampled_from(
    [
        *TaskEnvelope.model_json_schema()["properties"],
        *("mode", "schema", "hints", "example", "facets", "instructions", "expectedFormat"),
        *("planner", "runtime", "requiresHitlApproval", "deadlineSeconds", "threadId", "thread_id"),
        *("correlationId", "trigger"),
    ]
)
KNOWN_VALUES = st.sampled_from(["json_schema", "freeform", "facets", "x", True, 1])
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


def assert_points_into(document: Any, problem_pointer: str, code: str) -> None:
    """A missing key is not there, but its parent is."""
    if code == "missing":
        problem_pointer = problem_pointer.rpartition("/")[0]
    pointer.resolve(document, problem_pointer)


@settings(deadline=None, max_examples=300)
@given(ENVELOPES)
@example({"objective": "x", "outputContract": {"schema": {}, "\x00json_schema": 1}})
@example({"objective": "x", "outputContract": {"mode": "facets", "facets": {"facets": []}}})
def test_any_json_is_an_envelope_that_comes_back_or_a_refusal_that_points_into_it(document: Any) -> None:
    raw = orjson.dumps(document)
    try:
        envelope = parse_envelope(raw)
    except EnvelopeRefused as refusal:
        for problem in refusal.problems:
            assert_points_into(document, problem.pointer, problem.code)
    else:
        wire = envelope.to_wire()
        assert orjson.dumps(wire, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
            document, option=orjson.OPT_SORT_KEYS
        )


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_an_envelope_or_a_refusal(raw: bytes) -> None:
    with contextlib.suppress(EnvelopeRefused):
        parse_envelope(raw)


@settings(deadline=None, max_examples=60)
@given(JSON)
@pytest.mark.parametrize("model", PUBLIC_MODELS.values(), ids=PUBLIC_MODELS)
def test_any_json_is_read_or_refused_by_every_public_model(model: type[Model], document: Any) -> None:
    try:
        parsed = parse_document(model, orjson.dumps(document))
    except DocumentRefused as refusal:
        for problem in refusal.problems:
            assert_points_into(document, problem.pointer, problem.code)
    else:
        assert validate_document(model, orjson.loads(orjson.dumps(parsed.to_wire()))) == parsed
