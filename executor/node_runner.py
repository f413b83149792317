"""One task of a worker: an attempt, its report, and the node of the same run that the report made ready."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from broker.interface import NotServedHere, WorkHint
from eventstore.clock import wait_if_early
from eventstore.errors import StoreUnavailable, ValueRefused, VersionConflict
from eventstore.handler import Outcome
from executor.attempt import (
    Attempt,
    ClarificationAsked,
    Dropped,
    Failed,
    Produced,
    Result,
    command_for,
    run_attempt,
    status_of,
)
from executor.attempt_log import AttemptLog
from executor.capability import Capability, CapabilityContext
from executor.config import ExecutorConfig
from executor.context import HUMAN, WorkerContext
from executor.in_flight import AttemptKey, InFlightTask
from executor.lookahead import FinalOutput, look_ahead
from runs.bundle import context_bundle
from runs.commands import Command, StartNode
from runs.decide import Decided
from runs.errors import RunFinished, StaleAttempt
from runs.event import JsonObject
from runs.outstanding import node_queue
from runs.rules.retry import MAX_LOSSES_IN_A_ROW
from runs.state import NodeState, RunState

_log = structlog.get_logger("executor")


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt that is in the log as started by this worker, and the state of the run right then."""

    state: RunState
    node_id: str
    attempt: int

    @property
    def node(self) -> NodeState:
        return self.state.nodes[self.node_id]

    @property
    def key(self) -> AttemptKey:
        return (self.state.run_id, self.node_id, self.attempt)

    @property
    def hint(self) -> WorkHint:
        """What would have brought it here."""
        return WorkHint(self.state.run_id, "node", self.node_id, self.attempt, node_queue(self.node.queue))

    @property
    def names(self) -> JsonObject:
        """What each line of the process log about this attempt carries."""
        return {
            "run_id": self.state.run_id,
            "node_id": self.node_id,
            "capability_id": self.node.capability_id,
            "attempt": self.attempt,
            "correlation_id": self.state.correlation_id,
        }


def claim_in(outcome: Outcome) -> Claim | None:
    """The node that these events start for a worker; people need none."""
    for event in outcome.events:
        if (
            event.type == "node_start"
            and event.payload["executorType"] != HUMAN
            and event.node_id is not None
        ):
            return Claim(outcome.state, event.node_id, event.payload["attempt"])
    return None


