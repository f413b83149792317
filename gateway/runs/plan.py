"""`POST /api/v1/flex/plan`: what a run of this envelope would be planned as. Nothing is stored."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from gateway.deps import GATEWAY
from gateway.endpoint import JSON, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.middleware import caller
from gateway.problems import ProblemError
from gateway.response import Response, json_response
from gateway.runs.given_facets import check_given_facets
from gateway.runs.submit import compile_contract, pinned_contract
from runs.commands import StartRun
from schemas.base import OpenModel
from schemas.envelope import TaskEnvelope
from schemas.facets import pinned_facets
from schemas.plan import Diagnostic, PlanGraph

ENDPOINTS = Endpoints("runs")


class PlanCost(OpenModel):
    """What the descriptors say that a plan costs: millionths of a unit of money, seconds of work, tokens; its nodes."""

    micros: int
    seconds: float
    tokens: int
    nodes: int


class TrialPlan(Response):
    """A plan with its cost, or with `feasible: false` why there is none."""

    feasible: bool
    plan: PlanGraph | None = None
    cost: PlanCost | None = None
    proved: bool | None = None
    diagnostics: list[Diagnostic] = Field(default_factory=list[Diagnostic])


@ENDPOINTS.post(
    "/api/v1/flex/plan",
    name="planEnvelope",
    needs="runs:start",
    unrecorded="it changes nothing",
    no_payload="it is made of the caller's own envelope",
    summary="Plan an envelope without starting a run",
    description="The envelope is checked as for a run and planned with what is registered now; nothing is stored."
    " `proved` says whether no plan costs less. Without a plan `diagnostics` has what is missing, which capability"
    " would give it, and where it can be found the nearest contract that could be met (`nearest_contract`).",
    responses=[DocumentedResponse(200, "The plan, or why there is none.", {JSON: TrialPlan})],
    problems={
        400: "The body is no JSON (`invalid_json`), no TaskEnvelope, or its contract cannot be compiled"
        " (`invalid_body`). Every place that is wrong is in `errors`.",
    }
    | UNAUTHORIZED
    | UNAVAILABLE,
)
async def plan(request: web.Request, envelope: TaskEnvelope) -> web.Response:
    """The plan that a run of this envelope would have, or why it would have none."""
    gateway = request.app[GATEWAY]
    planner = gateway.deps.plan
    if planner is None:
        raise ProblemError(503, "planner_unavailable", "This gateway was started without a planner.")
    gateway.limiter.check_contract(request)
    wire = envelope.to_wire()
    contract = await pinned_contract(gateway, wire["outputContract"])
    schema_hash = await compile_contract(gateway, contract)
    known = await gateway.facets.current()
    await check_given_facets(wire.get("inputs"), known, gateway.deps.contracts)
    actor = caller(request)
    command = StartRun(
        now=gateway.deps.clock(),
        envelope={**wire, "outputContract": contract},
        schema_hash=schema_hash,
        submitted_by=actor.name if actor.verified else None,
    )
    accepted = gateway.acceptance.start(command)
    registered = await gateway.capabilities.current()
    facets = pinned_facets(known, known)
    disabled = gateway.capabilities.disabled()
    return json_response(
        await planner(accepted.envelope, registered, facets, disabled, gateway.acceptance.house)
    )
