"""What the gateway and the command line answer, against the schemas that describe it."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator

from gateway.app import ENDPOINTS
from gateway.operations.openapi import openapi_document
from tests.support.processes import ROOT


@cache
def validator(model: str) -> Draft202012Validator:
    """A validator for a component of the OpenAPI document, which can refer to all others."""
    document = openapi_document(ENDPOINTS, "test")
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{model}", "components": document["components"]}
    )


def must_be(model: str, document: Any) -> None:
    """Raise an error that names the first place where the document is not of this model."""
    validator(model).validate(document)


def documented(name: str, document: Any) -> None:
    """The same for a schema of `docs/schemas/`: what no endpoint answers."""
    Draft202012Validator(orjson.loads((ROOT / "docs/schemas" / f"{name}.json").read_bytes())).validate(
        document
    )
