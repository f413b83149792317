"""`/hitl/{token}`: the page behind a link.

The page asks for no token: the link is the key. Looking at it changes nothing, because mail scanners look at links, and
what its forms send is shown once more before it is a decision.
"""

from __future__ import annotations

from typing import Annotated

from aiohttp import web

from eventstore.queries.requests import RequestRow, get_request
from eventstore.queries.runs import get_run, plan_in_force
from gateway.body import read_body
from gateway.deps import GATEWAY
from gateway.endpoint import HTML, DocumentedResponse, Endpoints, FromRequest
from gateway.middleware import bind_log_fields
from gateway.parsing import parse_form, parse_json
from gateway.people.decisions import decisions_of
from gateway.people.error_pointers import below, errors_in_responses
from gateway.people.link_signer import (
    ApprovalLink,
    LinkEnded,
    LinkOutdated,
    LinkUnknown,
)
from gateway.people.models import pending_output
from gateway.people.page.confirm import BACK, CONFIRMED, confirm_page
from gateway.people.page.question import (
    PageError,
    decided_page,
    plain_page,
    question_page,
    seen,
    voted_page,
)
from gateway.people.policy_context import with_policy_context
from gateway.problems import ProblemError, problem_of
from gateway.query import Parameter
from gateway.recording import begin_operation, note_operation
from runs.errors import RequestUnknown, StaleProposal
from runs.event import JsonObject
from schemas.hitl import ResumeBody
from schemas.parsing import validate_document
from schemas.refusal import FieldProblem
from schemas.visible import has_hidden

ENDPOINTS = Endpoints("people")

PAGE_PATH = "/hitl/{token}"
PathToken = Annotated[
    str,
    FromRequest(
        lambda request: request.match_info["token"],
        [Parameter("token", "path", "The signed part of the link.")],
    ),
]
_FIELDS = (
    "responseType", "selectedOptionId", "freeformText", "editedOutput", "note", "operator", "proposal", "output",
    CONFIRMED, BACK,
)  # fmt: skip
_TEXTS = ("freeformText", "note")
"""What people type: browsers send its line breaks as CRLF."""


@ENDPOINTS.get(
    PAGE_PATH,
    name="showLink",
    summary="The page behind a link; looking at it changes nothing",
    responses=[DocumentedResponse(200, "The question with its forms.", {HTML: None})],
    problems={
        404: "Not a link of ours, as a page.",
        403: "The person of the link may not decide any more, as a page.",
        410: "Expired, revoked or decided, as a page.",
    },
    open=True,
)
async def show_link(request: web.Request, token: PathToken) -> web.Response:
    """The question, its output and the forms; 410 when it was decided or the link's time is over."""
    found = await _find_request(request, token)
    if isinstance(found, web.Response):
        return found
    row, link = found
    if row.status != "open":
        return await _decided(request, row, 410)
    return question_page(await with_policy_context(request.app[GATEWAY].deps.store, row), link, {})


@ENDPOINTS.post(
    PAGE_PATH,
    name="decideByLink",
    acts_on="request",
    records_itself=True,
    summary="What the forms of that page send",
    responses=[DocumentedResponse(200, "What was decided, as a page.", {HTML: None})],
    problems={
        403: "The rules do not let this person decide, as a page.",
        404: "Not a link of ours, as a page.",
        409: "Decided already, as a page.",
        410: "Expired, as a page.",
        422: "The response does not fit, as a page with the errors.",
    },
    open=True,
)
async def decide_by_link(request: web.Request, token: PathToken) -> web.Response:
    """Show what the form says, and apply it once that is confirmed. The link is what a forged request would lack."""
    gateway = request.app[GATEWAY]
    raw = await read_body(request, gateway.config)
    found = await _find_request(request, token)
    if isinstance(found, web.Response):
        return found
    row, link = found
    if row.status != "open":
        return await _decided(request, row, 409)
    row = await with_policy_context(gateway.deps.store, row)
    typed = await _form_fields(request, raw)
    if BACK in typed:
        return question_page(row, link, typed)
    try:
        body = await _body(request, link, typed)
        if CONFIRMED not in typed:
            _require_same(row, typed)
            return confirm_page(row, link, body, typed)
        note_operation(request, "decideByLink", "request", None)
        await begin_operation(
            request, [body], actor=link.actor.name, object_id=link.request_id, run_id=link.run_id
        )
        with errors_in_responses(body):
            await gateway.shield_write(decisions_of(request).decide(body, link.actor))
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        return await _refused(request, problem, link, typed)
    decided = await get_request(gateway.deps.store, link.request_id)
    if decided is None:
        raise RequestUnknown(f"there is no request {link.request_id}")
    return voted_page(decided) if decided.status == "open" else await _decided(request, decided, 200)


