"""A world in which every text that can come from outside steers, hides, ends lines and is markup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from eventstore import webhook_lanes
from eventstore.webhook_lanes import DeliveryAttempt
from planner.contract import Contract
from planner.findings import check_facets
from planner.planner import PlanRefused
from runs.commands import (
    Actor,
    CompleteNode,
    DeclineTask,
    FailNode,
    RecordLog,
    RejectPlan,
    RequestPlan,
    SubmitTask,
)
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway
from tests.support.given import node
from tests.support.people import Waiting, asked
from tests.webhooks.conftest import feed_all

MARKUP = "[/red][bold]:smile:[link=x]"
STEERS = "\x1b]0;t\x07\x1b[2J\x9b2J\x7f\x85\r\nFORGED\tx\u2028y"
HIDES = "\u202eevil\u202c\u200b\u2066\ufeff\U000e0041\u00ad"
FORGED = "FORGED"


def poison(field: str) -> str:
    """The text of one field: its name, and all that must not take effect."""
    return f"<{field}>{MARKUP}{HIDES}{STEERS}"


def document(field: str) -> dict[str, Any]:
    """A JSON document whose keys and values are foreign, too."""
    return {poison(f"{field}Key"): [poison(f"{field}Value"), {poison("deepKey"): poison("deepValue")}]}


EDITOR = poison("role")
TOKENS = orjson.dumps(
    {
        "token-of-author": {"name": poison("author"), "roles": ["reader"]},
        "token-of-first": {"name": poison("first"), "roles": [EDITOR]},
        "token-of-second": {"name": poison("second"), "roles": [EDITOR]},
    }
).decode()
AUTHOR, FIRST, SECOND = "Bearer token-of-author", "Bearer token-of-first", "Bearer token-of-second"


@dataclass(frozen=True)
class World:
    """Ids of what waits at the gateway: `voting` has a proposal and a vote, `asking` options, `failed` errors."""

    voting: Waiting
    asking: Waiting
    policy: Waiting
    failed: str
    refused: str
    facets: str
    task: str
    declined: str
    done: str
    webhook: str
    link: str
    link_path: str

    @property
    def runs(self) -> tuple[str, ...]:
        return (
            self.voting.run_id,
            self.asking.run_id,
            self.policy.run_id,
            self.failed,
            self.refused,
            self.facets,
            self.done,
        )


def envelope(**policies: Any) -> dict[str, Any]:
    """An envelope in which every text is foreign."""
    return {
        "objective": poison("objective"),
        "inputs": document("inputs"),
        "specialInstructions": [poison("instruction")],
        "constraints": {"threadId": poison("threadId")},
        "metadata": {
            **{name: poison(name) for name in ("clientId", "brandId", "campaignId", "runLabel")},
            "correlationId": "[/red][bold]:smile:",
            poison("metadataKey"): poison("metadataValue"),
        },
        "policies": {poison("policyKey"): poison("policyValue"), **policies},
        "outputContract": {"schema": {"type": "object", "description": poison("contract")}},
    }


def foreign_node(node_id: str, *needs: str, **more: Any) -> dict[str, Any]:
    """A node whose label, capability, role and expectations are foreign."""
    bundle = {
        "role": poison("nodeRole"),
        "instructions": [poison("nodeInstruction")],
        **more.pop("bundle", {}),
    }
    return node(
        node_id, *needs, label=poison("label"), capabilityId=poison("capability"), bundle=bundle, **more
    )


async def poisoned_world(gateway: RunningGateway) -> World:
    """Make it, through the endpoints where people can and by the log where workers and planners write."""
    voting = await _voting(gateway)
    webhook = await _webhook(gateway)
    body = {"requestId": voting.request_id, "for": poison("second")}
    _, link = await gateway.post("/api/hitl/link", body, Authorization=SECOND)
    _, links = await gateway.get("/api/hitl/links", Authorization=SECOND)
    return World(
        voting=voting,
        asking=await _asking(gateway),
        policy=await _policy(gateway),
        failed=await _failed(gateway),
        refused=await _refused(gateway),
        facets=await _facets(gateway),
        task=await _task(gateway, declines=False),
        declined=await _task(gateway, declines=True),
        done=await _done(gateway),
        webhook=webhook,
        link=links["links"][0]["linkId"],
        link_path=link["url"].removeprefix(gateway.url),
    )


async def start(gateway: RunningGateway, **policies: Any) -> ByHand:
    """A run of the author's."""
    return await _submit(gateway, envelope(**policies))


async def _submit(gateway: RunningGateway, task: dict[str, Any]) -> ByHand:
    answer, body = await gateway.post(f"{API}/runs", task, Authorization=AUTHOR)
    assert answer.status == 202, body
    return ByHand(gateway.handler, body["runId"])


async def _voting(gateway: RunningGateway) -> Waiting:
    hitl = {"approvers": [EDITOR], "quorum": 2}
    run = await start(gateway, requiresHitlApproval=True, hitl=hitl)
    await run.planned(foreign_node("a"))
    await run.work(output=document("output"))
    await run.log(poison("logMessage"))
    outcome = await run.deliver(document("output"))
    (request,) = outcome.state.open_requests
    waiting = Waiting(gateway, run.run_id, request.id)
    edited = {"editedOutput": document("edited"), "note": poison("note")}
    assert (await waiting.respond("edit", by=FIRST, **edited))[0] == 200
    return waiting


