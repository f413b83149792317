"""The structural gate: what a caller's schema must be before a validator may see it.

It is pure Python, takes time linear in the schema and never recurses: a hostile schema that would make a validator
fetch, recurse or grow does not reach one. A schema of 256 KB takes longer than an event loop may be blocked, so
all but `canonical_schema` runs in a child process (see `contracts.process`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import orjson

from contracts.expansion import all_edges, expanded_sizes, same_place_edges
from contracts.grammar.identity import identity_problems, reads_ref_alone
from contracts.grammar.references import ReferenceMap, map_references
from contracts.grammar.subschemas import Schema
from contracts.problems import SchemaProblem, SchemaRefused
from schemas import pointer
from schemas.json_text import Path, walk
from schemas.refusal import MAX_PROBLEMS


@dataclass(frozen=True, slots=True)
class GateLimits:
    """How large a caller's schema may be. Generous for people and their generators, tight for attackers."""

    max_bytes: int = 256 * 1024
    max_depth: int = 64
    max_values: int = 20_000
    max_members: int = 1_000
    max_enum_values: int = 5_000
    max_same_place_schemas: int = 5_000
    max_expanded_schemas: int = 500_000


DEFAULT_LIMITS = GateLimits()


def canonical_schema(schema: object, limits: GateLimits = DEFAULT_LIMITS) -> bytes:
    """The one text of a schema, keys sorted; equal schemas have equal texts. Raises SchemaRefused."""
    if not _may_be_schema(schema):
        message = "A JSON Schema is an object, or true or false."
        raise SchemaRefused([SchemaProblem("schema_not_an_object", "", message)])
    try:
        text = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        too_large = next(_size_problems(schema, limits), None)
        raise SchemaRefused(
            [too_large or SchemaProblem("schema_not_json", "", f"This is not JSON: {error}.")]
        ) from None
    if len(text) > limits.max_bytes:
        message = f"The schema has {len(text)} bytes; at most {limits.max_bytes} are allowed."
        raise SchemaRefused([SchemaProblem("schema_too_large", "", message)])
    return text


def pass_gate(text: bytes, limits: GateLimits = DEFAULT_LIMITS) -> None:
    """Check a schema by its canonical text; raises SchemaRefused with everything found (the worst kinds alone)."""
    schema: Any = orjson.loads(text)
    _refuse(_shape_problems(schema, limits))
    if isinstance(schema, bool):
        return
    root = cast("Schema", schema)
    references = map_references(root)
    _refuse(_content_problems(root, references, limits))
    _refuse(_expansion_problems(root, references, limits))


def _refuse(problems: Iterator[SchemaProblem]) -> None:
    found = list(islice(problems, MAX_PROBLEMS))
    if found:
        raise SchemaRefused(found)


def _may_be_schema(value: object) -> bool:
    return isinstance(value, dict | bool)


def _is_container(value: object) -> bool:
    return isinstance(value, dict | list)


def _shape_problems(schema: object, limits: GateLimits) -> Iterator[SchemaProblem]:
    too_large = next(_size_problems(schema, limits), None)
    if too_large:
        yield too_large
        return
    for value, path in walk(schema):
        yield from _value_problems(value, path, limits)


def _size_problems(schema: object, limits: GateLimits) -> Iterator[SchemaProblem]:
    for count, (value, path) in enumerate(walk(schema), start=1):
        if count > limits.max_values:
            message = f"The schema holds more than {limits.max_values} values."
            yield SchemaProblem("schema_too_large", "", message)
            return
        if _is_container(value) and len(path) >= limits.max_depth:
            message = f"Objects and arrays of a schema may be nested at most {limits.max_depth} deep."
            yield SchemaProblem("schema_too_deep", pointer.build_bounded(path), message)
            return


def _value_problems(value: object, path: Path, limits: GateLimits) -> Iterator[SchemaProblem]:
    if isinstance(value, str) and "\0" in value:
        yield _nul(path, "Text may not contain NUL characters (\\u0000).")
    elif isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if len(members) > limits.max_members:
            message = (
                f"An object of a schema may have at most {limits.max_members} members, not {len(members)}."
            )
            yield SchemaProblem("schema_too_many_members", pointer.build_bounded(path), message)
        if any("\0" in key for key in members):
            yield _nul(path, "A key of this object has a NUL character (\\u0000).")


def _nul(path: Path, message: str) -> SchemaProblem:
    return SchemaProblem("schema_nul_character", pointer.build_bounded(path), message)


def _content_problems(root: Schema, references: ReferenceMap, limits: GateLimits) -> Iterator[SchemaProblem]:
    yield from identity_problems(root, references)
    yield from references.problems
    for path, schema in references.schemas:
        values = schema.get("enum")
        if isinstance(values, list) and len(cast("list[Any]", values)) > limits.max_enum_values:
            message = f"An enum may list at most {limits.max_enum_values} values."
            yield SchemaProblem("schema_enum_too_long", pointer.build_bounded((*path, "enum")), message)


def _expansion_problems(
    root: Schema, references: ReferenceMap, limits: GateLimits
) -> Iterator[SchemaProblem]:
    ref_stands_alone = reads_ref_alone(root)
    paths = {id(schema): path for path, schema in references.schemas}
    everywhere = [schema for _, schema in references.schemas]
    edges = same_place_edges(references, ref_stands_alone=ref_stands_alone)
    sizes, looping = expanded_sizes(everywhere, edges, limits.max_same_place_schemas)
    for schema in looping:
        message = (
            "This schema leads back to itself without moving into the document, so checking it never ends."
        )
        yield SchemaProblem("schema_endless_ref", pointer.build_bounded(paths[id(schema)]), message)
    if max(sizes.values()) > limits.max_same_place_schemas:
        worst = max(everywhere, key=lambda schema: sizes[id(schema)])
        yield _expands_too_far(paths[id(worst)], limits.max_same_place_schemas, "on one value")
        return
    edges = all_edges(references, ref_stands_alone=ref_stands_alone)
    sizes, _ = expanded_sizes([root], edges, limits.max_expanded_schemas)
    if sizes[id(root)] > limits.max_expanded_schemas:
        yield _expands_too_far((), limits.max_expanded_schemas, "in all")


def _expands_too_far(path: Path, limit: int, where: str) -> SchemaProblem:
    message = (
        f"With its references written out, this comes to more than {limit} schemas {where}. "
        "References that double at every level are the usual cause."
    )
    return SchemaProblem("schema_expands_too_far", pointer.build_bounded(path), message)
