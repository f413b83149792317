"""Starting nodes for a worker: one append for those of a run, and what the worker is given about each.

The append with the expected version is the claim, as everywhere: of two gateways that start an attempt, the log accepts
one. `node_start` is under a lease of the worker's own (`remote/<workerId>`), which its heartbeats extend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from eventstore.batch import Lease
from eventstore.capability_cache import CapabilityCache
from eventstore.clock import Clock
from eventstore.limits import admit
from eventstore.run_writer import RunWriter
from eventstore.store import EventStore
from eventstore.task_tokens import TaskKey, TaskTokens
from gateway.work.used_version import used_version
from runs.bundle import context_bundle
from runs.commands import Command, FailNode, StartNode
from runs.decide import Decided
from runs.errors import RunError
from runs.event import JsonObject, rfc3339
from runs.rules.retry import MAX_LOSSES_IN_A_ROW
from runs.state import NodeState, RunState
from runs.trace import attempt_span
from schemas.capability import Limits

LEASE_SECONDS = 10.0
"""How long a worker may be silent whose capability names no `heartbeatSeconds`."""

TIMEOUT_SECONDS = 60.0
"""How long an attempt may take where neither its contract nor its capability says it; as in the executor."""

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Bundles of one answer; the first counts whatever its size."""

REMOTE = "remote/"
"""How the names begin under which workers hold leases."""

UNDELIVERED = "claim_undelivered"


@dataclass(frozen=True, slots=True)
class ReadyNode:
    """A node that may be started. `due_at`: the database found it due then, and has it `claimed` for this gateway."""

    run_id: str
    ref: str
    attempt: int
    queue: str
    due_at: datetime | None = None
    claimed: bool = False

    @property
    def kind(self) -> str:
        """The kind in `flex_work`."""
        return "node"


@dataclass(frozen=True, slots=True)
class HandedOut:
    """An attempt that a worker is given; `text` is what the answer to its claim says of it."""

    key: TaskKey
    text: bytes


@dataclass(frozen=True, slots=True)
class _Drafted:
    """A node that an append starts, and the bundle of its attempt."""

    node: NodeState
    bundle: bytes
    descriptor: JsonObject


class Starter:
    """Starts nodes for workers, and takes back what could not be delivered."""

    def __init__(
        self,
        store: EventStore,
        writer: RunWriter,
        capabilities: CapabilityCache,
        tokens: TaskTokens,
        clock: Clock,
    ) -> None:
        self._store = store
        self._writer = writer
        self._capabilities = capabilities
        self._tokens = tokens
        self._clock = clock

    async def start(
        self, worker: str, run_id: str, ready: Sequence[ReadyNode], named: Mapping[str, frozenset[str | None]]
    ) -> list[HandedOut]:
        """Start those nodes that can be started now, as attempts of `worker`. Raises RunError, StoreError.

        `named` are the versions that it has, by queue.
        """
        drafted: list[_Drafted] = []
        admitted = await self._admitted(worker, run_id, ready)
        if not admitted:
            return []

        async def build(state: RunState) -> Decided:
            nonlocal drafted
            decided, drafted = self._draft(state, admitted, named)
            return decided

        seconds = self._lease_seconds(ready[0])
        outcome = await self._writer.transact(run_id, build, lease=Lease(worker, seconds))
        if not outcome.events:
            return []
        return [await self._hand_out(worker, outcome.state, each, seconds) for each in drafted]

    async def take_back(self, given: HandedOut) -> None:
        """Say that the worker never got this attempt: the next one is due at once. Raises RunError, StoreError."""
        command = FailNode(
            now=self._clock(),
            node_id=given.key.node_id,
            attempt=given.key.attempt,
            error_code=UNDELIVERED,
            message="the worker left before it was given this attempt; the next claim gets it",
            lost=True,
            undelivered=True,
        )

        async def build(state: RunState) -> Sequence[Command]:
            return [command]

        await self._writer.transact(given.key.run_id, build)

    async def _admitted(self, worker: str, run_id: str, ready: Sequence[ReadyNode]) -> list[ReadyNode]:
        """Those that may start within the limits of their capabilities; the others wait in the table."""
        admitted: list[ReadyNode] = []
        for each in ready:
            row = self._capabilities.of_queue(each.queue)
            limits = row.descriptor.get("limits") if row is not None else None
            if row is not None and limits:
                wanted = Limits.model_validate(limits, by_alias=True, by_name=False)
                key = (run_id, each.ref, each.attempt)
                if not (await admit(self._store, row.capability_id, key, wanted, worker)).admitted:
                    continue
            admitted.append(each)
        return admitted

    def _draft(
        self, state: RunState, ready: Sequence[ReadyNode], named: Mapping[str, frozenset[str | None]]
    ) -> tuple[Decided, list[_Drafted]]:
        decided, drafted, size = Decided(state), list[_Drafted](), 0
        has_last_chance = False
        for each in ready:
            node = state.nodes.get(each.ref)
            last_chance = node is not None and len(node.lost) >= MAX_LOSSES_IN_A_ROW - 1
            if size >= MAX_ANSWER_BYTES or (last_chance and has_last_chance):
                continue
            now = self._clock() if each.due_at is None else max(self._clock(), each.due_at)
            try:
                used = used_version(node, named, self._capabilities) if node is not None else None
                start = StartNode(now=now, node_id=each.ref, attempt=each.attempt, used_version=used)
                decided = decided.then(start)
            except RunError:
                continue  # started elsewhere, or not to be started any more
            has_last_chance = has_last_chance or last_chance
            started = decided.state.nodes[each.ref]
            bundle = orjson.dumps(context_bundle(decided.state, started))
            size += len(bundle)
            drafted.append(_Drafted(started, bundle, self._descriptor(started)))
        return decided, drafted

    async def _hand_out(
        self, worker: str, state: RunState, drafted: _Drafted, lease_seconds: float
    ) -> HandedOut:
        node = drafted.node
        seconds = (
            node.contract.get("timeoutSeconds") or drafted.descriptor.get("timeoutSeconds") or TIMEOUT_SECONDS
        )
        ends = (node.started_at or self._clock()) + timedelta(seconds=seconds)
        key = TaskKey(
            state.run_id,
            node.id,
            node.attempt,
            worker,
            state.plan_version,
            lease_seconds,
            ends.timestamp(),
        )
        text = orjson.dumps(
            {
                "token": await self._tokens.sign(key),
                "runId": state.run_id,
                "nodeId": node.id,
                "attempt": node.attempt,
                "capabilityId": node.capability_id,
                "capabilityVersion": node.used_version
                or node.capability_version
                or drafted.descriptor.get("version"),
                "bundle": orjson.Fragment(drafted.bundle),
                "leaseSeconds": lease_seconds,
                "deadline": rfc3339(ends),
                "traceparent": attempt_span(state, node.id, node.attempt).traceparent,
            }
        )
        return HandedOut(key, text)

    def _descriptor(self, node: NodeState) -> JsonObject:
        row = self._capabilities.known_version(node.capability_id, node.capability_version)
        return row.descriptor if row is not None else {}

    def _lease_seconds(self, ready: ReadyNode) -> float:
        row = self._capabilities.of_queue(ready.queue)
        return (row.descriptor.get("heartbeatSeconds") if row is not None else None) or LEASE_SECONDS
