"""The capabilities that this process can run."""

from __future__ import annotations

from collections.abc import Iterable

from executor.capability import Capability
from runs.event import JsonObject
from runs.outstanding import OUTPUT_QUEUE, node_queue
from schemas.capability import CapabilityDescriptor


class CapabilityRegistry:
    """Capabilities by id. Raises ValueError for two with the same id.

    `human` are registered beside them; a worker starts nodes of these and runs none.
    """

    def __init__(
        self, capabilities: Iterable[Capability], human: Iterable[CapabilityDescriptor] = ()
    ) -> None:
        self._human = list(human)
        self._capabilities: dict[str, Capability] = {}
        for capability in capabilities:
            descriptor = capability.descriptor
            if descriptor.id in self._capabilities:
                msg = f"two capabilities are called {descriptor.id}"
                raise ValueError(msg)
            self._capabilities[descriptor.id] = capability

    def __contains__(self, capability_id: object) -> bool:
        return capability_id in self._capabilities

    def find(self, capability_id: str) -> Capability | None:
        """The capability of this id; None where this process does not have it."""
        return self._capabilities.get(capability_id)

    @property
    def descriptors(self) -> list[CapabilityDescriptor]:
        return [capability.descriptor for capability in self._capabilities.values()]

    def wire_descriptors(self) -> list[JsonObject]:
        """The descriptors as `flex_capabilities` stores them."""
        return [descriptor.to_wire() for descriptor in (*self.descriptors, *self._human)]

    def queues(self, *, serves_output: bool = False) -> list[str]:
        """The queues of these capabilities' groups; outputs are composed where the default one is served."""
        queues = {node_queue(descriptor.queue) for descriptor in self.descriptors}
        if serves_output:
            queues.add(OUTPUT_QUEUE)
        return sorted(queues)
