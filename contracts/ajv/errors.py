"""jsonschema-rs's findings in Ajv's number: all of them, what is inside a keyword before the keyword, up to a limit."""

from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from typing import Any

import orjson
from jsonschema_rs import ValidationError, ValidationErrorKind

from contracts.ajv.enclosing import Enclosing, enclosing
from contracts.ajv.words import Finding, translate, untranslated
from contracts.problems import AjvError

MAX_ERROR_BYTES = 64 * 1024


def ajv_errors(errors: Sequence[ValidationError], schema: Any, document: Any, limit: int) -> list[AjvError]:
    """At most `limit` errors and about `MAX_ERROR_BYTES` of them; never none for a document that is invalid."""
    translated: list[AjvError] = []
    size = 0
    for error in islice(_translate_all(errors, schema, document), limit):
        size += len(orjson.dumps(error, default=float))
        if translated and size > MAX_ERROR_BYTES:
            break
        translated.append(error)
    return translated or [untranslated(Finding(error, schema, document)) for error in errors[:1]]


def _translate_all(errors: Sequence[ValidationError], schema: Any, document: Any) -> Iterator[AjvError]:
    """Each error, and behind the last one inside an `if` or a `propertyNames` the error of that keyword."""
    around: list[Enclosing] = []
    for error, name in _depth_first(errors):
        now = enclosing(error, schema, name)
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(around, now, strict=False)))
        yield from (ended.error() for ended in reversed(around[shared:]))
        around = now
        yield from translate(Finding(error, schema, document))
    yield from (ended.error() for ended in reversed(around))


def _depth_first(errors: Sequence[ValidationError]) -> Iterator[tuple[ValidationError, str | None]]:
    """Branches before the keyword that they belong to, with the property name that they judge; never recursive."""
    stack: list[tuple[ValidationError, str | None, bool]] = [
        (error, None, False) for error in reversed(errors)
    ]
    while stack:
        error, name, branches_are_translated = stack.pop()
        if isinstance(error.kind, ValidationErrorKind.PropertyNames):
            stack.append((error.kind.error, str(error.kind.error.instance), False))
            continue
        inner = [] if branches_are_translated else _branches(error)
        if inner:
            stack.append((error, name, True))
            stack.extend((branch_error, name, False) for branch_error in reversed(inner))
        else:
            yield error, name


def _branches(error: ValidationError) -> list[ValidationError]:
    match error.kind:
        case ValidationErrorKind.AnyOf(context=context) | ValidationErrorKind.OneOfNotValid(context=context):
            return [inner for branch in context for inner in branch]
        case _:
            return []
