"""What all tasks of one worker share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from eventstore.handler import RunHandler
from eventstore.partial_outputs import PartialOutputs
from eventstore.run_writer import RunWriter
from eventstore.store import Lease
from executor.admissions import Admissions
from executor.callbacks import Callbacks
from executor.checks import OutputChecker
from executor.config import ExecutorConfig
from executor.in_flight import InFlightTasks
from executor.registry import CapabilityRegistry
from runs.state import NodeState

HUMAN = "human"


@dataclass(slots=True)
class WorkerContext:
    """`closing` is set when the worker takes nothing new.

    `missing`: ids of capabilities that hints named and that this worker does not have, so that each is logged once.
    `writer` puts what tasks change in one run at the same time into one append.
    """

    handler: RunHandler
    checker: OutputChecker
    registry: CapabilityRegistry
    admissions: Admissions
    in_flight: InFlightTasks
    worker_id: str
    config: ExecutorConfig
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    partial: PartialOutputs
    callbacks: Callbacks | None = None
    closing: bool = False
    missing: set[str] = field(default_factory=set[str])
    writer: RunWriter = field(init=False)

    def __post_init__(self) -> None:
        self.writer = RunWriter(self.handler)

    @property
    def lease(self) -> Lease:
        """What this worker claims with."""
        return Lease(worker=self.worker_id, seconds=self.config.lease_seconds)

    def serves(self, node: NodeState) -> bool:
        """Whether this worker can start the node: run its capability, or give it to a person."""
        return node.executor_type == HUMAN or self.runs(node)

    def runs(self, node: NodeState) -> bool:
        """Whether this worker can run the node's capability."""
        return self.registry.find(node.capability_id, node.capability_version) is not None

    def used_version(self, node: NodeState) -> str | None:
        """The version that runs here in the place of the one that the plan names; None where it is that one."""
        capability = self.registry.find(node.capability_id, node.capability_version)
        if capability is None or node.capability_version is None:
            return None
        version = capability.descriptor.version
        return version if version != node.capability_version else None

    def continues_with(self, node: NodeState) -> bool:
        """Whether a task of this worker may run the node without a hint, once an append has made it ready."""
        if self.closing or self.used_version(node) is not None:
            return False  # a claim looks at the registry as it is now
        return self.runs(node) and not self.admissions.guards(node)
