"""What the roles of one process stand on together."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.seam import Broker
from eventstore.handler import RunHandler
from eventstore.notify import LogListener
from eventstore.store import EventStore

if TYPE_CHECKING:
    from schemas.contracts.door import ContractDoor


@dataclass(slots=True)
class Parts:
    """The parts that are there once, whatever the roles; `worker` names this process in leases.

    What a role opens it puts on `stack`, which closes everything in reverse.
    """

    store: EventStore
    handler: RunHandler
    listener: LogListener
    broker: Broker
    worker: str
    stack: AsyncExitStack
    _contracts: ContractDoor | None = None

    async def contracts(self) -> ContractDoor:
        """The one door to contracts, opened for the first role that asks: a planner needs no checking processes."""
        if self._contracts is None:
            from schemas.contracts.door import ContractDoor  # noqa: PLC0415 - for whoever opens it

            self._contracts = await self.stack.enter_async_context(ContractDoor())
        return self._contracts
