"""Answers and frames for those who may read runs and not see what they hold.

In the place of each value that is withheld stands a marker: WITHHELD_TEXT for a text, WITHHELD for any JSON. What may
be shown is known from the models (`schemas.payload_marks`); a key that a model does not know is left out. So a field
that is added to a model later shows nothing that it should not, unless it is a text that nobody has marked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic.fields import FieldInfo

from schemas.base import Model, wire_name
from schemas.events import ERASED_MEMBER, PAYLOADS, FlexEvent
from schemas.json_types import Json, JsonObject
from schemas.payload_marks import PayloadMark
from schemas.tokens import Scope
from schemas.vocabulary import EventType

NEEDED: Scope = "runs:payload"
"""The scope that shows all of it."""

WITHHELD: Mapping[str, Json] = MappingProxyType({"withheld": NEEDED})
"""Stands in the place of a value of any type."""

WITHHELD_TEXT = f"(withheld: {NEEDED})"
"""Stands in the place of a text."""

OF_NO_RUN = "OF_NO_RUN"
"""The name of a class variable of models whose own fields are shown as they are: what they describe is of no run."""

_SAYS_NO_PAYLOAD: frozenset[EventType] = frozenset(
    {
        "start",
        "plan_requested",
        "plan_generated",
        "node_start",
        "node_complete",
        "hitl_resolved",
        "run_paused",
        "run_resumed",
        "priority_changed",
    }
)
"""The types of events whose `message` is made of names and labels alone."""

_Show = Callable[[Any], Any]


def without_payload(model: type[Model], document: JsonObject) -> JsonObject:
    """A document of this model with markers in the place of what is payload."""
    if model is FlexEvent:
        return frame_without_payload(document)
    shows = _fields(model)
    if _is_of_no_run(model):
        return {name: shows[name](value) if name in shows else value for name, value in document.items()}
    shown = {name: shows[name](value) for name, value in document.items() if name in shows}
    if "message" in shown and {"type", "timestamp"} <= shown.keys() and shown["type"] not in _SAYS_NO_PAYLOAD:
        shown["message"] = WITHHELD_TEXT  # an event in short
    return shown


def frame_without_payload(frame: JsonObject) -> JsonObject:
    """A FlexEvent with markers in the place of what is payload. Its `id` is that of the frame for everybody else."""
    payload: JsonObject = frame["payload"]
    shown = dict(frame)
    if ERASED_MEMBER in payload:
        return shown
    if "message" in shown and frame["type"] not in _SAYS_NO_PAYLOAD:
        shown["message"] = WITHHELD_TEXT
    model = PAYLOADS.get(cast(EventType, frame["type"]))
    shown["payload"] = dict(WITHHELD) if model is None else without_payload(model, payload)
    return shown


def withheld(value: Json) -> Json:
    """The marker for a value, as far as it is not null."""
    if value is None:
        return None
    return WITHHELD_TEXT if isinstance(value, str) else dict(WITHHELD)


@cache
def _fields(model: type[Model]) -> dict[str, _Show]:
    """How each field of a model is shown, by its name on the wire."""
    return {wire_name(name): _shown_field(model, name, field) for name, field in model.model_fields.items()}


def _shown_field(model: type[Model], name: str, field: FieldInfo) -> _Show:
    if any(name in base.model_fields for base in _bases_of_no_run(model)):
        return _as_it_is
    return _shown(field.annotation, field.metadata)


def _is_of_no_run(model: type[Model]) -> bool:
    return bool(_bases_of_no_run(model))


@cache
def _bases_of_no_run(model: type[Model]) -> list[type[Model]]:
    return [base for base in model.__mro__ if issubclass(base, Model) and OF_NO_RUN in vars(base)]


def _shown(annotation: Any, metadata: Sequence[Any] = ()) -> _Show:
    """How a value of this type is shown."""
    kind, *marks = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    for mark in (*marks, *metadata):
        if isinstance(mark, PayloadMark):
            return _MARKED[mark](kind)
    if get_origin(kind) in {Union, UnionType}:
        return _one_of([each for each in get_args(kind) if each is not NoneType])
    if get_origin(kind) in {list, tuple}:
        return _each(_shown(get_args(kind)[0]))
    if get_origin(kind) is dict:
        return _values(_shown(get_args(kind)[1]))
    if isinstance(kind, type) and issubclass(kind, Model):
        return _model(kind)
    plain = kind in {str, int, float, bool} or get_origin(kind) is Literal
    return _as_it_is if plain else _marker


def _model(model: type[Model]) -> _Show:
    def show(value: Any) -> Any:
        return without_payload(model, cast(JsonObject, value)) if isinstance(value, dict) else withheld(value)

    return show


def _each(show: _Show) -> _Show:
    def show_each(value: Any) -> Any:
        return (
            [show(each) for each in cast("list[Any]", value)]
            if isinstance(value, list | tuple)
            else withheld(value)
        )

    return show_each


def _values(show: _Show) -> _Show:
    """Of an object with keys of a caller's own, which may tell as much as its values, nothing but the marker."""
    if show is _marker:
        return _marker

    def show_values(value: Any) -> Any:
        return {name: show(each) for name, each in cast(JsonObject, value).items()}

    return show_values


def _one_of(kinds: list[Any]) -> _Show:
    """A value of one of several types: texts, numbers and lists by theirs, an object by the model, if there is one."""
    shows = [_shown(kind) for kind in kinds]
    if len(shows) == 1:
        only = shows[0]
        return lambda value: only(value) if value is not None or only is _marker else None
    if all(show is _as_it_is for show in shows):
        return _as_it_is

    def show(value: Any) -> Any:
        return value if value is None or isinstance(value, bool | int | float | str) else dict(WITHHELD)

    return show if str in kinds else _marker


def _as_it_is(value: Any) -> Any:
    return value


def _marker(_value: Any) -> Any:
    """Also in the place of null, which would tell that there is nothing."""
    return dict(WITHHELD)


def _payload(kind: Any) -> _Show:
    return _marker if kind is Any else _texts


def _texts(value: Any) -> Any:
    return [WITHHELD_TEXT] if isinstance(value, list) else withheld(value)


def _before_colon(_kind: Any) -> _Show:
    return lambda value: value.partition(": ")[0] if isinstance(value, str) else withheld(value)


_MARKED: dict[PayloadMark, Callable[[Any], _Show]] = {
    PayloadMark.PAYLOAD: _payload,
    PayloadMark.PAYLOAD_AFTER_COLON: _before_colon,
    PayloadMark.SHOWN: lambda _kind: _as_it_is,
}
