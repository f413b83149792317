"""What all models share: camelCase on the wire, snake_case in Python, and nothing is converted."""

from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError

NOT_BLANK = r"\S"
"""The pattern behind the problem code `blank`."""


_SENT_AS_THEY_ARE = frozenset({"goal_condition", "goal_condition_results"})
"""Words of the contract that callers already write with an underscore."""


@lru_cache(maxsize=1_024)
def wire_name(name: str) -> str:
    """`dependsOn` for `depends_on`; `from` for `from_`, since Python keeps some words for itself."""
    if name in _SENT_AS_THEY_ARE:
        return name
    return to_camel(name.rstrip("_"))


_JSON_TYPES: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    str: "a string",
    int: "a number",
    float: "a number",
    dict: "an object",
    list: "an array",
}


class Model(BaseModel):
    """A closed model: a key that it does not know is refused, since it is most likely a typing mistake.

    In Python it is built with field names; `schemas.parsing` validates documents by wire names only.
    """

    model_config = ConfigDict(
        alias_generator=wire_name,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        strict=True,
        frozen=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """The model as JSON values under its wire names, defaults included."""
        return self.model_dump(by_alias=True)


MAX_OTHER_KEYS = 200
"""How many keys that it does not know an open model keeps."""


class OpenModel(Model):
    """An open model: keys that it does not know are kept as they are.

    Refused are only those that would be kept and silently not obeyed: the snake_case twin of a known key, and what a
    model adds in `objection`.
    """

    model_config = ConfigDict(extra="allow")

    @classmethod
    def objection(cls, key: str) -> str | None:
        """Why this unknown key is refused; None where it is kept."""
        return f"Unknown key; did you mean {wire_name(key)!r}?" if key in cls.model_fields else None

    @model_validator(mode="after")
    def _refuse_mistaken_keys(self) -> Self:
        extra = sorted(islice(self.__pydantic_extra__ or (), MAX_OTHER_KEYS + 1))
        if len(extra) > MAX_OTHER_KEYS:
            raise refused(flaw("too_long", f"This may have at most {MAX_OTHER_KEYS} keys of your own."))
        found = [(key, message) for key in extra if (message := self.objection(key)) is not None]
        if found:
            raise refused(*(flaw("unknown_key", message, key) for key, message in found))
        return self


def flaw(code: str, message: str, *path: str | int) -> InitErrorDetails:
    """One problem at `path` below the model that is being validated; `path` is in wire names."""
    # Braces would be read as placeholders of the template.
    template = PydanticCustomError("flaw", "{message}", {"code": code, "message": message})
    return InitErrorDetails(type=template, loc=path, input=None)


def refused(*flaws: InitErrorDetails) -> ValidationError:
    """What a validator raises when it knows the exact places below its model; pydantic completes them."""
    return ValidationError.from_exception_data("document", list(flaws))


def _as_sent(value: Any, check: Callable[[Any], Any]) -> Any:
    check(value)
    return value


def _one_of(types: tuple[type, ...], words: str) -> WrapValidator:
    """A union that complains once and at the value's own place, where pydantic would once for each member."""

    def check(value: Any, _inner: Callable[[Any], Any]) -> Any:
        if not isinstance(value, types):
            raise refused(flaw("wrong_type", f"This must be {words}, not {json_type(value)}."))
        return value

    return WrapValidator(check)


def json_type(value: object) -> str:
    """What a JSON author calls the type of this value."""
    return _JSON_TYPES.get(type(value), "something that JSON does not have")


AS_SENT = WrapValidator(_as_sent)
"""Put last: the value is checked, and kept as it was; a number stays an integer if it was one."""

MAX_SECONDS = 366 * 24 * 3600

Duration = Annotated[float, Field(gt=0, le=MAX_SECONDS), AS_SENT]
"""Seconds, more than none and at most a year, so that every moment counted from them exists."""

MAX_NAME_CHARS = 200

Reference = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARS, pattern=NOT_BLANK)]
"""An id or a name from outside: 1 to 200 characters, not blank."""

CorrelationId = Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]{0,198}[!-~])?$")]
"""An id that is sent back in a header, so nothing in it may end a header line."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=10_000, pattern=NOT_BLANK)]
"""What a person writes: 1 to 10,000 characters, not blank."""

Note = Annotated[str, StringConstraints(max_length=10_000)]
"""A remark, which may be empty."""

NodeId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
RunId = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
]
JsonSchema = Annotated[dict[str, Any] | bool, _one_of((dict, bool), "a JSON Schema: an object or a boolean")]
TextOrObject = Annotated[str | dict[str, Any], _one_of((str, dict), "a string or an object")]

Timestamp = Annotated[
    str,
    StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:00)$"),
    Field(json_schema_extra={"format": "date-time"}),
]
"""A moment in UTC as RFC 3339 writes it."""


def _with_short_name(operator: str | dict[str, Any]) -> str | dict[str, Any]:
    if isinstance(operator, str) and not 0 < len(operator.strip()) <= 200:
        raise refused(flaw("bad_format", "A name has 1 to 200 characters and is not blank."))
    return operator


Operator = Annotated[TextOrObject, AfterValidator(_with_short_name)]
"""Who says that they decided: a name, or an object such as `{id, displayName}`. A token counts for more."""

PlanVersion = Annotated[int, Field(ge=1)]
