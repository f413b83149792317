"""Whatever is thrown at the parsers, they give a model or a refusal with a usable pointer: nothing else."""

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import pointer
from schemas.base import Model
from schemas.envelope import EnvelopeRefused, parse_envelope
from schemas.export import PUBLIC_MODELS
from schemas.parsing import parse_document, validate_document
from schemas.refusal import DocumentRefused
from tests.schemas.strategies import ENVELOPES, GOOD_ENVELOPES, JSON, canonical


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
        assert canonical(envelope.to_wire()) == canonical(document)


@settings(deadline=None, max_examples=200)
@given(GOOD_ENVELOPES)
def test_any_good_envelope_comes_back_as_it_was_sent(document: dict[str, Any]) -> None:
    assert canonical(parse_envelope(orjson.dumps(document)).to_wire()) == canonical(document)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_an_envelope_or_a_refusal(raw: bytes) -> None:
    with contextlib.suppress(EnvelopeRefused):
        parse_envelope(raw)


@settings(deadline=None, max_examples=25)
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
