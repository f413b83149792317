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

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from operator import attrgetter
from typing import Any, NamedTuple

import orjson
from aiohttp import web
from pydantic import ConfigDict

from runs.event import Json, JsonObject, rfc3339
from schemas.base import OpenModel, wire_name


class Response(OpenModel):
    """The model of a response. It is built when OpenAPI is asked for, since a gateway that starts needs none of it."""

    model_config = ConfigDict(defer_build=True)


def document(
    model: type[OpenModel], source: object, /, *, leave_out: tuple[str, ...] = (), **fields: Any
) -> JsonObject:
    """The JSON document of `model`: the attributes of `source` that have the names of its fields, and `fields`.

    An attribute that is None is left out, unless the model requires the field, and so are those in `leave_out`. Of
    `fields` nothing is left out.
    """
    names, values_of, required, wire = _plan(model, type(source), leave_out)
    made: JsonObject = {
        name: rfc3339(value) if type(value) is datetime else value
        for name, value in zip(names, values_of(source), strict=True)
        if value is not None or name in required
    }
    for name, value in fields.items():
        made[wire[name]] = rfc3339(value) if type(value) is datetime else value
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


class _Plan(NamedTuple):
    """How documents of one model are made from sources of one type."""

    names: tuple[str, ...]
    """The wire names of the fields that are attributes of the source too."""

    values_of: Callable[[object], tuple[Any, ...]]
    """Reads these attributes."""

    required: frozenset[str]
    wire: dict[str, str]


@cache
def _plan(model: type[OpenModel], source: type, leave_out: tuple[str, ...]) -> _Plan:
    attributes = set(dir(source)) - set(leave_out)
    shared = [name for name in model.model_fields if name in attributes]
    wire = {name: wire_name(name) for name in model.model_fields}
    required = frozenset(wire[name] for name, field in model.model_fields.items() if field.is_required())
    # attrgetter gives a tuple for several names only.
    values_of = attrgetter(*shared) if len(shared) > 1 else partial(_values, shared)
    return _Plan(tuple(wire[name] for name in shared), values_of, required, wire)


def _values(names: Sequence[str], source: object) -> tuple[Any, ...]:
    return tuple(getattr(source, name) for name in names)
