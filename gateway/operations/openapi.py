"""OpenAPI 3.1, made from the models and the table of doors."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson
from pydantic.json_schema import models_json_schema

from gateway.endpoints import DOORS, JSON, STREAM, Endpoint, Parameter
from gateway.people.endpoints import PEOPLE_DOORS
from gateway.people.responses import MODELS as PEOPLE_MODELS
from gateway.runs import responses
from gateway.webhook_endpoints import WEBHOOK_DOORS, WEBHOOK_MODELS
from schemas.export import PlainJsonSchema, component_schemas, references, used_by

_REF = "#/components/schemas/{model}"
_DESCRIPTION = (
    "flexrun runs a task that has to be planned, worked on, sometimes approved by a person, and delivered in exactly"
    " the shape that the caller asked for. Errors are application/problem+json (RFC 9457): `code` is for programs,"
    " `errors[].pointer` says where in the body. Every answer carries X-Correlation-Id."
)


@lru_cache(maxsize=2)
def openapi_document(version: str) -> dict[str, Any]:
    """The document that `/openapi.json` answers with."""
    paths: dict[str, dict[str, Any]] = {}
    for door in (*DOORS, *PEOPLE_DOORS, *WEBHOOK_DOORS):
        paths.setdefault(door.path, {})[door.method] = _operation(door)
    schemas = _schemas()
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
"""What every operation may answer, whatever else it says about the same status."""


_OF_QUERIES = {400: "A parameter in the query is not known (`query_invalid`)."}
"""What an operation may answer that has no other 400."""


def _schemas() -> dict[str, Any]:
    models = (*responses.MODELS, *PEOPLE_MODELS, *WEBHOOK_MODELS)
    _, combined = models_json_schema(
        [(model, "validation") for model in models], ref_template=_REF, schema_generator=PlainJsonSchema
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


def _operation(door: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": door.name,
        "summary": door.summary,
        "tags": [door.tag],
        "parameters": [_parameter(each) for each in door.parameters],
        "responses": _answers(door),
    }
    if door.description:
        operation["description"] = door.description
    if door.body is not None:
        content = {"application/json": {"schema": {"$ref": _REF.format(model=door.body)}}}
        operation["requestBody"] = {"required": door.body_required, "content": content}
    if door.open:
        operation["security"] = []
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _answers(door: Endpoint) -> dict[str, Any]:
    answers = {str(answer.status): _answer(answer.description, answer.content) for answer in door.answers}
    problems = {
        **_OF_HEADS,
        **({} if door.open else _OF_QUERIES),
        **door.problems,
        **(_OF_BODIES if door.method == "post" else {}),
    }
    # A door that shows pages shows its own refusals as pages too.
    pages = {"text/html": ""} if any("text/html" in answer.content for answer in door.answers) else {}
    own = door.problems.keys() | _OF_BODIES.keys()
    for status, description in problems.items():
        answers[str(status)] = _answer(
            description, {"application/problem+json": "Problem", **(pages if status in own else {})}
        )
    return answers


def _answer(description: str, content: dict[str, str]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": description}
    if content:
        answer["content"] = {
            media_type: {"schema": _content_schema(media_type, model)}
            for media_type, model in content.items()
        }
    return answer


def _content_schema(media_type: str, model: str) -> dict[str, Any]:
    if media_type == STREAM:
        # The body is many frames: a client that is generated must not parse it as one event.
        reference = _REF.format(model=model)
        return {"type": "string", "description": f"Server-sent events; the data of each is a {reference}"}
    if model:
        return {"$ref": _REF.format(model=model)}
    return {"type": "object"} if media_type == JSON else {"type": "string"}
