"""What a command prints with `--json`, held to the shape that `/openapi.json` describes."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator

from gateway.app import ENDPOINTS
from gateway.operations.openapi import openapi_document
from tests.support.cli import Done


@cache
def _validator(model: str) -> Draft202012Validator:
    document = openapi_document(ENDPOINTS, "test")
    assert model in document["components"]["schemas"], model
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{model}", "components": document["components"]}
    )


def fits(model: str, document: Any) -> Any:
    """`document`, which is what OpenAPI says of this model."""
    assert not [error.message for error in _validator(model).iter_errors(document)], model
    return document


def printed(done: Done, model: str, status: int = 0) -> Any:
    """The document that a command has printed."""
    assert done.status == status, done.err
    return fits(model, orjson.loads(done.out))
