"""What a capability says about itself when it registers."""

from typing import Any

import pytest

from schemas.capability import CapabilityDescriptor
from schemas.parsing import validate_document
from schemas.refusal import DocumentRefused

DESCRIPTOR = {"id": "stub.linkedin.brief", "version": "1", "label": "Brief", "kind": "structuring"}


def test_a_descriptor_needs_little_and_keeps_what_it_does_not_know() -> None:
    parsed = validate_document(CapabilityDescriptor, DESCRIPTOR | {"costPerCall": 3})
    assert parsed.to_wire() == DESCRIPTOR | {
        "agentType": "ai",
        "facetsIn": [],
        "facetsOut": [],
        "outputSchema": None,
        "timeoutSeconds": None,
        "queue": "default",
        "description": "",
        "costPerCall": 3,
    }


@pytest.mark.parametrize(
    ("keys", "code", "place"),
    [
        ({"id": "a b"}, "bad_format", "/id"),
        ({"kind": "wizardry"}, "not_allowed", "/kind"),
        ({"agentType": "robot"}, "not_allowed", "/agentType"),
        ({"facetsIn": "post_copy"}, "wrong_type", "/facetsIn"),
        ({"facetsOut": [1]}, "wrong_type", "/facetsOut/0"),
        ({"timeoutSeconds": 0}, "out_of_range", "/timeoutSeconds"),
        ({"queue": "Has.Dots"}, "bad_format", "/queue"),
        ({"outputSchema": "{}"}, "wrong_type", "/outputSchema"),
        ({"output_schema": {}}, "unknown_key", "/output_schema"),
    ],
)
def test_a_descriptor_of_the_wrong_shape_is_refused(keys: dict[str, Any], code: str, place: str) -> None:
    with pytest.raises(DocumentRefused) as caught:
        validate_document(CapabilityDescriptor, DESCRIPTOR | keys)
    assert [(problem.code, problem.pointer) for problem in caught.value.problems] == [(code, place)]
