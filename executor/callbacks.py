"""Nodes whose result comes by a callback: they wait in the log and in `flex_work`, and in no process.

The bundle of a service carries `callbackUrl`, an address of a gateway with the token of the attempt in it. When the
service answers 202, the lease of the attempt passes from this worker to the name `callback/<capability id>`, which
sends no heartbeats, until the time for the callback is up. The task of the worker ends. Then either the gateway takes
the callback (`gateway.work.callback`), or the keeper finds the lease expired and fails the attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from eventstore import leases
from eventstore.errors import StoreUnavailable, VersionConflict
from eventstore.handler import RunHandler
from eventstore.heartbeat import AttemptKey
from eventstore.store import EventStore
from eventstore.task_tokens import TaskKey, TaskTokens
from runs.commands import Command, RecordLog
from runs.errors import RunError
from runs.event import JsonObject, rfc3339
from runs.state import NodeState, RunState
from runs.transitions import RUNNING

CALLBACK_PATH = "/api/v1/flex/work/{token}/callback"

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Invites services to call back, and lets attempts wait for it. `base_url` is where they reach a gateway."""

    store: EventStore
    handler: RunHandler
    tokens: TaskTokens
    base_url: Callable[[], str]
    clock: Callable[[], datetime]

    async def invitation(self, state: RunState, node: NodeState) -> JsonObject:
        """What the bundle of an attempt carries for its callback. Raises StoreUnavailable."""
        waiter = leases.callback_waiter(node.capability_id)
        key = TaskKey(state.run_id, node.id, node.attempt, waiter, plan_version=state.plan_version)
        token = await self.tokens.sign(key)
        url = self.base_url().rstrip("/") + CALLBACK_PATH.format(token=token)
        return {"callbackUrl": url, "callbackToken": token}

    async def wait(
        self, key: AttemptKey, capability_id: str, worker: str, seconds: float, patience_seconds: float
    ) -> None:
        """Let the attempt wait, if it is still this worker's: its callback may have come before.

        Raises StoreUnavailable where the database is away for longer than `patience_seconds`.
        """
        run_id, node_id, attempt = key
        waiter = leases.callback_waiter(capability_id)
        until: datetime | None = None
        async for attempt_to_store in AsyncRetrying(
            retry=retry_if_exception_type(StoreUnavailable),
            wait=wait_random_exponential(multiplier=0.1, max=5),
            stop=stop_after_delay(patience_seconds),
            reraise=True,
        ):
            with attempt_to_store:
                until = await leases.hand_over(self.store, key, worker, waiter, seconds)
        if until is None:
            _log.info("callback_came_first", run_id=run_id, node_id=node_id, attempt=attempt)
            return
        line = f"{capability_id} has taken the work over and calls back until {rfc3339(until)}"

        async def build(state: RunState) -> Sequence[Command]:
            node = state.nodes.get(node_id)
            if state.finished or node is None or node.status != RUNNING or node.attempt != attempt:
                return []
            return [RecordLog(now=self.clock(), message=line, level="info", node_id=node_id)]

        try:
            await self.handler.transact(run_id, build)
        except (RunError, StoreUnavailable, VersionConflict) as error:
            _log.warning("log_line_lost", run_id=run_id, node_id=node_id, reason=str(error))
