"""Translates one finding of jsonschema-rs: the path, keyword, message and params that Ajv would give.

Where one finding of the library is several of Ajv's (one for each additional property), it becomes several.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast
from urllib.parse import quote

import orjson
from jsonschema_rs import ValidationError, ValidationErrorKind

from contracts.grammar.subschemas import ends_in_keyword
from contracts.problems import AjvError
from schemas import pointer

MAX_LISTED_VALUES = 100
MAX_MESSAGE_CHARS = 1_000
_SMALLEST_WRITTEN_OUT = 1e-6
_LARGEST_WRITTEN_OUT = 1e21


@dataclass(frozen=True, slots=True)
class Finding:
    """One error of the library, with the schema and the document that it is about."""

    error: ValidationError
    schema: Any
    document: Any

    def rule(self) -> Any:
        """The value in the schema that was broken, what stands at the keyword; None where the path is not exact."""
        return _at(self.schema, self.error.schema_path)

    def beside(self, keyword: str) -> Any:
        """The value of another keyword in the same schema object, or None."""
        return _at(self.schema, [*self.error.schema_path[:-1], keyword])

    def value(self) -> Any:
        """The part of the document that broke it, or None."""
        return _at(self.document, self.error.instance_path)

    def ajv_error(self, keyword: str, message: str, params: dict[str, Any], below: str = "") -> AjvError:
        """An Ajv error at the place of this finding; `below` is added to the schema path."""
        return {
            "instancePath": pointer.build(self.error.instance_path),
            "keyword": keyword,
            "message": message[:MAX_MESSAGE_CHARS],
            "params": params,
            "schemaPath": schema_path(self.error.schema_path) + below,
        }


def schema_path(path: Sequence[str | int]) -> str:
    """A place in the schema as Ajv writes it."""
    return "#" + quote(pointer.build(path), safe="/~!*'()$")


def number_text(number: float) -> str:
    """A number as JavaScript writes it: 3.0 is `3`, 1e-07 is `1e-7`."""
    if isinstance(number, int):
        return str(number)
    if number.is_integer() and abs(number) < _LARGEST_WRITTEN_OUT:
        return str(int(number))
    mantissa, _, exponent = repr(number).partition("e")
    if not exponent:
        return mantissa
    if _SMALLEST_WRITTEN_OUT <= abs(number) < 1:
        return format(Decimal(repr(number)), "f")
    return f"{mantissa}e{int(exponent):+d}"


def _at(document: Any, path: Sequence[str | int]) -> Any:
    try:
        for step in path:
            document = document[step]
    except (LookupError, TypeError):  # the library drops empty names from the paths of references
        return None
    return document


def translate(finding: Finding) -> Iterator[AjvError]:
    """The Ajv errors that one finding of the library amounts to; `anyOf` and `oneOf` without their branches."""
    kind = finding.error.kind
    if translator := _TRANSLATORS.get(type(kind)):
        yield from translator(finding)
    elif words := _WORDS.get(kind.name):
        parameter, sentence = words
        limit = _as_written(finding, next(iter(kind.as_dict().values()), None))
        params = {parameter: limit} if parameter else {}
        yield finding.ajv_error(kind.name, sentence.format(_shown(limit)), params)
    else:
        yield untranslated(finding)


def _as_written(finding: Finding, limit: Any) -> Any:
    """A number as the schema has it: the library compares floats, and gives back a float."""
    written = finding.rule()
    if written != limit or isinstance(written, bool):
        written = limit
    is_whole = isinstance(written, float) and written.is_integer() and abs(written) < 2**53
    return int(written) if is_whole else written


def _shown(limit: Any) -> str:
    return number_text(limit) if isinstance(limit, int | float) else str(limit)


def untranslated(finding: Finding) -> AjvError:
    """The finding in the library's own words."""
    keyword = finding.error.kind.name or str(next(reversed(finding.error.schema_path), "schema"))
    return finding.ajv_error(keyword, finding.error.message, {})


