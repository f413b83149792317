"""What is said of an invalid document stays small, however large the contract and the document are."""

from typing import Any

import orjson
import pytest

from contracts.checker import ContractChecker
from contracts.process import MAX_ERROR_BYTES, MAX_ERRORS_BYTES

LONG_ENUM = {"type": "array", "items": {"enum": [f"text number {number:040d}" for number in range(4_000)]}}
LONG_KEYS = {"type": "object", "additionalProperties": False, "propertyNames": {"maxLength": 3}}


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        (LONG_ENUM, ["x"] * 20),
        ({"type": "array", "items": {"const": "a"}}, [{"k": "x" * 3_000}] * 500),
        ({"const": ["a" * 50_000]}, "b"),
        (LONG_KEYS, {f"{'k' * 2_000}{number}": 1 for number in range(40)}),
    ],
)
async def test_errors_are_few_and_short(door: ContractChecker, schema: Any, document: Any) -> None:
    errors = await door.check(schema, document)
    assert errors
    assert len(orjson.dumps(errors)) <= MAX_ERRORS_BYTES + MAX_ERROR_BYTES
    assert all(len(orjson.dumps(error)) <= MAX_ERROR_BYTES for error in errors)


async def test_a_short_error_is_whole(door: ContractChecker) -> None:
    [error] = await door.check({"enum": ["a", "b"]}, "c")
    assert error["params"] == {"allowedValues": ["a", "b"]}
