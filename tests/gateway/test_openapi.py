"""`/openapi.json` describes every endpoint, and states nothing false."""

import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from gateway.app import ENDPOINTS
from gateway.operations.openapi import openapi_document
from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from _walk(child)
    elif isinstance(value, list):
        for child in value:
            yield from _walk(child)


def _validator(model: str) -> Draft202012Validator:
    """A validator for a component of the document, which can refer to all others."""
    document = openapi_document(ENDPOINTS, "test")
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{model}", "components": document["components"]}
    )


async def test_it_describes_every_route_and_no_other(gateway: RunningGateway) -> None:
    _, document = await gateway.get("/openapi.json")
    described = {
        (method.upper(), path, operation["operationId"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    app = gateway.server.runner.app
    served = {
        (route.method, route.resource.canonical, route.name or route.resource.name)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert described == served
    assert len({name for _, _, name in described}) == len(described)


def test_every_reference_leads_somewhere_and_every_schema_is_one() -> None:
    document = openapi_document(ENDPOINTS, "test")
    assert document["openapi"] == "3.1.0"
    for each in _walk(document):
        if isinstance(each.get("$ref"), str):
            group, _, name = each["$ref"].removeprefix("#/components/").partition("/")
            assert name in document["components"][group], each["$ref"]
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_parameters_in_paths_are_declared_and_every_door_says_how_it_answers() -> None:
    document = openapi_document(ENDPOINTS, "test")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            declared = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path))
            names = [(each["in"], each["name"]) for each in operation["parameters"]]
            assert len(names) == len(set(names))
            assert operation["responses"]
            assert all(answer["description"] for answer in operation["responses"].values())


def test_a_stream_is_a_string_that_names_the_model_of_its_frames() -> None:
    """A generated client would parse the whole stream as one event otherwise."""
    streams = [
        each["text/event-stream"]
        for each in _walk(openapi_document(ENDPOINTS, "test"))
        if "text/event-stream" in each
    ]
    assert len(streams) >= 3
    for stream in streams:
        assert stream["schema"]["type"] == "string"
        assert "#/components/schemas/FlexEvent" in stream["schema"]["description"]


def test_what_may_be_left_out_has_no_default_of_null() -> None:
    """TypeScript generators make a property that has a default a required one."""
    document = openapi_document(ENDPOINTS, "test")
    schemas = [each for each in _walk(document) if "default" in each]
    assert schemas
    assert not [each for each in schemas if each["default"] is None]
    components = document["components"]["schemas"]
    assert "default" not in components["JsonSchemaContract"]["properties"]["mode"]
    assert components["HitlPolicy"]["properties"]["quorum"]["description"] == "`1` by default."


def test_every_component_is_used() -> None:
    document = openapi_document(ENDPOINTS, "test")
    used = {each["$ref"].rpartition("/")[2] for each in _walk(document) if isinstance(each.get("$ref"), str)}
    assert document["components"]["schemas"].keys() == used


def test_a_component_is_one_type_and_no_choice() -> None:
    """A generated client has a class for the one, and `Any` for a choice of which each branch says `required` only."""
    schemas = openapi_document(ENDPOINTS, "test")["components"]["schemas"]
    assert not [name for name, schema in schemas.items() if "anyOf" in schema or "oneOf" in schema]
    response = _validator("HitlResponse")
    assert response.is_valid({"approved": True})
    assert response.is_valid({"responseType": "approval"})
    assert not response.is_valid({"requestId": "r"})


async def test_answers_and_problems_are_what_the_document_says(gateway: RunningGateway) -> None:
    _, accepted = await gateway.post(f"{API}/runs", ENVELOPE)
    run_id = accepted["runId"]
    await ByHand(gateway.handler, run_id).to_the_end()
    for model, (_, body) in {
        "RunAccepted": (None, accepted),
        "RunList": await gateway.get(f"{API}/runs"),
        "RunDetail": await gateway.get(f"{API}/runs/{run_id}"),
        "EventPage": await gateway.get(f"{API}/runs/{run_id}/events"),
        "CapabilityList": await gateway.get(f"{API}/capabilities"),
        "Health": await gateway.get("/healthz"),
        "Readiness": await gateway.get("/readyz"),
        "Problem": await gateway.get("/nowhere"),
    }.items():
        assert not list(_validator(model).iter_errors(body)), model
    _, controlled = await gateway.post(f"{API}/runs/{await gateway.start_run()}/abort", {})
    assert not list(_validator("RunControlled").iter_errors(controlled))
