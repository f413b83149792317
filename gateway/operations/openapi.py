"""OpenAPI 3.1, made from the endpoints and their models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from pydantic.json_schema import models_json_schema

from gateway.endpoint import HTML, JSON, STREAM, Endpoint
from gateway.query import Parameter
from schemas.base import Model
from schemas.export import PlainJsonSchema, component_schemas, references, used_by
from schemas.problem import Problem

Content = Mapping[str, type[Model] | None]
_REF = "#/components/schemas/{model}"
_DESCRIPTION = (
    "flexrun runs a task that has to be planned, worked on, sometimes approved by a person, and delivered in exactly"
    " the shape that the caller asked for. Errors are application/problem+json (RFC 9457): `code` is for programs,"
    " `errors[].pointer` says where in the body. Every answer carries X-Correlation-Id."
)


@lru_cache(maxsize=2)
def openapi_document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The document that `/openapi.json` answers with."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method] = _operation(endpoint)
    schemas = _schemas(endpoints)
    used = set[str]().union(*(used_by(name, schemas) for name in set(references(paths))))
    bodies = [operation.get("requestBody") for path in paths.values() for operation in path.values()]
    sent = set[str]().union(*(used_by(name, schemas) for name in set(references(bodies))))
    return {
        "openapi": "3.1.0",
        "info": {"title": "flexrun", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/", "description": "The gateway that serves this document."}],
        "security": [{"bearer": []}, {}],
        "paths": paths,
        "components": {
            "schemas": {
                name: _as_sent(schemas[name]) if name in sent else schemas[name] for name in sorted(used)
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


_OF_BODIES = {
    408: "The body took too long (`body_too_slow`).",
    413: "The body is too large (`body_too_large`).",
    415: "The body has a content coding (`coding_unsupported`): send it as it is.",
}
"""What every operation with a body may answer before it has been read."""


_OF_HEADS = {
    400: "The Host header names no host (`host_invalid`).",
    403: "Without tokens a gateway answers its own machine only (`host_not_allowed`, `origin_not_allowed`,"
    " `forwarded_not_allowed`).",
}
"""What every operation may answer, beside what it says itself about the same status."""


_OF_QUERIES = {400: "A parameter in the query is not known (`query_invalid`)."}
"""What an operation may answer that has no other 400."""


def _schemas(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    shown = {
        model
        for endpoint in endpoints
        for response in endpoint.about["responses"]
        for model in response.content.values()
        if model is not None
    }
    _, combined = models_json_schema(
        [(model, "validation") for model in sorted(shown, key=lambda model: model.__name__)],
        ref_template=_REF,
        schema_generator=PlainJsonSchema,
    )
    return {**combined["$defs"], **component_schemas(_REF)}


def _as_sent(schema: dict[str, Any]) -> dict[str, Any]:
    """A model of a body, its defaults in words: TypeScript generators require a property that has a `default`."""
    properties = {name: _said_default(each) for name, each in schema.get("properties", {}).items()}
    return {**schema, "properties": properties} if properties else schema


def _said_default(schema: dict[str, Any]) -> dict[str, Any]:
    if "default" not in schema:
        return schema
    rest = {key: value for key, value in schema.items() if key != "default"}
    said = f"`{orjson.dumps(schema['default']).decode()}` by default."
    return {**rest, "description": f"{rest['description']} {said}" if "description" in rest else said}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.about["summary"],
        "tags": [endpoint.tag],
        "parameters": [_parameter(each) for each in endpoint.parameters],
        "responses": _responses(endpoint),
    }
    scope = f"Scope: {_scopes(endpoint)}." if endpoint.needs else ""
    if description := " ".join(filter(None, (endpoint.about.get("description"), scope))):
        operation["description"] = description
    if endpoint.body is not None:
        content = {"application/json": {"schema": _reference(endpoint.body)}}
        operation["requestBody"] = {"required": endpoint.body_required, "content": content}
    if (media_type := endpoint.about.get("takes")) is not None:
        content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
        operation["requestBody"] = {"required": True, "content": content}
    if endpoint.open:
        operation["security"] = []
    return operation


def _reference(model: type[Model]) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    documented = endpoint.about["responses"]
    responses = {str(each.status): _response(each.description, each.content) for each in documented}
    problems = {
        **_OF_HEADS,
        **({} if endpoint.open else _OF_QUERIES),
        **_problems(endpoint),
        **(_OF_BODIES if endpoint.method == "post" else {}),
    }
    # An endpoint that shows pages shows its own refusals as pages too.
    pages: Content = {HTML: None} if any(HTML in each.content for each in documented) else {}
    own = _problems(endpoint).keys() | _OF_BODIES.keys()
    for status, description in problems.items():
        shown = pages if status in own else {}
        responses[str(status)] = _response(description, {"application/problem+json": Problem, **shown})
    return responses


def _scopes(endpoint: Endpoint) -> str:
    return " and ".join(f"`{scope}`" for scope in endpoint.needs)


def _problems(endpoint: Endpoint) -> Mapping[int, str]:
    """What the endpoint says, and that the token may lack its scope."""
    said = endpoint.about.get("problems", {})
    if not endpoint.needs:
        return said
    lacks = f"The token lacks the scope {_scopes(endpoint)} (`not_permitted`)."
    own = said.get(403, _OF_HEADS[403])
    return {**said, 403: lacks if "not_permitted" in own else f"{lacks} {own}"}


def _response(description: str, content: Content) -> dict[str, Any]:
    response: dict[str, Any] = {"description": description}
    if content:
        response["content"] = {
            media_type: {"schema": _content_schema(media_type, model)}
            for media_type, model in content.items()
        }
    return response


def _content_schema(media_type: str, model: type[Model] | None) -> dict[str, Any]:
    if media_type == STREAM and model is not None:
        # The body is many frames: a client that is generated must not parse it as one event.
        reference = _REF.format(model=model.__name__)
        return {"type": "string", "description": f"Server-sent events; the data of each is a {reference}"}
    if model is not None:
        return _reference(model)
    return {"type": "object"} if media_type == JSON else {"type": "string"}
