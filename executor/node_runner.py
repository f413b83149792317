"""What a worker does with a node, from its claim to the append of its result, and on to the next node of the run.

1. **Claim** (`claim.py`). A hint names a node. The claim is an append: `node_start`, under this worker's lease. Of two
   workers that claim an attempt, the log accepts one and refuses the other as stale. A node whose capability is not
   here is left to other workers (NotServedHere). A hint may name the run's output instead: that needs no claim, since
   composing, checking and delivering it are one append, which may start a node again to repair it.
2. **Attempt** (`attempt.py`). The capability runs until it ends, until its time is up, or until `in_flight.py` finds
   that the attempt is over: the run has ended, the lease is lost, the worker stops. What it returns or raises becomes
   a result: Produced, Failed, ClarificationAsked, Deferred or Dropped.
3. **Judge** (`checks.py`). An output is checked against its node's contract; the errors become part of the result.
4. **Append, and what it makes ready** (`reporting.py`, `lookahead.py`). One append holds the result, the run's output
   where that is due, the start of human nodes, and the start of one node that this worker can run. Hints of the other
   nodes that are ready go to the broker after the commit. While the database cannot be reached the append is tried
   again for `report_seconds`. A result that the log refuses, because another worker has the attempt, is dropped.
5. **Next.** The node that the append started is the next claim of the same task. Without one the task ends, and its
   slot is free.

A planner in the same process saves the first hint: it appends its plan through this worker, and the append starts
the plan's first node (`ExecutorWorker.append_plan_and_start_node`).

A worker that dies in between loses nothing but time. Its lease expires, the keeper appends `node_error`
(`worker_lost`), and another worker claims the next attempt. A capability may therefore run twice; the log takes one
result of each attempt.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import orjson
import structlog

from broker.interface import WorkHint
from eventstore.clock import wait_if_early
from eventstore.handler import Build, Outcome, decided
from eventstore.heartbeat import AttemptKey
from eventstore.partial_outputs import PartialOutputs
from executor.attempt import (
    Attempt,
    Deferred,
    Dropped,
    Failed,
    Produced,
    run_attempt,
    status_of,
)
from executor.attempt_log import AttemptLog
from executor.capability import Capability, CapabilityContext
from executor.claim import Claim, check_served, claim_in
from executor.context import WorkerContext
from executor.lookahead import FinalOutput, look_ahead, start_ready
from executor.reporting import Reported, report
from runs.bundle import context_bundle
from runs.commands import Command, StartNode
from runs.decide import Decided
from runs.event import JsonObject
from runs.state import RunState
from runs.trace import attempt_span
from schemas.homes import HttpHome
from telemetry import tracing

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class NodeRunner:
    """Runs nodes of one run, one after the other, for as long as each makes the next one ready.

    It is in flight from its creation until `work` ends, or until a claim fails.
    """

    def __init__(self, context: WorkerContext, run_id: str) -> None:
        self._context = context
        self._run_id = run_id
        self._in_flight = context.in_flight.add(run_id)

    async def claim(self, hint: WorkHint) -> Claim | None:
        """Claim what the hint names; None where no node starts here.

        Raises RunError, StoreError, NotServedHere, Parked.
        """
        context = self._context
        final = FinalOutput(context.checker)

        async def build(state: RunState) -> Sequence[Command] | Decided:
            now = context.clock()
            if hint.kind == "output":
                return await look_ahead(state, [], final, context.continues_with, now)
            node = state.nodes.get(hint.ref)
            if node is not None:
                await check_served(context, state, node, self._in_flight)
                if node.due_at is not None:
                    now = await wait_if_early(node.due_at, now, context.clock)
                await context.admissions.admit(state, node, hint.attempt)
            used = context.used_version(node) if node is not None else None
            return [StartNode(now=now, node_id=hint.ref, attempt=hint.attempt, used_version=used)]

        # Who has to ask must not keep the others of the run waiting meanwhile.
        alone = hint.kind == "node" and await self._is_guarded(hint)
        claim = None
        try:
            _, claim = await self._append_claim(build, alone=alone)
            return claim
        finally:
            if claim is None:
                await context.admissions.not_started((self._run_id, hint.ref, hint.attempt))

    async def _is_guarded(self, hint: WorkHint) -> bool:
        try:
            return await self._context.admissions.guards_hinted(self._run_id, hint.ref)
        except BaseException:
            self._context.in_flight.remove(self._in_flight)
            raise

    async def append_and_claim(self, build: Build) -> tuple[Outcome, Claim | None]:
        """Append what `build` gives, with the start of a node that it makes ready; None where it makes none ready."""
        context = self._context

        async def build_and_start(state: RunState) -> Decided:
            following = await decided(build, state)
            return start_ready(state, following, context.continues_with, context.clock())

        return await self._append_claim(build_and_start)

    async def work(self, claim: Claim) -> None:
        """Run attempts and append their results until an append starts no further node."""
        try:
            following: Claim | None = claim
            while following is not None:
                following = await self._attempt(following)
        finally:
            self._context.in_flight.remove(self._in_flight)

    async def _append_claim(self, build: Build, *, alone: bool = False) -> tuple[Outcome, Claim | None]:
        claim: Claim | None = None
        try:
            transact = self._context.handler.transact if alone else self._context.writer.transact
            outcome = await transact(self._run_id, build, lease=self._context.lease)
            claim = claim_in(outcome)
            return outcome, claim
        finally:
            if claim is None:
                self._context.in_flight.remove(self._in_flight)

    async def _attempt(self, claim: Claim) -> Claim | None:
        """Run the capability, judge its output, append the result; the next claim, if the append made one."""
        context = self._context
        capability = context.registry.find(claim.node.capability_id, claim.node.capability_version)
        if capability is None:
            # Only nodes of capabilities that are here get claimed.
            raise LookupError(claim.node.capability_id)
        stopped = self._in_flight.begin(claim.state, claim.node_id, claim.attempt)
        attempt_log = AttemptLog(context.writer, claim.key, context.config, context.clock)
        attempt = await self._prepare(claim, capability, attempt_log)
        context.admissions.note_start(claim.node)
        _log.debug("node_started", status="running", **claim.names)
        began = time.perf_counter()
        tracing.current.set(attempt_span(claim.state, claim.node_id, claim.attempt))
        try:
            result = await run_attempt(attempt, self._in_flight, stopped, context.config)
        finally:
            context.partial.ended(claim.key)
        if isinstance(result, Produced):
            result = await context.checker.judge(claim.node.contract.get("output"), result)
        seconds = round(time.perf_counter() - began, 6)
        _log.info("node_ended", status=status_of(result), seconds=seconds, **claim.names, **_reason(result))
        await context.admissions.note_end(claim.key, claim.node, result)
        if isinstance(result, Deferred):
            await self._wait_for_callback(claim, result)
            return None
        return None if isinstance(result, Dropped) else await report(context, claim, result, attempt_log)

    async def _prepare(self, claim: Claim, capability: Capability, attempt_log: AttemptLog) -> Attempt:
        seconds = (
            claim.node.contract.get("timeoutSeconds")
            or capability.descriptor.timeout_seconds
            or self._context.config.timeout_seconds
        )
        # A copy: the bundle is made of the run's own values, and a capability may change its bundle.
        ends = self._context.clock() + timedelta(seconds=seconds)
        bundle = orjson.loads(orjson.dumps(context_bundle(claim.state, claim.node, ends)))
        callbacks = self._context.callbacks
        if callbacks is not None and isinstance(capability.descriptor.home, HttpHome):
            bundle |= await callbacks.invitation(claim.state, claim.node)
        context = CapabilityContext(
            bundle=bundle,
            log=attempt_log.write,
            deadline=time.monotonic() + seconds,
            delta=_none_kept if claim.state.protected else _Deltas(self._context.partial, claim.key),
        )
        return Attempt(capability, context, seconds, claim.names)

    async def _wait_for_callback(self, claim: Claim, result: Deferred) -> None:
        context = self._context
        if context.callbacks is None:
            raise LookupError("the attempt waits for a callback, and its bundle invites none")
        capability_id, patience_seconds = claim.node.capability_id, context.config.report_seconds
        await context.callbacks.wait(
            claim.key, capability_id, context.worker_id, result.seconds, patience_seconds
        )


@dataclass(frozen=True, slots=True)
class _Deltas:
    """The `delta` of one attempt."""

    partial: PartialOutputs
    key: AttemptKey

    def __call__(self, text: str = "", patch: Sequence[JsonObject] = ()) -> None:
        self.partial.add(self.key, text, patch)


def _none_kept(text: str = "", patch: Sequence[JsonObject] = ()) -> None:
    """The `delta` of an attempt of a protected run: what is made so far would be in a table as it is."""


def _reason(result: Reported | Deferred | Dropped) -> JsonObject:
    if isinstance(result, Failed):
        return {"code": result.code}
    return {"reason": result.reason} if isinstance(result, Dropped) else {}