async def _asking(gateway: RunningGateway) -> Waiting:
    run = await start(gateway, hitl={"approvers": [EDITOR]})
    await run.planned(foreign_node("a"))
    await run.start()
    options = ({"id": poison("optionId"), "label": poison("optionLabel")}, {"id": "plain", "label": "plain"})
    context = document("context")
    return await asked(
        gateway, run, "a", question=poison("question"), options=options, additional_context=context
    )


async def _policy(gateway: RunningGateway) -> Waiting:
    action = {"type": "hitl", "question": poison("policyQuestion")}
    rules = [
        {"id": poison("policyId"), "trigger": "node_complete", "action": action},
        {"id": poison("logPolicyId"), "trigger": "node_complete", "action": "log"},
    ]
    run = await start(gateway, runtime=rules, hitl={"approvers": [EDITOR]})
    await run.planned(foreign_node("a"))
    await run.work(output=document("output"))
    (request,) = (await gateway.store.load(run.run_id, fresh=True)).open_requests
    return Waiting(gateway, run.run_id, request.id)


async def _failed(gateway: RunningGateway) -> str:
    run = await start(gateway)
    contract = {"maxAttempts": 1, "fallback": "abort"}
    await run.planned(foreign_node("a"), foreign_node("b", contract=contract), foreign_node("c", "a"))
    await run.start("a")
    await run.start("b")
    errors = (
        {"instancePath": f"/{poison('errorPath')}", "keyword": "type", "message": poison("errorMessage")},
    )
    await run.do(CompleteNode, node_id="a", attempt=1, output=1, duration_ms=1, errors=errors)
    facts = {"error_code": poison("errorCode"), "message": poison("failure"), "retryable": False}
    await run.do(FailNode, node_id="b", attempt=1, **facts)
    return run.run_id


async def _refused(gateway: RunningGateway) -> str:
    run = await start(gateway)
    await run.do(RequestPlan, attempt=1, planner=poison("planner"), capability_count=1)
    diagnostics = [{"code": poison("diagnostic"), "message": poison("diagnosticMessage"), "pointer": "/"}]
    await run.do(RejectPlan, attempt=1, diagnostics=diagnostics)
    return run.run_id


async def _facets(gateway: RunningGateway) -> str:
    """A run that asks for a facet of a foreign name, refused in the planner's own words beside foreign ones."""
    wanted = {"mode": "facets", "facets": [poison("facet")]}
    descriptors = {poison("capability"): {"facetsOut": [poison("facetOut")]}}
    run = await _submit(gateway, {**envelope(), "outputContract": wanted})
    await run.do(RequestPlan, attempt=1, planner="skeleton", capability_count=1)
    with pytest.raises(PlanRefused) as refused:
        check_facets(Contract(wanted), descriptors)
    await run.do(RejectPlan, attempt=1, diagnostics=refused.value.diagnostics)
    return run.run_id


async def _task(gateway: RunningGateway, *, declines: bool) -> str:
    run = await start(gateway)
    schema = {"type": "object", "description": poison("taskSchema"), "required": ["ok"]}
    human = foreign_node(
        "look",
        "a",
        agentType="human",
        bundle={"assignees": [poison("first"), EDITOR]},
        contract={
            "output": schema,
            "expectations": [poison("expectation")],
            "maxAttempts": 1,
            "fallback": "hitl",
        },
    )
    await run.planned(foreign_node("a"), human)
    await run.work(output=document("output"))
    await run.start("look")
    if declines:
        await run.do(
            DeclineTask,
            node_id="look",
            actor=Actor(poison("first")),
            reason=poison("decline"),
            note=poison("note"),
        )
        return run.run_id
    _, tasks = await gateway.get(f"{API}/tasks?runId={run.run_id}", Authorization=FIRST)
    return tasks["tasks"][0]["taskId"]


async def _done(gateway: RunningGateway) -> str:
    run = await start(gateway)
    await run.planned(foreign_node("a"), foreign_node("look", "a", agentType="human"))
    await run.work(output=document("output"))
    await run.start("look")
    claimed = {"claimed_operator": poison("claimed"), "note": poison("note")}
    await run.do(SubmitTask, node_id="look", output=document("output"), actor=Actor("anonymous"), **claimed)
    await run.do(RecordLog, message=poison("logMessage"), level="info", detail={poison("k"): poison("v")})
    await run.deliver(document("delivered"))
    return run.run_id


async def _webhook(gateway: RunningGateway) -> str:
    body = {
        "url": "https://1.1.1.1/[bold]:smile:[/red]",
        "eventTypes": ["log"],
        "description": poison("hook"),
    }
    answer, made = await gateway.post(f"{API}/webhooks", body, Authorization=AUTHOR)
    assert answer.status == 201, made
    run = await start(gateway)
    await run.log(poison("logMessage"))
    await feed_all(gateway.store)
    (claimed, *_) = await webhook_lanes.claim(gateway.store, "test", 60.0, 8, {})
    failed = DeliveryAttempt(
        delivered=False, response_status=500, error=poison("receiver"), retry_seconds=30.0
    )
    await webhook_lanes.record_attempt(gateway.store, claimed, "test", failed, 60.0)
    return made["webhookId"]
