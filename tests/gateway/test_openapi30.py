"""`/openapi-3.0.json` is OpenAPI 3.0, and says the same as `/openapi.json` in the words of 3.0."""

from typing import Any

from jsonschema import Draft202012Validator
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from gateway.app import ENDPOINTS
from gateway.operations.openapi import openapi_document
from gateway.operations.openapi30 import openapi_30_document
from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway


def _errors(model: str, value: Any) -> list[Any]:
    components = openapi_30_document(ENDPOINTS, "test")["components"]
    validator = OAS30Validator({"$ref": f"#/components/schemas/{model}", "components": components})
    return list(validator.iter_errors(value))


async def test_what_is_served_is_valid_by_the_schema_of_its_version(gateway: RunningGateway) -> None:
    answer, served = await gateway.get("/openapi-3.0.json")
    assert answer.status == 200
    assert served["openapi"] == "3.0.3"
    assert not list(OpenAPIV30SpecValidator(served).iter_errors())
    _, newer = await gateway.get("/openapi.json")
    assert not list(OpenAPIV31SpecValidator(newer).iter_errors())


def test_it_has_the_same_operations_and_models() -> None:
    older, newer = openapi_30_document(ENDPOINTS, "test"), openapi_document(ENDPOINTS, "test")
    assert {path: each.keys() for path, each in older["paths"].items()} == {
        path: each.keys() for path, each in newer["paths"].items()
    }
    assert older["components"]["schemas"].keys() == newer["components"]["schemas"].keys()
    assert newer["openapi"] == "3.1.0"


def test_null_constants_and_exclusive_bounds_are_in_the_words_of_3_0() -> None:
    schemas = openapi_30_document(ENDPOINTS, "test")["components"]["schemas"]
    assert schemas["Hitl"]["properties"]["question"]["nullable"] is True
    assert schemas["DecisionOutcome"]["properties"]["ok"]["enum"] == [True]
    timeout = schemas["CapabilityDescriptor"]["properties"]["timeoutSeconds"]
    assert (timeout["minimum"], timeout["exclusiveMinimum"], timeout["nullable"]) == (0, True, True)


def test_null_is_taken_wherever_the_newer_document_takes_it() -> None:
    newer = openapi_document(ENDPOINTS, "test")["components"]
    older = openapi_30_document(ENDPOINTS, "test")["components"]
    taken = 0
    for model, schema in newer["schemas"].items():
        for name in schema.get("properties", {}):
            place = {"$ref": f"#/components/schemas/{model}/properties/{name}"}
            wanted = Draft202012Validator({**place, "components": newer}).is_valid(None)
            assert OAS30Validator({**place, "components": older}).is_valid(None) == wanted, (model, name)
            taken += wanted
    assert taken > 100


async def test_it_takes_what_is_sent_and_answered_and_refuses_what_is_wrong(gateway: RunningGateway) -> None:
    _, accepted = await gateway.post(f"{API}/runs", ENVELOPE)
    run_id = accepted["runId"]
    await ByHand(gateway.handler, run_id).to_the_end()
    for model, body in {
        "TaskEnvelope": ENVELOPE,
        "RunAccepted": accepted,
        "RunDetail": (await gateway.get(f"{API}/runs/{run_id}"))[1],
        "RunList": (await gateway.get(f"{API}/runs"))[1],
        "EventPage": (await gateway.get(f"{API}/runs/{run_id}/events"))[1],
        "Problem": (await gateway.get("/nowhere"))[1],
    }.items():
        assert not _errors(model, body), model
    assert _errors("TaskEnvelope", {**ENVELOPE, "objective": 7})
    assert _errors("TaskEnvelope", {"objective": "no contract"})
