"""What a worker has claimed: an attempt of a node, and whether it may claim one."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from broker.interface import NotServedHere, WorkHint
from eventstore.handler import Outcome
from eventstore.heartbeat import AttemptKey
from executor.context import HUMAN, WorkerContext
from executor.in_flight import InFlightTask
from runs.event import JsonObject
from runs.outstanding import node_queue
from runs.rules.retry import MAX_LOSSES_IN_A_ROW
from runs.state import NodeState, RunState

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt that the log shows as started by this worker, and the state of the run at that event."""

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
        """The hint of this attempt, which need not have been sent."""
        return WorkHint(self.state.run_id, "node", self.node_id, self.attempt, node_queue(self.node.queue))

    @property
    def names(self) -> JsonObject:
        """The fields that each line of the process log about this attempt carries."""
        return {
            "run_id": self.state.run_id,
            "node_id": self.node_id,
            "capability_id": self.node.capability_id,
            "attempt": self.attempt,
            "correlation_id": self.state.correlation_id,
        }


def claim_in(outcome: Outcome) -> Claim | None:
    """The node that these events start for a worker; None where they start human nodes only, or none."""
    for event in outcome.events:
        if (
            event.type == "node_start"
            and event.payload["executorType"] != HUMAN
            and event.node_id is not None
        ):
            return Claim(outcome.state, event.node_id, event.payload["attempt"])
    return None


async def check_served(context: WorkerContext, state: RunState, node: NodeState, task: InFlightTask) -> None:
    """Raise NotServedHere for a node that this worker cannot run, or not beside what it runs now.

    What is known of the registry counts; only a capability that is not known is waited for.
    """
    context.registry.freshen()
    if not context.serves(node):
        await context.registry.fresh()
    if not context.serves(node):
        _warn_once(context, state, node)
        raise NotServedHere
    last_chance = len(node.lost) >= MAX_LOSSES_IN_A_ROW - 1
    if last_chance and not context.in_flight.take_last_chance(task):
        raise NotServedHere


def _warn_once(context: WorkerContext, state: RunState, node: NodeState) -> None:
    if node.capability_id not in context.missing:
        context.missing.add(node.capability_id)
        names = {"run_id": state.run_id, "node_id": node.id, "correlation_id": state.correlation_id}
        _log.warning("capability_not_here", capability_id=node.capability_id, status=node.status, **names)
