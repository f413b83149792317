"""Problems as HTTP says them."""

import pytest

from schemas.envelope import EnvelopeRefused, parse_envelope
from schemas.problem import build_problem


def test_a_refusal_becomes_a_problem_document() -> None:
    with pytest.raises(EnvelopeRefused) as caught:
        parse_envelope(b'{"outputContract":{"mode":"xml"},"objective":"x"}')
    problem = build_problem(
        400,
        "envelope_refused",
        "The body is not a TaskEnvelope.",
        errors=caught.value.problems,
        correlation_id="c-1",
    )
    assert problem.to_wire() == {
        "type": "urn:flexrun:problem:envelope_refused",
        "title": "Envelope refused",
        "status": 400,
        "detail": "The body is not a TaskEnvelope.",
        "statusMessage": "The body is not a TaskEnvelope.",
        "code": "envelope_refused",
        "errors": [
            {
                "pointer": "/outputContract/mode",
                "code": "unknown_mode",
                "message": "There is no such mode; use one of json_schema, freeform, facets.",
            }
        ],
        "correlationId": "c-1",
    }


def test_a_problem_without_a_correlation_id_does_not_mention_one() -> None:
    wire = build_problem(404, "run_unknown", "There is no such run.").to_wire()
    assert "correlationId" not in wire
    assert wire["errors"] == []
