"""The query of a request: a model for each endpoint that takes one, and what its values are read as."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from gateway.problems import ProblemError
from runs.event import parse_time
from schemas.base import wire_name
from schemas.refusal import FieldProblem

Q = TypeVar("Q", bound="Query")

_NUMBER = re.compile(r"[0-9]{1,18}")
_TEXT: Mapping[str, Any] = {"type": "string"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an endpoint, for OpenAPI."""

    name: str
    place: Literal["path", "query", "header"]
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: _TEXT)


class Query(BaseModel):
    """The query parameters of an endpoint: what they are read as, within which limits, and what OpenAPI says of them.

    Each field is annotated with a `QueryValue`; one that is not in the query has its default.
    """

    model_config = ConfigDict(alias_generator=wire_name, frozen=True, defer_build=True)


class QueryValueError(ValueError):
    """A value of the query that is not taken; the text says what is."""


@dataclass(frozen=True, slots=True)
class QueryValue:
    """How one parameter is read, and what OpenAPI says of it.

    `read` gets the text (all texts, where the parameter is `repeated`) and the parameter's name, and raises
    QueryValueError.
    """

    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: _TEXT)
    read: Callable[[Any, str], Any] = lambda text, _name: text
    repeated: bool = False

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        def read(given: Any, info: core_schema.ValidationInfo) -> Any:
            try:
                return self.read(given, wire_name(info.field_name or ""))
            except QueryValueError as error:
                raise PydanticCustomError("query_invalid", "{message}", {"message": str(error)}) from None

        return core_schema.with_info_plain_validator_function(read)


def whole_number(description: str, *, least: int, most: int | None = None) -> QueryValue:
    """A whole number of at least `least` and at most `most`."""
    expected = f"a whole number from {least}" + (f" to {most}" if most is not None else "")

    def read(text: str, name: str) -> int:
        number = int(text) if _NUMBER.fullmatch(text) else -1
        if number < least or (most is not None and number > most):
            raise QueryValueError(f"{name} must be {expected}.")
        return number

    maximum = {"maximum": most} if most is not None else {}
    return QueryValue(description, {"type": "integer", "minimum": least, **maximum}, read)


def yes_or_no(description: str) -> QueryValue:
    """`true` or `false`."""

    def read(text: str, name: str) -> bool:
        if text not in ("true", "false"):
            raise QueryValueError(f"{name} must be true or false.")
        return text == "true"

    return QueryValue(description, {"type": "boolean"}, read)


def moment(description: str) -> QueryValue:
    """A time as RFC 3339 has it."""

    def read(text: str, name: str) -> datetime:
        try:
            return parse_time(text)
        except ValueError:
            raise QueryValueError(f"{name} must be a time such as 2026-11-22T12:00:00Z.") from None

    return QueryValue(description, {"type": "string", "format": "date-time"}, read)


def repeated(description: str) -> QueryValue:
    """A parameter that may be given more than once: all its values."""
    return QueryValue(description, read=lambda texts, _name: tuple(texts), repeated=True)


def known_value(text: str, name: str, values: Sequence[str]) -> str:
    """`text`, which is one of `values`. Raises QueryValueError."""
    if text not in values:
        raise QueryValueError(f"there is no {name} {text[:50]!r}; there are {', '.join(values)}.")
    return text


def read_query(request: web.Request, model: type[Q]) -> Q:
    """The query as a `model`. Raises ProblemError (400), and RunUnknown for what no run can have as its id."""
    given: dict[str, Any] = {}
    for name, value in query_values(model):
        if name in request.query:
            given[name] = request.query.getall(name) if value.repeated else request.query[name]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise query_problem(str(first["loc"][0]), first["msg"]) from None


@cache
def query_values(model: type[Query]) -> Sequence[tuple[str, QueryValue]]:
    """The parameters of a model in their order, each with its wire name."""
    return tuple(
        (wire_name(name), value)
        for name, each in model.model_fields.items()
        for value in each.metadata
        if isinstance(value, QueryValue)
    )


def query_parameters(model: type[Query]) -> list[Parameter]:
    """The parameters of a model, for OpenAPI."""
    return [Parameter(name, "query", each.description, each.schema) for name, each in query_values(model)]


def refuse_unknown(request: web.Request, known: Collection[str]) -> None:
    """Raise ProblemError (400) for a query parameter that would be passed over, most likely a typing mistake."""
    unknown = [name for name in request.query if name not in known]
    if unknown:
        there_are = f"there are {', '.join(known)}" if known else "there are none here"
        raise query_problem(unknown[0], f"There is no parameter {unknown[0][:50]!r}; {there_are}.")


def query_problem(name: str, message: str) -> ProblemError:
    """The 400 for one parameter of the query."""
    problem = FieldProblem("query_invalid", "", message)
    return ProblemError(400, "query_invalid", f"Query parameter {name[:50]!r}: {message}", errors=[problem])
