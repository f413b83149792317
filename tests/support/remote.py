"""Capabilities of remote workers and their nodes, for tests; and a worker's calls by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eventstore.capabilities import register
from eventstore.store import EventStore
from schemas.capability import CapabilityDescriptor, worker_queue
from schemas.homes import WorkerHome
from tests.support.gateways import API, RunningGateway
from tests.support.given import node


def remote_capability(capability_id: str = "acme.sum", **more: Any) -> dict[str, Any]:
    """The registered form of a capability whose home is `worker`."""
    descriptor = CapabilityDescriptor(id=capability_id, label=capability_id, home=WorkerHome(), **more)
    return descriptor.registered()


async def registered(store: EventStore, *capabilities: dict[str, Any]) -> None:
    """Put these into the registry; without any, `acme.sum`."""
    await register(store, capabilities or [remote_capability()], "test", "api")


def remote_node(node_id: str, *needs: str, capability_id: str = "acme.sum", **more: Any) -> dict[str, Any]:
    """A plan's node for such a capability."""
    return node(node_id, *needs, capabilityId=capability_id, queue=worker_queue(capability_id), **more)


@dataclass
class ByHand:
    """A worker that makes each call of the protocol when the test says so."""

    gateway: RunningGateway
    worker_id: str = "w1"
    capability_id: str = "acme.sum"

    async def claim(self, *, slots: int = 1, wait_seconds: float = 20, **more: Any) -> list[dict[str, Any]]:
        """The tasks that a claim gets."""
        body = {"workerId": self.worker_id, "capabilities": [{"id": self.capability_id}], "slots": slots}
        answer, found = await self.gateway.post(
            f"{API}/work/claim", {**body, "waitSeconds": wait_seconds, **more}
        )
        assert answer.status == 200, found
        return found["tasks"]

    async def report(self, task: dict[str, Any], what: str, body: Any = None) -> tuple[int, Any]:
        """The status and the body of a call under the task's token."""
        answer, found = await self.gateway.post(
            f"{API}/work/{task['token']}/{what}", {} if body is None else body
        )
        return answer.status, found
