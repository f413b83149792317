"""What the parts of a worker share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from eventstore.handler import RunHandler
from eventstore.store import Lease
from executor.checks import OutputChecker
from executor.config import ExecutorConfig
from executor.in_flight import InFlightTasks
from executor.registry import CapabilityRegistry
from runs.state import NodeState

HUMAN = "human"


@dataclass(slots=True)
class WorkerContext:
    """The tools of one worker; `closing` is set when it takes nothing new.

    `missed`: ids of capabilities that were asked for and are not here, so that each is warned of once.
    """

    handler: RunHandler
    checker: OutputChecker
    registry: CapabilityRegistry
    holds: InFlightTasks
    worker_id: str
    config: ExecutorConfig
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    closing: bool = False
    missed: set[str] = field(default_factory=set[str])

    @property
    def lease(self) -> Lease:
        return Lease(worker=self.worker_id, seconds=self.config.lease_seconds)

    def serves(self, node: NodeState) -> bool:
        """Whether this worker can do the node's part: run its capability, or hand it to a person."""
        return node.executor_type == HUMAN or node.capability_id in self.registry

    def goes_on_with(self, node: NodeState) -> bool:
        """Whether a task that has just ended a node may go on with this one."""
        return not self.closing and node.capability_id in self.registry
