"""The one service by which people decide, over HTTP, by the queue, by a link and from the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from contracts.checker import ContractChecker
from eventstore.capability_cache import CapabilityCache
from eventstore.handler import Outcome, RunHandler
from eventstore.queries.requests import get_request, pending_requests
from eventstore.store import EventStore
from gateway.deps import GATEWAY, GatewayDeps
from gateway.errors import NotPermitted
from gateway.operators import operator_text
from gateway.people.contract_checks import (
    ContractChecks,
    ContractErrors,
    schema_of_node,
    schema_of_request,
)
from gateway.run_id import canonical_run_id
from gateway.runs.edited_plans import EditedPlans
from runs.commands import Actor, Command, DeclineTask, RemoveRequest, ResolveRequest, ResumeRun, SubmitTask
from runs.decide import Decided
from runs.errors import NotWaiting, RequestAmbiguous, RequestUnknown, RunFinished, RunUnknown, StaleAttempt
from runs.event import Json, JsonObject
from runs.rules.permissions import check_plan_version
from runs.state import RunState
from runs.transitions import AWAITING_HUMAN, PAUSED
from schemas.control import ResumePayload, RunResumeBody
from schemas.hitl import HitlRemoveBody, HitlResponse, ResumeBody

_SHOWN_REQUESTS = 10


@dataclass(frozen=True, slots=True)
class Decisions:
    """Finds the run, has an edit checked by the contract, and lets the run's rules decide: all of a body, or nothing.

    All methods raise RunError where the rules refuse, CheckerUnavailable, StoreError.
    """

    store: EventStore
    handler: RunHandler
    contracts: ContractChecker
    clock: Callable[[], datetime]
    plans: EditedPlans

    async def decide(self, body: ResumeBody, actor: Actor) -> Outcome:
        """Apply the responses of one body in one append."""
        run_id = await self._find_run(body.run_id, body.thread_id, body.decisions()[0].request_id)
        checks = ContractChecks(self.contracts)

        async def build(state: RunState) -> Decided:
            return _decided(Decided(state), await self._commands(state, body, actor, checks))

        return await self.handler.transact(run_id, build)

    async def resume(
        self, body: RunResumeBody, responses: ResumeBody | None, actor: Actor, *, may_control: bool
    ) -> Outcome:
        """Continue a run that is paused, apply responses or do a task if there is one; else change nothing.

        Raises NotWaiting for a run that waits for nothing, NotPermitted for one that is paused without `may_control`.
        """
        checks = ContractChecks(self.contracts)

        async def build(state: RunState) -> Decided:
            _require_waiting(state, body.expected_plan_version)
            decided = Decided(state)
            if state.status == PAUSED:
                if not may_control:
                    raise NotPermitted("The run is paused: to have it go on needs the scope 'runs:control'.")
                decided = decided.then(self._resume_run(body, actor))
            if body.payload is not None and body.payload.node_id is not None:
                return decided.then(await self._task(decided.state, body, body.payload, actor, checks))
            if responses is None:
                return decided
            return _decided(decided, await self._commands(decided.state, responses, actor, checks))

        return await self.handler.transact(canonical_run_id(body.run_id), build)

    async def remove(self, body: HitlRemoveBody, actor: Actor) -> tuple[Outcome, str]:
        """Take a request back; also its id. Raises RequestAmbiguous where several could be meant."""
        request_id = body.request_id or await self._only_request(body.run_id, body.thread_id)
        run_id = await self._find_run(body.run_id, body.thread_id, request_id)
        command = RemoveRequest(
            now=self.clock(),
            request_id=request_id,
            actor=actor,
            claimed_operator=operator_text(body.operator),
            note=body.reason if body.reason is not None else body.note,
        )
        return await self.handler.execute(run_id, command), request_id

    async def _only_request(self, run_id: str | None, thread_id: str | None) -> str:
        """The request that is open in a run, or in a thread. Raises RunUnknown, RequestUnknown, RequestAmbiguous."""
        named = canonical_run_id(run_id) if run_id is not None else None
        place = f"run {named}" if named is not None else f"thread {thread_id}"
        rows = await pending_requests(self.store, run_id=named, thread_id=thread_id, limit=_SHOWN_REQUESTS)
        if len(rows) > 1:
            ids = [row.request_id for row in rows[:_SHOWN_REQUESTS]]
            raise RequestAmbiguous(
                f"{place} has more than one open request; say which: {', '.join(ids)}", requestIds=ids
            )
        if rows:
            return rows[0].request_id
        if named is not None and not (await self.store.heads([named])).get(named):
            raise RunUnknown(f"there is no run {named}")
        raise RequestUnknown(f"{place} has no open request")

    async def _find_run(self, run_id: str | None, thread_id: str | None, request_id: str | None) -> str:
        if run_id is not None and thread_id is None:
            return canonical_run_id(run_id)
        row = await get_request(self.store, request_id or "")
        named = canonical_run_id(run_id) if run_id is not None else None
        if (
            row is None
            or (thread_id or row.thread_id) != row.thread_id
            or (named or row.run_id) != row.run_id
        ):
            place = f" in thread {thread_id}" if thread_id is not None else ""
            raise RequestUnknown(f"there is no request {request_id}{place}", requestId=request_id)
        return row.run_id

    def _resume_run(self, body: RunResumeBody, actor: Actor) -> Command:
        return ResumeRun(
            now=self.clock(),
            actor=actor,
            claimed_operator=operator_text(body.operator),
            reason=body.note,
            expected_plan_version=body.expected_plan_version,
        )

    async def _task(
        self,
        state: RunState,
        body: RunResumeBody,
        payload: ResumePayload,
        actor: Actor,
        checks: ContractChecks,
    ) -> Command:
        """The command of a task that is submitted or declined, at the attempt that waits. Raises RunError."""
        node_id = payload.node_id or ""
        if node_id not in state.nodes:
            raise StaleAttempt(f"the plan has no node {node_id}", nodeId=node_id)
        now, claimed = self.clock(), operator_text(payload.operator or body.operator)
        note = payload.note if payload.note is not None else body.note
        if payload.decline is not None:
            declined = payload.decline
            return DeclineTask(
                now=now,
                node_id=node_id,
                actor=actor,
                reason=declined.reason,
                claimed_operator=claimed,
                note=declined.note if declined.note is not None else note,
            )
        return SubmitTask(
            now=now,
            node_id=node_id,
            output=payload.output,
            actor=actor,
            errors=await checks.errors(schema_of_node(state, node_id), payload.output),
            claimed_operator=claimed,
            note=note,
        )

    async def _commands(
        self, state: RunState, body: ResumeBody, actor: Actor, checks: ContractChecks
    ) -> list[ResolveRequest]:
        now, claimed = self.clock(), operator_text(body.operator)
        commands: list[ResolveRequest] = []
        for response in body.decisions():
            request_id = response.request_id or ""
            edited, errors = await self._edited(state, response, checks)
            command = ResolveRequest(
                now=now,
                request_id=request_id,
                response_type=response.response_type,
                actor=actor,
                claimed_operator=claimed,
                note=_note(body, response),
                option_id=response.selected_option_id,
                text=response.freeform_text,
                edited_output=edited,
                expected_proposal=response.expected_proposal_id,
                expected_output=response.expected_output_hash,
                errors=errors,
                expected_plan_version=body.expected_plan_version,
            )
            commands.append(command)
        return commands

    async def _edited(
        self, state: RunState, response: HitlResponse, checks: ContractChecks
    ) -> tuple[Json, ContractErrors]:
        """What a response puts in the place of what was asked, and what is wrong with it."""
        edited = response.edited_output
        if response.response_type != "edit":
            return edited, ()
        request = state.requests.get(response.request_id or "")
        if request is not None and request.subject == "plan" and request.open:
            base: JsonObject = (request.proposal or {}).get("output") or request.payload["pendingOutput"]
            return await self.plans.checked(state.envelope, edited, base, state.house.forbidden_capabilities)
        return edited, await checks.errors(schema_of_request(state, response.request_id or ""), edited)


def decisions_over(deps: GatewayDeps, capabilities: CapabilityCache) -> Decisions:
    """The service over the parts of a gateway; `capabilities` are those that it knows."""
    plans = EditedPlans(deps.check_plan, capabilities, deps.contracts)
    return Decisions(deps.store, deps.handler, deps.contracts, deps.clock, plans)


def decisions_of(request: web.Request) -> Decisions:
    """The service over the parts of the gateway that serves `request`."""
    gateway = request.app[GATEWAY]
    return decisions_over(gateway.deps, gateway.capabilities)


def _note(body: ResumeBody, response: HitlResponse) -> str | None:
    """The body's note; else the remark that came beside a response which is not itself a free text."""
    if body.note is not None or response.response_type == "freeform":
        return body.note
    return response.freeform_text


def _decided(before: Decided, commands: Sequence[ResolveRequest]) -> Decided:
    """What follows from all of these commands, each decided once. Raises RunError where one of them is refused.

    Rejections come last, since one of them may end the run. Those behind it change nothing any more, and each must be
    possible alone.
    """
    decided = before
    for command in sorted(commands, key=lambda each: each.response_type == "rejection"):
        if decided is not before and decided.state.finished and command.response_type == "rejection":
            before.then(command)
        else:
            decided = decided.then(command)
    return decided


def _require_waiting(state: RunState, expected_plan_version: int | None) -> None:
    if not state.exists:
        raise RunUnknown(f"there is no run {state.run_id}")
    if state.finished:
        raise RunFinished(f"run {state.run_id} is {state.status}", status=state.status)
    check_plan_version(state, expected_plan_version)
    asks_people = state.open_requests or any(node.status == AWAITING_HUMAN for node in state.nodes.values())
    if state.status != PAUSED and not asks_people:
        raise NotWaiting(
            f"the run is {state.status} and waits for nobody; its events are at runs/{state.run_id}/events",
            status=state.status,
        )