async def _decided(request: web.Request, row: RequestRow, status: int) -> web.Response:
    """What was decided, with the output that was approved."""
    output = pending_output(row)
    if row.decision == "edited" and row.subject == "plan":
        store = request.app[GATEWAY].deps.store
        event = await plan_in_force(store, row.run_id, (await store.load(row.run_id)).seq)
        output = (event.detail or {}).get("plan") if event is not None else output
    elif row.decision == "edited" and "output" not in (row.proposal or {}):
        # A single edit is in the log as what it made: the output of the run, or of the node.
        detail = await get_run(request.app[GATEWAY].deps.store, row.run_id)
        nodes = {node.node_id: node.output for node in detail.nodes} if detail is not None else {}
        made = detail.output if detail is not None else None
        output = nodes.get(row.node_id) if row.subject == "node" and row.node_id else made
    return decided_page(row, output, status)


def _require_same(row: RequestRow, typed: dict[str, str]) -> None:
    """Raise StaleProposal where something else is proposed than what the form's reader has read."""
    if any(typed.get(name, text) != text for name, text in seen(row).items()):
        detail = "Something else is proposed since you opened the page. Read it, and decide again."
        raise StaleProposal(detail)


def _require_name(link: ApprovalLink, typed: dict[str, str]) -> None:
    """Raise ProblemError (422) where it would not be known who decides."""
    name = typed.get("operator", "")
    readable = any(each.isprintable() and not each.isspace() and not has_hidden(each) for each in name)
    if not link.actor.verified and not readable:
        error = FieldProblem("required", "/operator", "Type your name: the log keeps who decided.")
        raise ProblemError(422, "response_invalid", "A decision needs a name.", errors=[error])


async def _find_request(request: web.Request, token: str) -> tuple[RequestRow, ApprovalLink] | web.Response:
    gateway = request.app[GATEWAY]
    try:
        link = await gateway.links.read(token)
    except LinkUnknown:
        text = "It may have been cut off on its way. Open it as a whole, or ask for a new one."
        return plain_page("This link is not known here", text, 404)
    except LinkOutdated:
        text = "It was made by an earlier release, and such links decide nothing any more. Ask for a new one."
        return plain_page("This link is too old", text, 410)
    except LinkEnded as ended:
        return plain_page(ended.title, ended.words, 403 if ended.forbidden else 410)
    bind_log_fields(request, run_id=link.run_id)
    row = await get_request(gateway.deps.store, link.request_id)
    if row is None:
        return plain_page("This link is not known here", "Its request is not in this database.", 404)
    if row.status == "open" and link.expired(gateway.deps.clock()):
        return plain_page("This link has expired", "The request still waits: ask for a new link.", 410)
    return row, link


async def _refused(
    request: web.Request, problem: ProblemError, link: ApprovalLink, typed: dict[str, str]
) -> web.Response:
    bind_log_fields(request, code=problem.code)
    row = await get_request(request.app[GATEWAY].deps.store, link.request_id)
    if row is None or row.status != "open":
        if row is None:
            return plain_page("Too late", problem.detail, 409)
        return await _decided(request, row, 409)
    row = await with_policy_context(request.app[GATEWAY].deps.store, row)
    return question_page(row, link, typed, PageError(problem.detail, problem.errors), problem.status)


async def _form_fields(request: web.Request, raw: bytes) -> dict[str, str]:
    """The form's fields. Raises ProblemError (400) for what no form of ours sends."""
    fields = await parse_form(request.app[GATEWAY].deps.contracts.sandbox, raw)
    typed = {name: fields[name] for name in _FIELDS if name in fields}
    return typed | {name: typed[name].replace("\r\n", "\n") for name in _TEXTS if name in typed}


async def _body(request: web.Request, link: ApprovalLink, typed: dict[str, str]) -> ResumeBody:
    """What the form says as the body that `/api/hitl/resume` takes. Raises DocumentRefused, ProblemError."""
    _require_name(link, typed)
    response_type = "option" if "selectedOptionId" in typed else typed.get("responseType")
    response: JsonObject = {"requestId": link.request_id, "responseType": response_type}
    if "proposal" in typed:
        response["expectedProposalId"] = typed["proposal"]
    if "output" in typed:
        response["expectedOutputHash"] = typed["output"]
    if response_type == "option":
        response["selectedOptionId"] = typed.get("selectedOptionId")
    elif response_type == "freeform":
        response["freeformText"] = typed.get("freeformText")
    elif response_type == "edit":
        with below("/responses/0/editedOutput"):
            text = typed.get("editedOutput", "").encode("utf-8", "surrogatepass")
            response["editedOutput"] = await parse_json(request.app[GATEWAY].deps.contracts.sandbox, text)
    document: JsonObject = {"runId": link.run_id, "responses": [response], "note": typed.get("note") or None}
    if typed.get("operator", "").strip():
        document["operator"] = typed["operator"].strip()
    return validate_document(ResumeBody, document)
