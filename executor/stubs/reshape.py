"""`stub.transform.reshape`, as capabilities are."""

from __future__ import annotations

from executor.capability import CapabilityContext
from executor.stubs.mapping import reshaped
from runs.event import Json
from schemas.capability import CapabilityDescriptor


class ReshapeStub:
    """Puts what the other nodes have made into the caller's shape."""

    descriptor = CapabilityDescriptor(
        id="stub.transform.reshape",
        version="1",
        label="Reshape (stub)",
        kind="transformation",
        timeout_seconds=10,
        description="Fills the mapping in its bundle with the outputs of the nodes before it.",
    )

    compute = staticmethod(reshaped)

    async def run(self, context: CapabilityContext) -> Json:
        """The same, on the event loop."""
        return self.compute(context.bundle)
