"""Lint for schemas: what a validator would accept and its author cannot mean is refused, with what to write instead.

A keyword that a dialect does not have is an annotation to every validator: it is passed over, and the output is checked
against less than was asked for. These rules are for schemas that come in. What has been accepted once is checked as it
stands, so that a run of an earlier release can be finished.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, cast

from contracts.grammar.identity import DEFAULT_DIALECT, dialect_of
from contracts.grammar.references import map_references
from contracts.grammar.subschemas import Schema
from contracts.problems import SchemaProblem
from schemas import pointer
from schemas.json_text import Path
from schemas.spelling import misspelling_of

MAX_UNKNOWN_KEYWORDS = 2_000
"""How many keywords that no draft has are compared with those of the drafts."""


def _is_schema(value: object) -> bool:
    return isinstance(value, dict | bool)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | str)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_anything(_value: object) -> bool:
    return True


_TAKES: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(
        ("additionalItems", "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames",
         "then", "unevaluatedItems", "unevaluatedProperties"),
        _is_schema,
    ),
    **dict.fromkeys(("allOf", "anyOf", "enum", "oneOf", "prefixItems"), _is_list),
    "required": lambda value: isinstance(value, list | bool),
    **dict.fromkeys(
        ("dependencies", "dependentRequired", "dependentSchemas", "patternProperties", "properties"),
        lambda value: isinstance(value, dict),
    ),
    **dict.fromkeys(
        ("exclusiveMaximum", "exclusiveMinimum", "maxContains", "maxItems", "maxLength", "maxProperties",
         "maximum", "minContains", "minItems", "minLength", "minProperties", "minimum", "multipleOf"),
        _is_number,
    ),
    **dict.fromkeys(("$dynamicRef", "$recursiveRef", "$ref", "contentEncoding", "contentMediaType", "format",
                     "pattern"), _is_text),
    "type": lambda value: isinstance(value, str | list),
    "uniqueItems": lambda value: isinstance(value, bool),
    "const": _is_anything,
}  # fmt: skip
"""The keywords that a document can break -> whether a value could be meant for them. All others are annotations."""

_ANNOTATIONS = frozenset(
    {
        "$anchor",
        "$comment",
        "$defs",
        "$dynamicAnchor",
        "$id",
        "$recursiveAnchor",
        "$schema",
        "$vocabulary",
        "contentSchema",
        "default",
        "definitions",
        "deprecated",
        "description",
        "example",
        "examples",
        "id",
        "readOnly",
        "title",
        "writeOnly",
    }
)
_OTHER_WORDS = frozenset({"container", "cost", "formatter", "href", "when"})
"""Words of their own that happen to be near a keyword."""

_WRAPPERS = (
    ("json_schema", "schema"),
    ("schema",),
    ("json_schema",),
    ("jsonSchema",),
    ("input_schema",),
    ("inputSchema",),
    ("parameters",),
)
"""Where others' formats keep the schema: OpenAI's response format and tools, Anthropic's and MCP's tools."""


def lint_schema(schema: Any) -> Iterator[SchemaProblem]:
    """What is most likely not meant in a schema that has passed the gate, with its place and what to write instead."""
    if not isinstance(schema, dict):
        return
    root = cast("Schema", schema)
    wrapped = _wrapper_problem(root)
    if wrapped is not None:
        yield wrapped
        return
    is_newest = dialect_of(root) == DEFAULT_DIALECT
    schemas = map_references(root).schemas
    for path, each in schemas:
        yield from _nullable_problems(path, each)
        if is_newest:
            yield from _old_draft_problems(path, each, named="$schema" in root)
    yield from _misspelt_keywords(schemas)


def accepts_everything(schema: Any) -> SchemaProblem | None:
    """The problem of a schema that every output keeps; None for one that asks for something, and for `false`."""
    if schema is False or (isinstance(schema, dict) and _says_something(cast("Schema", schema))):
        return None
    message = (
        "This schema accepts every output, so it is no contract. Say what the output is: "
        '{"type": "object"} at least, or a contract with mode freeform or facets.'
    )
    if isinstance(schema, dict) and ("$defs" in schema or "definitions" in schema):
        message = 'This schema only defines others and accepts every output; name the one that is meant: "$ref": "#/…".'
    return SchemaProblem("schema_says_nothing", "", message)


def _says_something(schema: Schema) -> bool:
    return any(keyword in _TAKES for keyword in schema)


def _wrapper_problem(root: Schema) -> SchemaProblem | None:
    """`{name, strict, schema}` and its like: the schema is one level further down."""
    said = {keyword for keyword in root if keyword in _TAKES}
    if said - {"type"} or root.get("type") not in (None, "json_schema", "function"):
        return None
    for path in _WRAPPERS:
        inside: Any = root
        for step in path:
            inside = cast("Schema", inside).get(step) if isinstance(inside, dict) else None
        if isinstance(inside, dict) and _says_something(cast("Schema", inside)):
            where = ".".join(path)
            message = (
                f"This is a wrapper around a schema: the schema is inside `{where}`. Send that part alone."
            )
            return SchemaProblem("schema_wrapped", pointer.build(path), message)
    return None


def _nullable_problems(path: Path, schema: Schema) -> Iterator[SchemaProblem]:
    """`nullable: false` says what is so without it."""
    if "nullable" in schema and schema["nullable"] is not False:
        message = (
            "nullable is a word of OpenAPI 3.0 and no JSON Schema: it would be passed over. Add 'null' to the types, "
            'as in "type": ["string", "null"].'
        )
        yield SchemaProblem("schema_nullable", pointer.build_bounded((*path, "nullable")), message)


def _old_draft_problems(path: Path, schema: Schema, *, named: bool) -> Iterator[SchemaProblem]:
    where = "Name the draft that you mean with $schema" if named else "Name it with $schema"
    if isinstance(schema.get("items"), list):
        message = (
            "A list in items is draft 7 and older; 2020-12, which this is read as, has one schema there. "
            f'{where} ("http://json-schema.org/draft-07/schema#"), or use prefixItems.'
        )
        yield SchemaProblem("schema_other_draft", pointer.build_bounded((*path, "items")), message)
    for keyword, beside in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(keyword), bool):
            message = (
                f"true or false in {keyword} is draft 4; in 2020-12, which this is read as, it is the limit itself. "
                f'{where} ("http://json-schema.org/draft-04/schema#"), or write the number of {beside} here.'
            )
            yield SchemaProblem("schema_other_draft", pointer.build_bounded((*path, keyword)), message)
    if isinstance(schema.get("required"), bool):
        message = (
            "true or false in required is draft 3. It is a list of names, beside the properties: "
            '"required": ["name"].'
        )
        yield SchemaProblem("schema_other_draft", pointer.build_bounded((*path, "required")), message)


def _misspelt_keywords(schemas: list[tuple[Path, Schema]]) -> Iterator[SchemaProblem]:
    unknown = (
        (path, keyword, value)
        for path, schema in schemas
        for keyword, value in schema.items()
        if not _is_known(keyword)
    )
    for path, keyword, value in islice(unknown, MAX_UNKNOWN_KEYWORDS):
        meant = misspelling_of(keyword, (known for known, takes in _TAKES.items() if takes(value)))
        if meant is not None and len(meant) > len("if"):
            message = (
                f"No draft of JSON Schema has this keyword, so it would be passed over; did you mean {meant!r}? "
                "Begin words of your own with x-."
            )
            yield SchemaProblem("schema_misspelt_keyword", pointer.build_bounded((*path, keyword)), message)


def _is_known(keyword: str) -> bool:
    """Words of the drafts, words that begin as one's own do, and keywords that are struck out (`xrequired`)."""
    return (
        keyword in _TAKES
        or keyword in _ANNOTATIONS
        or keyword in _OTHER_WORDS
        or keyword.startswith(("x-", "_", "//"))
        or keyword.removeprefix("x") in _TAKES
    )
