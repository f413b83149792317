"""What a request says it takes is what it takes: the JSON Schema and the rules are compared, response by response."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from runs import commands as c
from runs import errors as e
from runs.accepted_responses import MAX_INLINE_CONTRACT_BYTES, AcceptedResponses, response_schema
from runs.event import JsonObject
from runs.frames import frame
from schemas.hitl import HitlResponse
from schemas.parsing import validate_document
from schemas.refusal import DocumentRefused
from tests.support.given import BOB, Given, node, waiting_for_approval

OPTIONS = ({"id": "x", "label": "X"}, {"id": "y", "label": "Y"})
RETRIED: dict[str, Any] = {"maxAttempts": 1, "fallback": "hitl"}


def clarifying(**question: Any) -> Given:
    given = Given().started().planned(node("a")).start("a")
    return given.when(
        c.RequestClarification(now=given.now, node_id="a", attempt=1, question="Which?", **question)
    )


REQUESTS: dict[str, Given] = {
    "an output": waiting_for_approval(),
    "a failed node": Given().started().planned(node("a", contract=RETRIED)).start("a").fail("a"),
    "a question": clarifying(allow_free_form=True),
    "a choice": clarifying(options=OPTIONS, allow_free_form=False),
    "a policy": Given()
    .started(policies={"runtime": [{"trigger": "node_complete", "action": "hitl"}]})
    .planned(node("a"), node("b", "a"))
    .start("a")
    .complete("a"),
}
RESPONSES: list[dict[str, Any]] = [
    {"responseType": "approval"},
    {"responseType": "approval", "approved": True, "freeformText": "fine"},
    {"responseType": "approval", "approved": False},
    {"responseType": "approval", "selectedOptionId": "x"},
    {"responseType": "approval", "editedOutput": {}},
    {"responseType": "rejection"},
    {"responseType": "rejection", "approved": True},
    {"responseType": "option", "selectedOptionId": "x"},
    {"responseType": "option", "selectedOptionId": "retry"},
    {"responseType": "option", "selectedOptionId": "fail"},
    {"responseType": "option", "selectedOptionId": "z"},
    {"responseType": "option"},
    {"responseType": "freeform", "freeformText": "words"},
    {"responseType": "freeform", "freeformText": " "},
    {"responseType": "freeform", "freeformText": "x" * 10_001},
    {"responseType": "freeform"},
    {"responseType": "edit", "editedOutput": {"n": 2}},
    {"responseType": "edit", "editedOutput": None},
    {"responseType": "edit"},
    {"responseType": "other"},
    {"responseType": "approval", "expectedProposalId": " "},
]


def is_taken(given: Given, response: dict[str, Any]) -> bool:
    """Whether the body's model and the rules take it."""
    (request,) = given.state.open_requests
    try:
        read = validate_document(HitlResponse, response)
    except DocumentRefused:
        return False
    command = c.ResolveRequest(
        now=given.now,
        request_id=request.id,
        response_type=read.response_type,
        actor=BOB,
        option_id=read.selected_option_id,
        text=read.freeform_text,
        edited_output=read.edited_output,
    )
    try:
        given.when(command)
    except e.ResponseInvalid:
        return False
    return True


@pytest.mark.parametrize("about", REQUESTS)
def test_the_schema_of_a_request_says_what_is_taken(about: str) -> None:
    given = REQUESTS[about]
    (asked,) = [frame(event) for event in given.log if event.type == "hitl_request"]
    schema = asked["payload"]["responseSchema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    said = {str(response): validator.is_valid(response) for response in RESPONSES}
    assert said == {str(response): is_taken(given, response) for response in RESPONSES}
    assert set(said.values()) == {True, False}


DIALECTS = {
    "http://json-schema.org/draft-04/schema#": (jsonschema.Draft4Validator, "definitions"),
    "http://json-schema.org/draft-07/schema#": (jsonschema.Draft7Validator, "definitions"),
    "https://json-schema.org/draft/2019-09/schema": (jsonschema.Draft201909Validator, "$defs"),
    "https://json-schema.org/draft/2020-12/schema": (jsonschema.Draft202012Validator, "$defs"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_contract_that_refers_to_its_own_parts_goes_on_to_do_so(dialect: str) -> None:
    checker, place = DIALECTS[dialect]
    contract: JsonObject = {
        "$schema": dialect,
        "type": "object",
        "properties": {"n": {"$ref": f"#/{place}/count"}},
        place: {"count": {"type": "integer", "minimum": 1}},
    }
    schema = response_schema(AcceptedResponses(approval=True, edit=True, freeform=False), contract)
    assert schema["$schema"] == dialect
    validator = checker(schema)
    for output, good in (({"n": 2}, True), ({"n": 0}, False), ({"n": "2"}, False), (2, False)):
        assert validator.is_valid({"responseType": "edit", "editedOutput": output}) is good


def test_a_long_contract_is_not_repeated_in_every_frame() -> None:
    contract = {"schema": {"description": "x" * MAX_INLINE_CONTRACT_BYTES}}
    given = Given().started(policies={"requiresHitlApproval": True}, outputContract=contract)
    given = given.planned(node("a")).start("a").complete("a").deliver({"n": 1})
    (asked,) = given.new
    assert "contract" not in (asked.detail or {})
    forms = frame(asked)["payload"]["responseSchema"]["oneOf"]
    assert [form["properties"]["editedOutput"] for form in forms if form["title"] == "Change the output"] == [
        {}
    ]


def test_frames_of_requests_from_before_these_keys_can_be_shown() -> None:
    (asked,) = waiting_for_approval().new
    old = {key: value for key, value in asked.payload.items() if key not in ("originAgent", "outputHash")}
    shown = frame(replace(asked, payload=old, detail={"subject": "output"}))
    assert shown["payload"]["request"]["originAgent"] == "qa"
    assert shown["payload"]["request"]["contractSummary"] is None
    assert shown["payload"]["responseSchema"]["required"] == ["responseType"]
