"""Detects work that waits while this process has room for it and takes none, for any reason.

It queries the database and not the broker: a lost hint, a subscription that gets nothing and a claim that always
fails look the same there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import structlog

from eventstore.background import end_background, start_background
from eventstore.errors import StoreUnavailable
from eventstore.lifecycle import refuse_second_start
from eventstore.store import EventStore

LONGEST_WAIT_SECONDS = 10.0
"""Work that waited longer, while this process had room and took none for as long, is waiting because of a fault."""

_LOOK_SECONDS = 2.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Taker(Protocol):
    """A consumer of work."""

    @property
    def queues(self) -> Sequence[str]: ...

    @property
    def idle_seconds(self) -> float:
        """Seconds for which it has had a free slot and taken nothing."""
        ...


class WaitingWork:
    """Checks every two seconds. `trouble` names what waits, None while work is taken."""

    def __init__(
        self,
        store: EventStore,
        takers: Callable[[], Iterable[Taker]],
        longest_wait_seconds: float = LONGEST_WAIT_SECONDS,
    ) -> None:
        self._store = store
        self._takers = takers
        self._longest_wait_seconds = longest_wait_seconds
        self._task: asyncio.Task[None] | None = None
        self.trouble: str | None = None

    @property
    def started(self) -> bool:
        return self._task is not None

    def start(self) -> None:
        """Start checking, in the background."""
        refuse_second_start(self, started=self.started)
        self._task = start_background("waiting-work", self._keep())

    async def close(self) -> None:
        """Stop checking."""
        if self._task is not None:
            await end_background(self._task)

    async def look(self) -> None:
        """Check once."""
        idle = [taker for taker in self._takers() if taker.idle_seconds >= self._longest_wait_seconds]
        queues = sorted({queue for taker in idle for queue in taker.queues})
        waited = (
            (await self._store.fetch("work/oldest_waiting", {"queues": queues}))[0][0] if queues else None
        )
        if waited is not None and waited >= self._longest_wait_seconds:
            if self.trouble is None:
                _log.error("work_waits_and_is_not_taken", queues=queues, waited_seconds=round(waited, 1))
            self.trouble = (
                f"work of {', '.join(queues)} has waited for {waited:.0f} s and is not taken here,"
                " though there is room for it"
            )
        elif self.trouble is not None:
            _log.info("work_is_taken_again")
            self.trouble = None

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.look()
                self._store.outage.worked("waiting work")
            except StoreUnavailable as outage:
                self._store.outage.failed("waiting work", outage.reason)
            # No error of one check may end the loop.
            except Exception:  # noqa: BLE001 - see above
                _log.exception("waiting_work_not_seen")
