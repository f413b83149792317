"""People in the loop: requests, responses, and the bodies that carry them.

Requests and answers are open models: they come from operator screens and other systems that have keys of
their own. An answer that contradicts itself is refused, since a decision must never be guessed.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Self, cast

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import InitErrorDetails

from schemas.base import (
    Note,
    OpenModel,
    Operator,
    PlanVersion,
    Reference,
    Text,
    Timestamp,
    flaw,
    refused,
    wire_name,
)
from schemas.payload_marks import PAYLOAD
from schemas.vocabulary import Decision, OriginAgent, RequestKind, RequestStatus, ResponseType, Urgency


class HitlOption(OpenModel):
    """One of the answers that a `choice` offers."""

    id: Reference
    label: Annotated[Text, PAYLOAD]


class HitlQuestion(OpenModel):
    """What is asked.

    `originAgent` is the kind of agent that asks. `responseSchema` is the JSON Schema of the responses that are taken.
    `outputHash` names the output that an approval says yes to: SHA-256 of its JSON with sorted keys.
    """

    request_id: Reference
    kind: RequestKind
    question: Annotated[Text, PAYLOAD]
    options: list[HitlOption] = Field(default_factory=list[HitlOption])
    allow_free_form: bool = False
    urgency: Urgency = "normal"
    additional_context: Any = None
    pending_output: Any = None
    expires_at: Timestamp | None = None
    origin_agent: OriginAgent | None = None
    output_hash: Annotated[str | None, PAYLOAD] = None
    response_schema: dict[str, Any] | None = None


class HitlRequest(HitlQuestion):
    """A question as the endpoints show it: with its run, and with the decision once there is one."""

    run_id: Reference
    thread_id: Reference | None = None
    node_id: Reference | None = None
    plan_version: PlanVersion | None = None
    status: RequestStatus = "pending"
    created_at: Timestamp | None = None
    resolved_at: Timestamp | None = None
    decision: Decision | None = None
    operator: Operator | None = None
    note: Annotated[Note | None, PAYLOAD] = None


# The key that a type of response must bring along, and that only this type may bring.
_CARRIES: dict[ResponseType, str] = {"option": "selected_option_id", "edit": "edited_output"}
# What `approved` cannot be.
_NEVER: dict[ResponseType, bool] = {"approval": False, "edit": False, "rejection": True, "withdraw": True}


def _type_said(response: dict[str, Any]) -> ResponseType | None:
    approved: Any = response.get("approved")
    if "editedOutput" in response or not isinstance(approved, bool | None):
        return None
    if response.get("selectedOptionId") is not None:
        return None if approved is False else "option"
    if approved is not None:
        return "approval" if approved else "rejection"
    return "freeform" if response.get("freeformText") is not None else None


def _short_forms(schema: dict[str, Any]) -> None:
    """`responseType` is not needed beside what says as much.

    `if` with such an `else` means what a plain `anyOf` would: generators of clients take `anyOf` for a choice of types,
    of which `required` alone names none.
    """
    schema["required"] = [key for key in schema["required"] if key != "responseType"]
    if not schema["required"]:
        del schema["required"]
    keys = ("responseType", "approved", "selectedOptionId", "freeformText")
    schema["if"] = {"anyOf": [{"properties": {key: {}}, "required": [key]} for key in keys]}
    schema["else"] = {"not": {}}


class HitlResponse(OpenModel):
    """One decision. `requestId` may be left out where the body around it names the request.

    `responseType` may be left out beside `selectedOptionId`, `approved` or `freeformText`, which say as much.
    `freeformText` is the answer of a `freeform` response, and a remark (a reason, say) beside any other. `withdraw`
    takes a vote back. `expectedProposalId` is the `proposalId` of what was read, `expectedOutputHash` its `outputHash`:
    the response is refused when what is proposed is something else by now.
    """

    model_config = ConfigDict(json_schema_extra=_short_forms)

    request_id: Reference | None = None
    response_type: ResponseType
    approved: bool | None = None
    selected_option_id: Reference | None = None
    freeform_text: Note | None = None
    edited_output: Any = None
    expected_proposal_id: Reference | None = None
    expected_output_hash: Reference | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_type(cls, sent: Any) -> Any:
        """The response with the type that its other keys say. Where they do not, nothing is guessed."""
        if not isinstance(sent, dict) or "response_type" in sent:
            return cast(Any, sent)
        response = cast("dict[str, Any]", sent)
        if response.get("responseType") is not None:
            return response
        meant = _type_said(response)
        return response if meant is None else {**response, "responseType": meant}

    @model_validator(mode="after")
    def _means_one_thing(self) -> Self:
        found = [*self._missing(), *self._contradictions()]
        if found:
            raise refused(*found)
        return self

    def _missing(self) -> Iterator[InitErrorDetails]:
        message = f"A response of type {self.response_type!r} needs this."
        if self.response_type == "option" and self.selected_option_id is None:
            yield flaw("missing", message, "selectedOptionId")
        if self.response_type == "freeform" and not (self.freeform_text or "").strip():
            yield flaw("missing", message, "freeformText")
        # The edited output may well be null: being there is enough.
        if self.response_type == "edit" and "edited_output" not in self.model_fields_set:
            yield flaw("missing", message, "editedOutput")

    def _contradictions(self) -> Iterator[InitErrorDetails]:
        if self.approved is not None and self.approved is _NEVER.get(self.response_type):
            yield flaw("contradiction", f"The response type says {self.response_type!r}.", "approved")
        for response_type, field in _CARRIES.items():
            if response_type != self.response_type and getattr(self, field) is not None:
                message = (
                    f"Only a response of type {response_type!r} has this; this is {self.response_type!r}."
                )
                yield flaw("contradiction", message, wire_name(field))


class ResumeBody(OpenModel):
    """The body of `POST /api/hitl/resume`, and of a message on the queue `flexrun.v1.hitl`."""

    run_id: Reference | None = None
    thread_id: Reference | None = None
    request_id: Reference | None = None
    responses: Annotated[list[HitlResponse], Field(min_length=1, max_length=100)]
    operator: Operator | None = None
    note: Note | None = None
    expected_plan_version: PlanVersion | None = None

    @model_validator(mode="after")
    def _names_run_and_requests(self) -> Self:
        found = [*self._unnamed(), *self._named_twice()]
        if found:
            raise refused(*found)
        return self

    def decisions(self) -> list[HitlResponse]:
        """The responses, each with the id of its request."""
        return [
            response if response.request_id else response.model_copy(update={"request_id": self.request_id})
            for response in self.responses
        ]

    def _unnamed(self) -> Iterator[InitErrorDetails]:
        if self.run_id is None and self.thread_id is None:
            yield flaw("missing", "Name the run, by runId or by threadId.", "runId")
        if self.request_id is None:
            message = "Name the request, here or once for the whole body."
            for index, response in enumerate(self.responses):
                if response.request_id is None:
                    yield flaw("missing", message, "responses", index, "requestId")

    def _named_twice(self) -> Iterator[InitErrorDetails]:
        ids = [response.request_id for response in self.decisions()]
        for index, request_id in enumerate(ids):
            if request_id is not None and request_id in ids[:index]:
                message = "Another response of this body decides the same request."
                yield flaw("not_unique", message, "responses", index, "requestId")
        if self.request_id is not None and self.request_id not in ids:
            yield flaw("contradiction", "No response is about this request.", "requestId")


HitlMessage = ResumeBody
"""A message on the queue `flexrun.v1.hitl`: the same body, under the same rules."""


class HitlRemoveBody(OpenModel):
    """The body of `POST /api/hitl/remove`: remove a request that needs no answer any more.

    Without `requestId` it is the one that is open in the run, or in the thread.
    """

    run_id: Reference | None = None
    thread_id: Reference | None = None
    request_id: Reference | None = None
    operator: Operator | None = None
    reason: Note | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.request_id is None and self.run_id is None and self.thread_id is None:
            raise refused(
                flaw("missing", "Name the request, or the run or thread that it is open in.", "requestId")
            )
        return self
