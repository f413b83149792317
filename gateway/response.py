"""JSON responses: the documents that endpoints answer with, each described by a model and made from a row.

    class RunSummary(Response):
        run_id: RunId
        error: ErrorInfo | None = None

        @classmethod
        def of(cls, run: RunRow) -> JsonObject:
            return document(cls, run, last_event_id=str(run.head_seq))

The model is what OpenAPI shows. Its document is made without validating it: what a log holds is shown as it is, also
where an older version stored it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

import orjson
from aiohttp import web
from pydantic import ConfigDict

from runs.event import Json, JsonObject, rfc3339
from schemas.base import OpenModel, wire_name


class Response(OpenModel):
    """The model of a response. It is built when OpenAPI is asked for, since a gateway that starts needs none of it."""

    model_config = ConfigDict(defer_build=True)


def document(
    model: type[OpenModel], source: object, /, *, leave_out: Collection[str] = (), **fields: Any
) -> JsonObject:
    """The JSON document of `model`: the attributes of `source` that have the names of its fields, and `fields`.

    An attribute that is None is left out, unless the model requires the field, and so are those in `leave_out`. Of
    `fields` nothing is left out.
    """
    names, values_of = _shared(model, type(source), tuple(leave_out))
    required, wire = _required(model), _wire_names(model)
    made: JsonObject = {
        name: rfc3339(value) if isinstance(value, datetime) else value
        for name, value in zip(names, values_of(source), strict=True)
        if value is not None or name in required
    }
    for name, value in fields.items():
        made[wire[name]] = rfc3339(value) if isinstance(value, datetime) else value
    return made


def present(**fields: Any) -> dict[str, Any]:
    """Those of `fields` that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def json_response(
    body: Json,
    *,
    status: int = 200,
    run_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """`body` as JSON, with the id of the run that it is about in `X-Run-Id`."""
    response = web.Response(
        body=orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE),
        status=status,
        content_type="application/json",
    )
    if run_id is not None:
        response.headers["X-Run-Id"] = run_id
    response.headers.update(headers or {})
    return response


@cache
def _shared(
    model: type[OpenModel], source: type, leave_out: tuple[str, ...]
) -> tuple[tuple[str, ...], Callable[[object], tuple[Any, ...]]]:
    """The wire names of the fields that are attributes of `source` too, and what reads these attributes."""
    names = [name for name in model.model_fields if name in dir(source) and name not in leave_out]
    if len(names) > 1:
        return tuple(map(wire_name, names)), attrgetter(*names)
    return tuple(map(wire_name, names)), lambda row: tuple(getattr(row, name) for name in names)


@cache
def _wire_names(model: type[OpenModel]) -> dict[str, str]:
    return {name: wire_name(name) for name in model.model_fields}


@cache
def _required(model: type[OpenModel]) -> frozenset[str]:
    return frozenset(wire_name(name) for name, field in model.model_fields.items() if field.is_required())
