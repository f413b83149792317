"""`POST /api/v1/flex/runs/{id}/policies/{policyId}/trigger`: fire a runtime policy by hand."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web

from gateway.deps import GATEWAY
from gateway.endpoint import (
    JSON,
    MAY_BE_EMPTY,
    UNAUTHORIZED,
    UNAVAILABLE,
    DocumentedResponse,
    Endpoints,
    FromRequest,
)
from gateway.middleware import caller
from gateway.operators import operator_text
from gateway.query import Parameter
from gateway.response import document, json_response
from gateway.run_id import PathRunId
from gateway.runs.control import RunControlled
from gateway.runs.documentation import KEY, RUN_UNKNOWN
from gateway.runs.idempotency import idempotency_key
from runs.commands import TriggerPolicy
from runs.errors import PolicyUnknown
from schemas.base import MAX_NAME_CHARS
from schemas.control import PolicyTriggerBody

ENDPOINTS = Endpoints("control")


def _read_policy_id(request: web.Request) -> str:
    policy_id = request.match_info["policy_id"]
    if len(policy_id) > MAX_NAME_CHARS:
        raise PolicyUnknown(f"no policy has an id of {len(policy_id)} characters")
    return policy_id


PathPolicyId = Annotated[
    str,
    FromRequest(_read_policy_id, [Parameter("policy_id", "path", "The policy's id.", {"type": "string"})]),
]
"""The policy that the path names."""


@ENDPOINTS.post(
    "/api/v1/flex/runs/{run_id}/policies/{policy_id}/trigger",
    name="triggerPolicy",
    needs="runs:control",
    summary="Fire a runtime policy whose trigger is manual",
    headers=[KEY],
    responses=[DocumentedResponse(200, "Fired, or fired before with this key.", {JSON: RunControlled})],
    problems={
        400: "The body is not a PolicyTriggerBody (`invalid_json`, `invalid_body`).",
        409: "The policy does not fit the run as it is (`not_ready`), or the run is over (`run_finished`).",
    }
    | RUN_UNKNOWN
    | {404: "There is no such run (`run_unknown`), or it has no such policy (`policy_unknown`)."}
    | UNAUTHORIZED
    | UNAVAILABLE,
)
async def trigger_policy(
    request: web.Request,
    run_id: PathRunId,
    policy_id: PathPolicyId,
    body: Annotated[PolicyTriggerBody, MAY_BE_EMPTY],
) -> web.Response:
    """Fire the policy now; with an Idempotency-Key, once however often it is asked."""
    gateway, actor = request.app[GATEWAY], caller(request)
    key = idempotency_key(request, actor.name, {"run": run_id, "policy": policy_id})
    command = TriggerPolicy(
        now=gateway.deps.clock(),
        actor=actor,
        reason=body.reason,
        claimed_operator=operator_text(body.operator),
        policy_id=policy_id,
        node_id=body.node_id,
        key=f"{policy_id} {key.run_id}" if key is not None else None,
    )
    state = (await gateway.shield_write(gateway.deps.handler.execute(run_id, command))).state
    return json_response(document(RunControlled, state, last_event_id=str(state.seq)), run_id=run_id)
