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

from contracts.ajv.errors import ajv_errors
from contracts.grammar.identity import DEFAULT_DIALECT, dialect_of
from contracts.grammar.references import map_references
from contracts.grammar.subschemas import Schema
from contracts.patterns import (
    BACKTRACKING,
    LINEAR,
    BacktrackingPatterns,
    compiles,
    patterns,
)
from contracts.problems import AjvError, SchemaProblem, SchemaRefused
from schemas import pointer
from schemas.json_text import Path
from schemas.refusal import MAX_PROBLEMS


@dataclass(frozen=True, slots=True)
class CompiledSchema:
    """A schema that is ready to judge documents."""

    schema: Any
    validator: jsonschema_rs.Validator
    backtracking: BacktrackingPatterns

    def errors(self, document: Any, limit: int) -> list[AjvError]:
        """Everything wrong with `document`, up to `limit` errors; empty for a valid one. Raises EngineGaveUp."""
        self.backtracking.try_all(document)
        found = list(self.validator.iter_errors(document))
        return ajv_errors(found, self.schema, document, limit) if found else []


def compile_schema(schema: Any) -> CompiledSchema:
    """Compile a schema that has passed the gate; raises SchemaRefused."""
    try:
        return CompiledSchema(schema, _validator(schema, LINEAR), BacktrackingPatterns(()))
    except (ValidationError, ReferencingError) as error:
        found = [pattern for _, pattern in patterns(_schemas(schema))]
        if not found:
            raise SchemaRefused(_diagnose(schema, error)) from None
    try:
        return CompiledSchema(schema, _validator(schema, BACKTRACKING), BacktrackingPatterns(found))
    except (ValidationError, ReferencingError) as error:
        raise SchemaRefused(_diagnose(schema, error)) from None


def _validator(schema: Any, engine: RegexOptions | FancyRegexOptions) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema, offline=True, validate_formats=True, pattern_options=engine)


def _schemas(schema: Any) -> list[tuple[Path, Schema]]:
    return map_references(cast("Schema", schema)).schemas if isinstance(schema, dict) else []


def _diagnose(schema: Any, error: ValidationError | ReferencingError) -> list[SchemaProblem]:
    """The compiler stops at the first mistake; its author wants to know them all."""
    problems: list[SchemaProblem] = []
    if isinstance(schema, dict):
        root = cast("Schema", schema)
        problems = list(islice(_meta_problems(root), MAX_PROBLEMS))
        problems += islice(_pattern_problems(map_references(root).schemas), MAX_PROBLEMS)
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


def _pattern_problems(schemas: list[tuple[Path, Schema]]) -> Iterator[SchemaProblem]:
    message = (
        "This is not a regular expression that either of the engines takes, or one that becomes too large when "
        "compiled (counted repeats of counted repeats, or of large character classes)."
    )
    for path, pattern in patterns(schemas):
        if not compiles(pattern, BACKTRACKING):
            yield SchemaProblem("schema_bad_pattern", pointer.build_bounded(path), message)
