"""jsonschema-rs's findings in Ajv's order and number: all of them, branches first, up to a limit."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import orjson
from jsonschema_rs import ValidationError, ValidationErrorKind

from schemas.contracts.ajv_words import Finding, tell, tell_plainly
from schemas.contracts.problems import ContractError

MAX_ERROR_BYTES = 64 * 1024


def ajv_errors(
    errors: Sequence[ValidationError], schema: Any, document: Any, limit: int
) -> list[ContractError]:
    """At most `limit` errors and about `MAX_ERROR_BYTES` of them; never none for a document that is invalid."""
    told: list[ContractError] = []
    size = 0
    for error in islice(_tell_all(errors, schema, document), limit):
        size += len(orjson.dumps(error, default=float))
        if told and size > MAX_ERROR_BYTES:
            break
        told.append(error)
    return told or [tell_plainly(Finding(error, schema, document)) for error in errors[:1]]


def _tell_all(errors: Sequence[ValidationError], schema: Any, document: Any) -> Iterator[ContractError]:
    """Depth first, branches before the keyword that they belong to; never recursive."""
    stack = [(error, False) for error in reversed(errors)]
    while stack:
        error, branches_are_told = stack.pop()
        inner = [] if branches_are_told else _branches(error)
        if inner:
            stack.append((error, True))
            stack.extend((branch_error, False) for branch_error in reversed(inner))
        else:
            yield from tell(Finding(error, schema, document))


def _branches(error: ValidationError) -> list[ValidationError]:
    match error.kind:
        case ValidationErrorKind.AnyOf(context=context) | ValidationErrorKind.OneOfNotValid(context=context):
            return [inner for branch in context for inner in branch]
        case _:
            return []
