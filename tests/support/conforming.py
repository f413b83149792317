"""Answers checked against OpenAPI."""

from typing import Any

from jsonschema import Draft202012Validator

from gateway.app import ENDPOINTS
from gateway.operations.openapi import openapi_document


def conforms(model: str, body: Any) -> None:
    """Assert that an answer conforms to the component of this name."""
    components = openapi_document(ENDPOINTS, "test")["components"]
    validator = Draft202012Validator({"$ref": f"#/components/schemas/{model}", "components": components})
    assert not list(validator.iter_errors(body))
