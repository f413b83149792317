"""What a schema says about itself: its dialect and its name. Both may be said once, at the root."""

from collections.abc import Iterator
from typing import Any

from contracts.grammar.references import ReferenceMap
from contracts.grammar.subschemas import Schema
from contracts.problems import SchemaProblem
from schemas import pointer

DEFAULT_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_OLD_DIALECTS = frozenset(f"http://json-schema.org/draft-0{number}/schema" for number in (4, 6, 7))
DIALECTS = _OLD_DIALECTS | {"https://json-schema.org/draft/2019-09/schema", DEFAULT_DIALECT}


def dialect_of(schema: Schema) -> str | None:
    """The dialect that `$schema` names, without the empty fragment; None for one we do not have."""
    named: Any = schema.get("$schema", DEFAULT_DIALECT)
    if not isinstance(named, str):
        return None
    uri = named.removesuffix("#")
    http = uri.replace("https://", "http://", 1)
    return next((known for known in (uri, http) if known in DIALECTS), None)


def reads_ref_alone(root: Schema) -> bool:
    """Whether the dialect ignores everything that stands beside a `$ref`, as drafts 4, 6 and 7 do."""
    return dialect_of(root) in _OLD_DIALECTS


def identity_problems(root: Schema, references: ReferenceMap) -> Iterator[SchemaProblem]:
    """Unknown or mixed dialects, and names that would give references inside them another meaning."""
    dialect = dialect_of(root)
    if dialect is None:
        yield _unknown_dialect()
        return
    id_keyword = "id" if "draft-04" in dialect else "$id"
    yield from _root_id_problems(root, id_keyword)
    for path, schema in references.schemas:
        if schema is root:
            continue
        if "$schema" in schema and dialect_of(schema) != dialect:
            message = (
                "A part of a schema may not be of another dialect than the whole; leave $schema to the root."
            )
            yield SchemaProblem("schema_mixed_dialects", pointer.build_bounded((*path, "$schema")), message)
        name = schema.get(id_keyword)
        if isinstance(name, str) and not name.startswith("#"):
            message = (
                f"{id_keyword} inside a schema changes what every reference below it means; "
                "leave it out, or use $anchor."
            )
            yield SchemaProblem("schema_nested_id", pointer.build_bounded((*path, id_keyword)), message)


def _root_id_problems(root: Schema, id_keyword: str) -> Iterator[SchemaProblem]:
    name = root.get(id_keyword)
    if isinstance(name, str) and "//json-schema.org/" in name:
        message = "This is the name of a published meta-schema; give the contract a name of its own, or none."
        yield SchemaProblem("schema_reserved_id", f"/{id_keyword}", message)


def _unknown_dialect() -> SchemaProblem:
    message = (
        "$schema must be one of " + ", ".join(sorted(DIALECTS)) + ", or be left out, which means 2020-12."
    )
    return SchemaProblem("schema_unknown_dialect", "/$schema", message)
