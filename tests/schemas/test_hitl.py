"""What a person may answer: never two things at once, never to nobody."""

from typing import Any

import orjson
import pytest

from schemas import control, hitl
from schemas.base import Model
from schemas.parsing import parse_document, validate_document
from schemas.refusal import DocumentRefused

RUN = {"runId": "r1"}


def problems_of(model: type[Model], document: Any) -> list[tuple[str, str]]:
    with pytest.raises(DocumentRefused) as caught:
        validate_document(model, document)
    return [(problem.code, problem.pointer) for problem in caught.value.problems]


def body(*responses: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return RUN | {"responses": list(responses)} | keys


@pytest.mark.parametrize(
    "response",
    [
        {"responseType": "approval"},
        {"responseType": "approval", "approved": True, "freeformText": "Well done", "editedOutput": None},
        {"responseType": "rejection", "approved": False, "freeformText": "Too long"},
        {"responseType": "rejection", "approved": None},
        {"responseType": "option", "selectedOptionId": "a", "approved": True},
        {"responseType": "freeform", "freeformText": "Platform engineers"},
        {"responseType": "edit", "editedOutput": {"variants": []}, "approved": True},
        {"responseType": "edit", "editedOutput": None},
        {"responseType": "edit", "editedOutput": False},
        {"responseType": "approval", "screen": {"version": 3}},
    ],
)
def test_a_decision_with_one_meaning_is_taken_as_it_was_sent(response: dict[str, Any]) -> None:
    sent = body({"requestId": "q1"} | response, operator={"id": "u1", "displayName": "Ada"}, source="mail")
    parsed = parse_document(hitl.ResumeBody, orjson.dumps(sent))
    assert parsed.model_dump(by_alias=True, exclude_unset=True) == sent


@pytest.mark.parametrize(
    ("response", "code", "key"),
    [
        ({}, "missing", "responseType"),
        ({"responseType": "yes"}, "not_allowed", "responseType"),
        ({"responseType": "approval", "approved": False}, "contradiction", "approved"),
        ({"responseType": "rejection", "approved": True}, "contradiction", "approved"),
        ({"responseType": "edit", "editedOutput": {}, "approved": False}, "contradiction", "approved"),
        ({"responseType": "approval", "approved": "yes"}, "wrong_type", "approved"),
        ({"responseType": "approval", "editedOutput": {}}, "contradiction", "editedOutput"),
        ({"responseType": "rejection", "editedOutput": False}, "contradiction", "editedOutput"),
        ({"responseType": "approval", "selectedOptionId": "a"}, "contradiction", "selectedOptionId"),
        ({"responseType": "option"}, "missing", "selectedOptionId"),
        ({"responseType": "option", "selectedOptionId": None}, "missing", "selectedOptionId"),
        ({"responseType": "freeform"}, "missing", "freeformText"),
        ({"responseType": "freeform", "freeformText": "  "}, "missing", "freeformText"),
        ({"responseType": "edit"}, "missing", "editedOutput"),
        ({"responseType": "edit", "edited_output": {}}, "unknown_key", "edited_output"),
    ],
)
def test_a_decision_that_could_mean_two_things_or_none_is_refused(
    response: dict[str, Any], code: str, key: str
) -> None:
    found = problems_of(
        hitl.ResumeBody, body({"requestId": "q0", "responseType": "approval"}, response, requestId="q0")
    )
    assert (code, f"/responses/1/{key}") in found


def test_the_request_may_be_named_once_for_the_whole_body() -> None:
    parsed = validate_document(hitl.ResumeBody, body({"responseType": "approval"}, requestId="q1"))
    assert [decision.request_id for decision in parsed.decisions()] == ["q1"]
    assert parsed.responses[0].request_id is None


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        ({"responses": [{"requestId": "q", "responseType": "approval"}]}, [("missing", "/runId")]),
        (body({"responseType": "approval"}), [("missing", "/responses/0/requestId")]),
        (body(), [("too_short", "/responses")]),
        (RUN | {"requestId": "q"}, [("missing", "/responses")]),
        (
            body(
                {"requestId": "q", "responseType": "approval"},
                {"requestId": "q", "responseType": "rejection"},
            ),
            [("not_unique", "/responses/1/requestId")],
        ),
        (
            body(
                {"requestId": "q", "responseType": "approval"}, {"responseType": "rejection"}, requestId="q"
            ),
            [("not_unique", "/responses/1/requestId")],
        ),
        (
            body({"requestId": "q", "responseType": "approval"}, requestId="other"),
            [("contradiction", "/requestId")],
        ),
        (body({"requestId": "q", "responseType": "approval"}, operator=7), [("wrong_type", "/operator")]),
        (body({"requestId": "q", "responseType": "approval"}, operator=" "), [("bad_format", "/operator")]),
        (
            body({"requestId": "q", "responseType": "approval"}, expectedPlanVersion="2"),
            [("wrong_type", "/expectedPlanVersion")],
        ),
        ([], [("wrong_type", "")]),
    ],
)
def test_a_body_names_its_run_and_each_request_once(document: Any, problems: list[tuple[str, str]]) -> None:
    assert problems_of(hitl.ResumeBody, document) == problems


def test_a_thread_may_stand_for_its_run() -> None:
    sent = {"threadId": "t1", "requestId": "q", "responses": [{"responseType": "approval"}]}
    assert validate_document(hitl.HitlMessage, sent).thread_id == "t1"


@pytest.mark.parametrize(
    ("model", "document"),
    [
        (control.OperatorBody, {}),
        (control.OperatorBody, {"reason": "", "operator": "ada"}),
        (
            control.RunResumeBody,
            {"runId": "r1", "expectedPlanVersion": 2, "payload": {"nodeId": "a", "output": None}},
        ),
        (control.ForkBody, {"fromNodeId": "a", "inputs": {"x": 1}, "policies": {"brandVoice": "calm"}}),
        (hitl.HitlRemoveBody, {"requestId": "q", "reason": "double"}),
        (control.TaskSubmitBody, {"output": None}),
        (control.TaskDeclineBody, {"reason": "Not my field"}),
    ],
)
def test_the_bodies_that_steer_a_run_are_read(model: type[Model], document: dict[str, Any]) -> None:
    parsed = validate_document(model, document)
    assert parsed.model_dump(by_alias=True, exclude_unset=True) == document


@pytest.mark.parametrize(
    ("model", "document", "problems"),
    [
        (control.OperatorBody, {"reasons": "x"}, [("unknown_key", "/reasons")]),
        (control.RunResumeBody, {}, [("missing", "/runId")]),
        (
            control.RunResumeBody,
            {"runId": "r", "expectedPlanVersion": 0},
            [("out_of_range", "/expectedPlanVersion")],
        ),
        (control.ForkBody, {"nodes": []}, [("too_short", "/nodes")]),
        (control.ForkBody, {"policies": {"runtime": 1}}, [("wrong_type", "/policies/runtime")]),
        (hitl.HitlRemoveBody, {}, [("missing", "/requestId")]),
        (control.TaskSubmitBody, {"note": "x"}, [("missing", "/output")]),
        (control.TaskDeclineBody, {"reason": " "}, [("blank", "/reason")]),
    ],
)
def test_the_bodies_that_steer_a_run_refuse_nonsense(
    model: type[Model], document: dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    assert problems_of(model, document) == problems
