"""Compiles a caller's schema with jsonschema-rs, and when that fails, finds everything that is wrong with it.

It runs in the checker process only: compiling is where a hostile schema does its worst.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, cast

import jsonschema_rs
from jsonschema_rs import (
    FancyRegexOptions,
    ReferencingError,
    RegexOptions,
    ValidationError,
    ValidationErrorKind,
)

from schemas import pointer
from schemas.contracts.ajv import ajv_errors
from schemas.contracts.identity import DEFAULT_DIALECT, dialect_of
from schemas.contracts.problems import ContractError, SchemaProblem, SchemaRefused
from schemas.contracts.subschemas import Schema, every_subschema
from schemas.json_text import Path
from schemas.refusal import MAX_PROBLEMS

MAX_PATTERN_BYTES = 4 * 1024 * 1024
_LINEAR = RegexOptions(size_limit=MAX_PATTERN_BYTES, dfa_size_limit=MAX_PATTERN_BYTES)
_BACKTRACKING = FancyRegexOptions(size_limit=MAX_PATTERN_BYTES, dfa_size_limit=MAX_PATTERN_BYTES)


@dataclass(frozen=True, slots=True)
class CompiledSchema:
    """A schema that is ready to judge documents."""

    schema: Any
    validator: jsonschema_rs.Validator

    def errors(self, document: Any, limit: int) -> list[ContractError]:
        """Everything wrong with `document`, up to `limit` errors; empty for a valid one."""
        found = list(self.validator.iter_errors(document))
        return ajv_errors(found, self.schema, document, limit) if found else []


def compile_schema(schema: Any) -> CompiledSchema:
    """Compile a schema that has passed the gate; raises SchemaRefused."""
    try:
        validator = jsonschema_rs.validator_for(
            schema, offline=True, validate_formats=True, pattern_options=_LINEAR
        )
    except (ValidationError, ReferencingError) as error:
        raise SchemaRefused(_diagnose(schema, error)) from None
    return CompiledSchema(schema, validator)


def _diagnose(schema: Any, error: ValidationError | ReferencingError) -> list[SchemaProblem]:
    """The compiler stops at the first mistake; its author wants to know them all."""
    problems: list[SchemaProblem] = []
    if isinstance(schema, dict):
        root = cast("Schema", schema)
        problems = list(islice(_meta_problems(root), MAX_PROBLEMS))
        problems += islice(_pattern_problems(root), MAX_PROBLEMS)
    return problems or [_as_compiler_says(error)]


def _as_compiler_says(error: ValidationError | ReferencingError) -> SchemaProblem:
    if isinstance(error, ReferencingError) or isinstance(error.kind, ValidationErrorKind.Referencing):
        return SchemaProblem("schema_unresolved_ref", "", error.message)
    return SchemaProblem("schema_invalid", pointer.build_bounded(error.instance_path), error.message)


def _meta_problems(root: Schema) -> Iterator[SchemaProblem]:
    for error in _meta_validator(dialect_of(root) or DEFAULT_DIALECT).iter_errors(root):
        message = error.message
        if isinstance(error.kind, ValidationErrorKind.AnyOf):
            message = "; ".join(inner.message for branch in error.kind.context for inner in branch)
        yield SchemaProblem("schema_invalid", pointer.build_bounded(error.instance_path), message[:500])


@cache
def _meta_validator(dialect: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({"$schema": dialect, "$ref": dialect}, offline=True)


def _pattern_problems(root: Schema) -> Iterator[SchemaProblem]:
    for path, pattern in _patterns(root):
        if not _compiles(pattern, _LINEAR):
            yield SchemaProblem("schema_bad_pattern", pointer.build_bounded(path), _why_not(pattern))


def _patterns(root: Schema) -> Iterator[tuple[Path, str]]:
    for path, schema in every_subschema(root):
        if isinstance(pattern := schema.get("pattern"), str):
            yield (*path, "pattern"), pattern
        if isinstance(by_pattern := schema.get("patternProperties"), dict):
            for pattern in cast("dict[str, Any]", by_pattern):
                yield (*path, "patternProperties", pattern), pattern


def _compiles(pattern: str, engine: RegexOptions | FancyRegexOptions) -> bool:
    try:
        jsonschema_rs.validator_for({"pattern": pattern}, offline=True, pattern_options=engine)
    except ValidationError:
        return False
    return True


def _why_not(pattern: str) -> str:
    if _compiles(pattern, _BACKTRACKING):
        return (
            "Look-around and backreferences are not supported, since patterns must match in linear time; "
            "write this with plain groups, alternatives and repeats."
        )
    return (
        "This is not a regular expression, or one that becomes too large when compiled "
        "(counted repeats of counted repeats, or of large character classes)."
    )
