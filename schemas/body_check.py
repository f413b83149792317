"""Checks of request bodies in a child process of the sandbox: to explain a large one takes more than 50 ms.

The child says whether a body is valid; its caller then parses a valid body, which is quick.
"""

import dataclasses
from typing import Any
from urllib.parse import parse_qs

from sandbox.errors import InputRefused
from schemas.base import Model
from schemas.control import (
    ForkBody,
    LinkBody,
    OperatorBody,
    PolicyTriggerBody,
    PriorityBody,
    RunResumeBody,
    TaskDeclineBody,
    TaskSubmitBody,
)
from schemas.envelope import TaskEnvelope
from schemas.facet_body import FacetBody
from schemas.hitl import HitlRemoveBody, ResumeBody
from schemas.json_text import load_json
from schemas.limits import LimitsBody, LimitsUnsetBody
from schemas.on_call import DropLettersBody, ReleaseWorkBody, RequeueLettersBody
from schemas.parsing import validate_document
from schemas.refusal import DocumentRefused, FieldProblem
from schemas.tokens import TokenBody
from schemas.webhooks import WebhookBody
from schemas.work import (
    AskBody,
    CapabilityResult,
    ClaimBody,
    CompleteBody,
    DeltaBody,
    FailBody,
    HeartbeatBody,
    LogBody,
)

MAX_FORM_FIELDS = 20

_MODELS: dict[str, type[Model]] = {
    model.__name__: model
    for model in (
        AskBody,
        CapabilityResult,
        ClaimBody,
        CompleteBody,
        FailBody,
        FacetBody,
        ForkBody,
        HeartbeatBody,
        HitlRemoveBody,
        LinkBody,
        LogBody,
        DeltaBody,
        DropLettersBody,
        OperatorBody,
        PolicyTriggerBody,
        PriorityBody,
        ReleaseWorkBody,
        RequeueLettersBody,
        ResumeBody,
        RunResumeBody,
        TaskDeclineBody,
        TaskEnvelope,
        TaskSubmitBody,
        TokenBody,
        LimitsBody,
        LimitsUnsetBody,
        WebhookBody,
    )
}


def check_body(argument: dict[str, Any], blob: bytes) -> None:
    """Raise InputRefused with `problems` and `omitted` where `blob` is no JSON, or none for `argument["model"]`."""
    try:
        document = load_json(blob)
        if argument["model"] is not None:
            validate_document(_MODELS[argument["model"]], document)
    except DocumentRefused as refused:
        problems = [dataclasses.asdict(problem) for problem in refused.problems]
        raise InputRefused({"problems": problems, "omitted": refused.omitted}) from None


def read_form(_argument: object, blob: bytes) -> dict[str, str]:
    """The first value of each field of a form. Raises InputRefused for what no form of ours sends."""
    try:
        fields = parse_qs(blob.decode(), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        raise InputRefused(None) from None
    return {name: values[0] for name, values in fields.items()}


def refusal_from_child(data: Any) -> DocumentRefused:
    """The refusal of `check_body`, in its caller's process."""
    return DocumentRefused([FieldProblem(**problem) for problem in data["problems"]], data["omitted"])
