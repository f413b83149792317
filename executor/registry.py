"""The capabilities that this process can run."""

from __future__ import annotations

from collections.abc import Iterable

from eventstore.capabilities import CapabilityRow
from executor.capability import Capability
from executor.remote import RemoteCapabilities
from runs.event import JsonObject
from runs.outstanding import OUTPUT_QUEUE, node_queue
from schemas.capability import CapabilityDescriptor


class CapabilityRegistry:
    """Capabilities by id. Raises ValueError for two with the same id.

    `human` are registered beside them; a worker starts nodes of these and runs none. `remote` are those that it calls
    somewhere else, as the registry describes them.
    """

    def __init__(
        self,
        capabilities: Iterable[Capability],
        human: Iterable[CapabilityDescriptor] = (),
        remote: RemoteCapabilities | None = None,
    ) -> None:
        self._human = list(human)
        self._remote = remote
        self._capabilities: dict[str, Capability] = {}
        for capability in capabilities:
            descriptor = capability.descriptor
            if descriptor.id in self._capabilities:
                msg = f"two capabilities are called {descriptor.id}"
                raise ValueError(msg)
            self._capabilities[descriptor.id] = capability

    def find(self, capability_id: str, version: str | None = None) -> Capability | None:
        """What runs a version: what this process has loaded, else what it can call; None where it has neither.

        Another version runs in its place where its contract is the same, or where that version is registered no more.
        """
        loaded = self._loaded(capability_id, version)
        if loaded is not None or self._remote is None:
            return loaded
        return self._remote.find(capability_id, version)

    def _loaded(self, capability_id: str, version: str | None) -> Capability | None:
        loaded = self._capabilities.get(capability_id)
        if loaded is None or version is None or self._remote is None:
            return loaded
        if loaded.descriptor.version == version:
            return loaded
        return loaded if self._remote.can_stand_in(capability_id, version, loaded.descriptor) else None

    def row(self, capability_id: str, version: str | None) -> CapabilityRow | None:
        """What the registry knows of a capability that this process calls somewhere else; None for any other."""
        if self._remote is None or self._loaded(capability_id, version) is not None:
            return None
        return self._remote.row(capability_id, version)

    def freshen(self) -> None:
        """Look into the registry for what can be called, in the background, where that is due."""
        if self._remote is not None:
            self._remote.freshen()

    async def fresh(self) -> None:
        """Wait for it, where it is due: for a capability that was not there before."""
        if self._remote is not None:
            await self._remote.fresh()

    async def refresh(self) -> None:
        """Look into the registry now."""
        if self._remote is not None:
            await self._remote.refresh()

    @property
    def versions(self) -> list[tuple[str, str]]:
        """Id and version of what this process has loaded."""
        return [(descriptor.id, descriptor.version) for descriptor in self.descriptors]

    @property
    def descriptors(self) -> list[CapabilityDescriptor]:
        return [capability.descriptor for capability in self._capabilities.values()]

    def wire_descriptors(self) -> list[JsonObject]:
        """The descriptors as `flex_capabilities` stores them."""
        return [descriptor.registered() for descriptor in (*self.descriptors, *self._human)]

    def queues(self, *, serves_output: bool = False) -> list[str]:
        """The queues of these capabilities' groups; outputs are composed where the default one is served."""
        queues = {node_queue(descriptor.queue) for descriptor in self.descriptors}
        if serves_output:
            queues.add(OUTPUT_QUEUE)
        return sorted(queues)
