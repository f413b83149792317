"""From a bundle to a call, and from what the function returns to JSON: the same in an executor and in a worker."""

from __future__ import annotations

from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from flexrun_sdk.capability import CapabilityFunction
from flexrun_sdk.context import Context
from flexrun_sdk.errors import CapabilityError
from flexrun_sdk.signature import Parameter

_MAX_SHOWN = 5


def prepare_call(
    function: CapabilityFunction, bundle: dict[str, Any], context: Context | None = None
) -> dict[str, Any]:
    """The arguments of a call, by name. Raises CapabilityError where the bundle does not have what is needed."""
    signature = function.signature
    arguments: dict[str, Any] = {}
    if signature.whole is not None:
        arguments[signature.whole.name] = _read(signature.whole, bundle.get("inputs") or {}, "inputs")
    facets: dict[str, Any] = bundle.get("facets") or {}
    for parameter in signature.parameters:
        if parameter.facet in facets:
            arguments[parameter.name] = _read(parameter, facets[parameter.facet], parameter.facet)
        elif parameter.required:
            message = f"The bundle has no facet {parameter.facet!r}, which {function.id} needs."
            raise CapabilityError("facet_missing", message, retryable=False)
    if signature.context_name is not None:
        arguments[signature.context_name] = context or Context(bundle)
    return arguments


def _read(parameter: Parameter, value: Any, name: str) -> Any:
    given = [value] if parameter.many and not isinstance(value, list) else cast(Any, value)
    try:
        return parameter.adapter.validate_python(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        shown = "; ".join(
            f"/{'/'.join(str(part) for part in (name, *each['loc']))}: {each['msg']}"
            for each in found[:_MAX_SHOWN]
        )
        more = f"; and {len(found) - _MAX_SHOWN} more" if len(found) > _MAX_SHOWN else ""
        raise CapabilityError("input_invalid", f"{shown}{more}", retryable=False) from None


def result_to_json(function: CapabilityFunction, result: Any) -> Any:
    """What the function returned, as JSON values. Raises CapabilityError for what JSON cannot hold."""
    try:
        output = _written(function.signature.result, result)
    except (PydanticSerializationError, ValidationError, ValueError, TypeError) as error:
        message = f"What {function.id} returned cannot be written as JSON: {error}"
        raise CapabilityError("output_not_json", message) from None
    if len(function.facets_out) > 1:
        _check_facets(function, output)
    return output


def _written(adapter: TypeAdapter[Any] | None, result: Any) -> Any:
    if adapter is None:
        return to_jsonable_python(result, by_alias=True)
    return adapter.dump_python(result, mode="json", by_alias=True, warnings=False)


def _check_facets(function: CapabilityFunction, output: Any) -> None:
    members = cast("dict[str, Any]", output) if isinstance(output, dict) else {}
    missing = [name for name in function.facets_out if name not in members]
    if missing:
        message = f"{function.id} gives several facets, as an object keyed by facet; it left out {', '.join(missing)}."
        raise CapabilityError("output_invalid", message)