_WORDS: dict[str, tuple[str, str]] = {
    "additionalItems": ("limit", "must NOT have more than {} items"),
    "anyOf": ("", "must match a schema in anyOf"),
    "contentEncoding": ("contentEncoding", 'must be encoded as "{}"'),
    "contentMediaType": ("contentMediaType", 'must hold "{}"'),
    "format": ("format", 'must match format "{}"'),
    "maxItems": ("limit", "must NOT have more than {} items"),
    "maxLength": ("limit", "must NOT have more than {} characters"),
    "maxProperties": ("limit", "must NOT have more than {} properties"),
    "minItems": ("limit", "must NOT have fewer than {} items"),
    "minLength": ("limit", "must NOT have fewer than {} characters"),
    "minProperties": ("limit", "must NOT have fewer than {} properties"),
    "multipleOf": ("multipleOf", "must be multiple of {}"),
    "pattern": ("pattern", 'must match pattern "{}"'),
}
"""Keyword -> the name of Ajv's parameter, and Ajv's sentence around its value. The rest have translators."""


def _translate_not(finding: Finding) -> Iterator[AjvError]:
    yield finding.ajv_error("not", "must NOT be valid", {})


def _translate_comparison(finding: Finding) -> Iterator[AjvError]:
    keyword = finding.error.kind.name
    limit = _as_written(finding, finding.error.kind.as_dict()["limit"])
    sign = {"exclusiveMaximum": "<", "exclusiveMinimum": ">", "maximum": "<=", "minimum": ">="}[keyword]
    yield finding.ajv_error(keyword, f"must be {sign} {_shown(limit)}", {"comparison": sign, "limit": limit})


def _translate_type(finding: Finding) -> Iterator[AjvError]:
    types: list[str] = finding.error.kind.as_dict()["types"]
    if len(types) == 1:
        yield finding.ajv_error("type", f"must be {types[0]}", {"type": types[0]})
    else:
        in_order = finding.rule() or types
        yield finding.ajv_error("type", f"must be {','.join(in_order)}", {"type": in_order})


def _translate_const(finding: Finding) -> Iterator[AjvError]:
    yield finding.ajv_error("const", "must be equal to constant", {"allowedValue": finding.error.kind.value})


def _translate_enum(finding: Finding) -> Iterator[AjvError]:
    params = {"allowedValues": finding.error.kind.as_dict()["options"][:MAX_LISTED_VALUES]}
    yield finding.ajv_error("enum", "must be equal to one of the allowed values", params)


def _translate_required(finding: Finding) -> Iterator[AjvError]:
    missing: str = finding.error.kind.as_dict()["property"]
    if trigger := _trigger_of(finding, missing):
        yield _dependent_required(finding, trigger, missing)
    else:
        yield finding.ajv_error(
            "required", f"must have required property '{missing}'", {"missingProperty": missing}
        )


def _trigger_of(finding: Finding, missing: str) -> tuple[str, list[str]] | None:
    """The property whose presence asks for the missing one, with all that it asks for; None for plain `required`."""
    rules, present = finding.rule(), finding.value()
    if not isinstance(rules, dict):
        return None
    needs_of = cast("dict[str, Any]", rules)
    return next(
        ((name, needs) for name, needs in needs_of.items() if name in present and missing in needs), None
    )


def _dependent_required(finding: Finding, trigger: tuple[str, list[str]], missing: str) -> AjvError:
    name, needs = trigger
    wanted = ", ".join(needs)
    noun = "property" if len(needs) == 1 else "properties"
    params = {"property": name, "missingProperty": missing, "depsCount": len(needs), "deps": wanted}
    keyword = str(finding.error.schema_path[-1])
    return finding.ajv_error(keyword, f"must have {noun} {wanted} when property {name} is present", params)


def _translate_contains(finding: Finding) -> Iterator[AjvError]:
    least, most = finding.beside("minContains"), finding.beside("maxContains")
    least = 1 if least is None else least
    params = {"minContains": least} if most is None else {"minContains": least, "maxContains": most}
    most_words = "" if most is None else f" and no more than {most}"
    error = finding.ajv_error("contains", f"must contain at least {least}{most_words} valid item(s)", params)
    # The library names minContains or maxContains, whichever was broken.
    yield {**error, "schemaPath": schema_path([*finding.error.schema_path[:-1], "contains"])}


