"""From a posted TaskEnvelope to a run in the log. Nothing is stored before everything has been checked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aiohttp import web
from uuid_utils import uuid7

from contracts.lint import accepts_everything
from contracts.problems import SchemaRefused
from eventstore.tenant_limits import Limit
from gateway.deps import GATEWAY, Gateway
from gateway.middleware import adopt_correlation_id, bind_log_fields, caller
from gateway.problems import ProblemError, refused_document
from gateway.run_id import canonical_run_id
from gateway.runs.given_facets import check_given_facets
from gateway.runs.idempotency import IdempotencyKey, idempotency_key
from gateway.scopes import CALLER, require
from gateway.streams.last_event_id import LAST_EVENT_ID
from runs.commands import StartRun
from runs.errors import RunAlreadyStarted, RunUnknown
from runs.event import Event, JsonObject
from runs.state import RunState
from runs.trace import started_in
from schemas.contract_schema import effective_schema, with_facets
from schemas.envelope import TaskEnvelope
from schemas.refusal import DocumentRefused, FieldProblem
from telemetry import tracing


@dataclass(frozen=True, slots=True)
class Submission:
    """The run that an envelope led to; `events` are those this request has written: none where it found the run."""

    state: RunState
    events: list[Event]


async def submit(request: web.Request, envelope: TaskEnvelope, *, reads_on: bool = False) -> Submission:
    """Check the envelope's contract, then start the run, or find the one that the request means already.

    With `reads_on` (the client has read events of the run) it must be there: 400 otherwise.

    Raises ProblemError, DocumentRefused, NotPermitted, RunUnknown, StoreUnavailable.
    """
    gateway = request.app[GATEWAY]
    document = envelope.to_wire()
    if refused := gateway.limiter.check_refused(request):
        await _require_repeat(request, document, refused)
    contract = await pinned_contract(gateway, document["outputContract"])
    schema_hash = await compile_contract(gateway, contract)
    correlation_id = adopt_correlation_id(request, envelope.metadata.correlation_id)
    resumed = envelope.constraints.resume_run_id
    if resumed is not None:
        require(request[CALLER], "runs:read")
        return Submission(await existing_run(gateway, resumed), [])
    actor = caller(request)
    key = idempotency_key(request, actor.name, document)
    if reads_on:
        return Submission(await _run_to_read_on(gateway, key), [])
    known = await gateway.facets.current()
    await check_given_facets(document.get("inputs"), known, gateway.deps.contracts)
    await gateway.backlog.check()
    command = StartRun(
        now=gateway.deps.clock(),
        envelope={**document, "outputContract": contract},
        schema_hash=schema_hash,
        correlation_id=correlation_id,
        submitted_by=actor.name if actor.verified else None,
        origin=key.origin if key is not None else None,
        trace=started_in(tracing.current.get()),
        tenant=request[CALLER].tenant,
    )
    try:
        command = gateway.acceptance.start(command)
    except DocumentRefused:
        # The house may have changed since this key started its run, which is not accepted a second time.
        existing = await gateway.deps.store.load(key.run_id, fresh=True) if key is not None else None
        if key is None or existing is None or not existing.exists:
            raise
        key.require_same_body(existing)
        return Submission(existing, [])
    run_id = key.run_id if key is not None else str(uuid7())
    await gateway.limiter.admit_start(request, run_id, command.submitted_by)
    submission = await gateway.shield_write(_start(gateway, command, envelope, key, run_id))
    gateway.backlog.refresh()
    bind_log_fields(request, run_id=submission.state.run_id)
    return submission


async def _require_repeat(request: web.Request, document: JsonObject, limit: Limit) -> None:
    """Raise the 429 of a limit, unless this request repeats one that has started its run."""
    gateway = request.app[GATEWAY]
    key = idempotency_key(request, caller(request).name, document)
    if key is None or not (await gateway.deps.store.load(key.run_id, fresh=True)).exists:
        gateway.limiter.refuse(request, limit)


async def pinned_contract(gateway: Gateway, contract: JsonObject) -> JsonObject:
    """The contract with the facets that it names as they are now."""
    return with_facets(contract, await gateway.facets.current()) if "facets" in contract else contract


async def compile_contract(gateway: Gateway, contract: JsonObject) -> str:
    """Compile the contract's schema; its hash. Raises DocumentRefused with places in the envelope."""
    schema = effective_schema(contract)
    try:
        compiled = await gateway.deps.contracts.compile(schema)
        if nothing := accepts_everything(schema):
            raise SchemaRefused([nothing])
    except SchemaRefused as refusal:
        places = [
            FieldProblem(each.code, "/outputContract/schema" + each.pointer, each.message)
            for each in refusal.problems
        ]
        refused = SchemaRefused(places, refusal.omitted)
        raise refused_document(refused, f"This contract cannot be compiled: {refused}") from None
    return compiled.schema_hash


async def _start(
    gateway: Gateway, command: StartRun, envelope: TaskEnvelope, key: IdempotencyKey | None, run_id: str
) -> Submission:
    thread_id = envelope.constraints.thread_id or run_id
    try:
        outcome = await gateway.deps.handler.execute(run_id, replace(command, thread_id=thread_id))
    except RunAlreadyStarted:
        if key is None:
            raise
        existing = await gateway.deps.store.load(run_id, fresh=True)
        key.require_same_body(existing)
        return Submission(existing, [])
    return Submission(outcome.state, outcome.events)


async def _run_to_read_on(gateway: Gateway, key: IdempotencyKey | None) -> RunState:
    """The run that this caller's key has started. Raises ProblemError (400) where there is none."""
    if key is not None:
        existing = await gateway.deps.store.load(key.run_id, fresh=True)
        if existing.exists:
            key.require_same_body(existing)
            return existing
    because = (
        "Without an Idempotency-Key" if key is None else "With an Idempotency-Key that was not used before"
    )
    detail = (
        f"{because} this request would start a new run, and its {LAST_EVENT_ID} (or after, lastEventId) says that"
        " events of a run were read. To read on: GET /api/v1/flex/runs/{the X-Run-Id of the first answer}/events, or"
        " send the same Idempotency-Key with every POST, or name the run in constraints.resumeRunId. To start a new"
        f" run: leave {LAST_EVENT_ID} out."
    )
    raise ProblemError(400, "last_event_id_of_no_run", detail)


async def existing_run(gateway: Gateway, run_id: str) -> RunState:
    """The run as it is in the log now. Raises RunUnknown."""
    state = await gateway.deps.store.load(canonical_run_id(run_id), fresh=True)
    if not state.exists:
        raise RunUnknown(f"there is no run {run_id}")
    return state