class NodeRunner:
    """Holds one run's attempts, one after the other, for as long as each makes the next one ready."""

    def __init__(self, parts: WorkerContext, hold: InFlightTask) -> None:
        self._parts = parts
        self._hold = hold

    async def claim(self, hint: WorkHint) -> Claim | None:
        """Take what the hint is about. None where there is nothing to run here. Raises RunError, StoreError."""
        parts = self._parts
        final = FinalOutput(parts.checker)

        async def build(state: RunState) -> Sequence[Command] | Decided:
            now = parts.clock()
            if hint.kind == "output":
                return await look_ahead(state, [], final, parts.goes_on_with, now)
            node = state.nodes.get(hint.ref)
            if node is not None and not parts.serves(node):
                _warn_once(parts, state, node)
                raise NotServedHere
            last_chance = node is not None and len(node.lost) >= MAX_LOSSES_IN_A_ROW - 1
            if last_chance and not parts.holds.take_last_chance(self._hold):
                raise NotServedHere
            if node is not None and node.due_at is not None:
                now = await wait_if_early(node.due_at, now, parts.clock)
            return [StartNode(now=now, node_id=hint.ref, attempt=hint.attempt)]

        return claim_in(await parts.handler.transact(hint.run_id, build, lease=parts.lease))

    async def work(self, claim: Claim) -> None:
        """Run attempts and report them until there is none to go on with."""
        following: Claim | None = claim
        while following is not None:
            following = await self._attempt(following)

    async def _attempt(self, claim: Claim) -> Claim | None:
        parts = self._parts
        capability = parts.registry.find(claim.node.capability_id)
        if capability is None:
            # Only nodes of capabilities that are here get claimed.
            raise LookupError(claim.node.capability_id)
        stopped = self._hold.begin(claim.state, claim.node_id, claim.attempt)
        lines = AttemptLog(parts.handler, claim.key, parts.config, parts.clock)
        attempt = _prepare(claim, capability, lines, parts.config)
        _log.debug("node_started", status="running", **claim.names)
        began = time.perf_counter()
        result = await run_attempt(attempt, self._hold, stopped, parts.config)
        if isinstance(result, Produced):
            result = await parts.checker.judge(claim.node.contract.get("output"), result)
        seconds = round(time.perf_counter() - began, 6)
        _log.info("node_ended", status=status_of(result), seconds=seconds, **claim.names, **_why(result))
        return None if isinstance(result, Dropped) else await self._report(claim, result, lines)

    async def _report(
        self, claim: Claim, result: Produced | Failed | ClarificationAsked, lines: AttemptLog
    ) -> Claim | None:
        try:
            return claim_in(await self._append(claim, result, lines))
        except ValueRefused as refused:
            failure = Failed("output_not_json", f"the output cannot be kept: {refused.reason}")
            return claim_in(await self._append(claim, failure, lines))
        except (StaleAttempt, RunFinished) as refused:
            _log.info("result_refused", status="dropped", reason=refused.message, **claim.names)
            return None

    async def _append(
        self, claim: Claim, result: Produced | Failed | ClarificationAsked, lines: AttemptLog
    ) -> Outcome:
        """One append: the result, and what can be done at once because of it."""
        parts = self._parts
        final = FinalOutput(parts.checker)
        jitter = parts.jitter()

        async def build(state: RunState) -> Sequence[Command] | Decided:
            now = parts.clock()
            commands = [
                *lines.closing_line(now),
                command_for(result, claim.node_id, claim.attempt, now, jitter),
            ]
            if not isinstance(result, Produced):
                return commands
            return await look_ahead(state, commands, final, parts.goes_on_with, now)

        try:
            return await parts.handler.transact(claim.state.run_id, build, lease=parts.lease)
        except (StoreUnavailable, VersionConflict) as error:
            _log.warning("report_delayed", reason=str(error), **claim.names)
        # What took an hour to make is not thrown away because the database is away for a minute.
        patiently = AsyncRetrying(
            retry=retry_if_exception_type((StoreUnavailable, VersionConflict)),
            wait=wait_random_exponential(multiplier=0.1, max=5),
            stop=stop_after_delay(parts.config.report_seconds),
            reraise=True,
        )
        return await patiently(parts.handler.transact, claim.state.run_id, build, lease=parts.lease)


def _warn_once(parts: WorkerContext, state: RunState, node: NodeState) -> None:
    if node.capability_id not in parts.missed:
        parts.missed.add(node.capability_id)
        names = {"run_id": state.run_id, "node_id": node.id, "correlation_id": state.correlation_id}
        _log.warning("capability_not_here", capability_id=node.capability_id, status=node.status, **names)


def _prepare(claim: Claim, capability: Capability, lines: AttemptLog, config: ExecutorConfig) -> Attempt:
    seconds = (
        claim.node.contract.get("timeoutSeconds")
        or capability.descriptor.timeout_seconds
        or config.timeout_seconds
    )
    # A copy: the bundle is made of the run's own values, and a capability may do with its bundle what it likes.
    bundle = orjson.loads(orjson.dumps(context_bundle(claim.state, claim.node)))
    context = CapabilityContext(bundle=bundle, log=lines.write, deadline=time.monotonic() + seconds)
    return Attempt(capability, context, seconds, claim.names)


def _why(result: Result) -> JsonObject:
    if isinstance(result, Failed):
        return {"code": result.code}
    return {"reason": result.reason} if isinstance(result, Dropped) else {}