def _translate_one_of(finding: Finding) -> Iterator[AjvError]:
    passing: list[int] | None = None
    if isinstance(finding.error.kind, ValidationErrorKind.OneOfMultipleValid):
        passing = [index for index, errors in enumerate(finding.error.kind.context) if not errors][:2]
    yield finding.ajv_error("oneOf", "must match exactly one schema in oneOf", {"passingSchemas": passing})


def _translate_additional_properties(finding: Finding) -> Iterator[AjvError]:
    for name in finding.error.kind.as_dict()["unexpected"]:
        yield _additional_property(finding, name)


def _additional_property(finding: Finding, name: str) -> AjvError:
    params = {"additionalProperty": name}
    return finding.ajv_error("additionalProperties", "must NOT have additional properties", params)


def _translate_unevaluated_properties(finding: Finding) -> Iterator[AjvError]:
    for name in finding.error.kind.as_dict()["unexpected"]:
        params = {"unevaluatedProperty": name}
        yield finding.ajv_error("unevaluatedProperties", "must NOT have unevaluated properties", params)


def _translate_unevaluated_items(finding: Finding) -> Iterator[AjvError]:
    unexpected = finding.error.kind.as_dict()["unexpected"]
    limit = len(finding.value()) - len(unexpected)
    yield finding.ajv_error("unevaluatedItems", f"must NOT have more than {limit} items", {"limit": limit})


def _translate_unique_items(finding: Finding) -> Iterator[AjvError]:
    first_seen: dict[bytes, int] = {}
    for index, item in enumerate(finding.value()):
        earlier = first_seen.setdefault(orjson.dumps(item, option=orjson.OPT_SORT_KEYS), index)
        if earlier != index:
            message = f"must NOT have duplicate items (items ## {earlier} and {index} are identical)"
            yield finding.ajv_error("uniqueItems", message, {"i": index, "j": earlier})
            return
    yield finding.ajv_error(
        "uniqueItems", "must NOT have duplicate items", {}
    )  # 1 and 1.0 are equal, their texts not


def _translate_false_schema(finding: Finding) -> Iterator[AjvError]:
    """`false` is one finding of the library wherever it stands; Ajv names the keyword that it is the value of."""
    path = finding.error.schema_path
    if ends_in_keyword(path, "additionalProperties"):
        yield from (_additional_property(finding, name) for name in finding.value())
    elif ends_in_keyword(path, "items") and (prefix := finding.beside("prefixItems")):
        yield from _items_beyond(finding, len(prefix))
    else:
        yield finding.ajv_error("false schema", "boolean schema is false", {}, below="/false schema")


def _items_beyond(finding: Finding, limit: int) -> Iterator[AjvError]:
    """One error for the array; the library has one for each item beyond the prefix."""
    *array_path, index = finding.error.instance_path
    if index == limit:
        error = finding.ajv_error("items", f"must NOT have more than {limit} items", {"limit": limit})
        yield {**error, "instancePath": pointer.build(array_path)}


_TRANSLATORS: dict[type[ValidationErrorKind], Callable[[Finding], Iterator[AjvError]]] = {
    ValidationErrorKind.AdditionalProperties: _translate_additional_properties,
    ValidationErrorKind.Constant: _translate_const,
    ValidationErrorKind.Contains: _translate_contains,
    ValidationErrorKind.Enum: _translate_enum,
    ValidationErrorKind.ExclusiveMaximum: _translate_comparison,
    ValidationErrorKind.ExclusiveMinimum: _translate_comparison,
    ValidationErrorKind.FalseSchema: _translate_false_schema,
    ValidationErrorKind.Maximum: _translate_comparison,
    ValidationErrorKind.Minimum: _translate_comparison,
    ValidationErrorKind.Not: _translate_not,
    ValidationErrorKind.OneOfMultipleValid: _translate_one_of,
    ValidationErrorKind.OneOfNotValid: _translate_one_of,
    ValidationErrorKind.Required: _translate_required,
    ValidationErrorKind.Type: _translate_type,
    ValidationErrorKind.UnevaluatedItems: _translate_unevaluated_items,
    ValidationErrorKind.UnevaluatedProperties: _translate_unevaluated_properties,
    ValidationErrorKind.UniqueItems: _translate_unique_items,
}
