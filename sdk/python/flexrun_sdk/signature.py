"""What a function's signature says of a capability: facets, schemas, and how it wants to be called."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel, PydanticUserError, TypeAdapter

from flexrun_sdk.context import Context
from flexrun_sdk.errors import CapabilityMistake

FacetsIn = str | Sequence[str] | Mapping[str, str]
"""The facets of the parameters: one name, names in the order of the parameters, or a name for each parameter."""


@dataclass(frozen=True)
class Parameter:
    """One parameter. With `many` it takes a list of the facet, and `annotation` is the type of one of them."""

    name: str
    facet: str
    annotation: Any
    required: bool
    many: bool

    @cached_property
    def one(self) -> TypeAdapter[Any]:
        """Reads one value."""
        return adapter_of(self.annotation, f"the parameter {self.name!r}")

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Reads what the parameter gets."""
        several: Any = types.GenericAlias(list, (self.annotation,))
        return adapter_of(several, f"the parameter {self.name!r}") if self.many else self.one


@dataclass(frozen=True)
class Signature:
    """How a function is called. `whole` is the one parameter that gets all inputs, where it takes no facets."""

    parameters: tuple[Parameter, ...]
    context_name: str | None
    whole: Parameter | None
    returns: Any

    @cached_property
    def result(self) -> TypeAdapter[Any] | None:
        """Writes what the function returns; None where it does not say what that is."""
        return (
            None if self.returns is inspect.Signature.empty else adapter_of(self.returns, "what it returns")
        )


def read_signature(function: Callable[..., Any], facets_in: FacetsIn | None, gives_facets: bool) -> Signature:
    """Raises CapabilityMistake for a signature that no bundle can be turned into."""
    hints = _hints(function)
    taken: list[inspect.Parameter] = []
    context_name: str | None = None
    for parameter in inspect.signature(function).parameters.values():
        if hints.get(parameter.name) is Context:
            context_name = parameter.name
            continue
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY}:
            raise CapabilityMistake(
                f"the parameter {parameter.name!r} must be one that is passed by its name."
            )
        if parameter.name not in hints:
            raise CapabilityMistake(
                f"the parameter {parameter.name!r} has no type; write a pydantic model or a plain type."
            )
        taken.append(parameter)
    facets = _facet_names([each.name for each in taken], facets_in)
    parameters = tuple(_parameter(each, facets[each.name], hints[each.name]) for each in taken)
    alone = (
        len(parameters) == 1
        and facets_in is None
        and not gives_facets
        and _is_model(parameters[0].annotation)
    )
    return Signature(
        parameters=() if alone else parameters,
        context_name=context_name,
        whole=parameters[0] if alone else None,
        returns=hints.get("return", inspect.Signature.empty),
    )


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise CapabilityMistake(
            f"a type in its signature is not known where it is defined: {error}. Types must be names of the module."
        ) from None


def _facet_names(names: list[str], facets_in: FacetsIn | None) -> dict[str, str]:
    if facets_in is None:
        return {name: name for name in names}
    if isinstance(facets_in, Mapping):
        if unknown := facets_in.keys() - set(names):
            raise CapabilityMistake(f"facets_in names {min(unknown)!r}, which is no parameter of it.")
        return {name: facets_in.get(name, name) for name in names}
    given = [facets_in] if isinstance(facets_in, str) else list(facets_in)
    if len(given) != len(names):
        raise CapabilityMistake(f"facets_in names {len(given)} facets for {len(names)} parameters.")
    return dict(zip(names, given, strict=True))


def _parameter(parameter: inspect.Parameter, facet: str, annotation: Any) -> Parameter:
    required = parameter.default is inspect.Parameter.empty
    item = next(iter(typing.get_args(annotation)), None) if typing.get_origin(annotation) is list else None
    many = _is_model(item)
    return Parameter(parameter.name, facet, item if many else annotation, required, many)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def adapter_of(annotation: Any, where: str) -> TypeAdapter[Any]:
    """Raises CapabilityMistake for a type that pydantic cannot read from JSON."""
    try:
        return TypeAdapter(annotation)
    except PydanticUserError as error:
        raise CapabilityMistake(f"the type of {where} cannot be read from JSON: {error.message}") from None
