"""Which processes there are, what they serve and whether they take it: told by each of them every few seconds.

Leases and the log need none of this. It is for people who look why something waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import structlog

from eventstore.background import end_background, start_background
from eventstore.errors import StoreError
from eventstore.lifecycle import refuse_second_start
from eventstore.store import EventStore

TELL_SECONDS = 5.0
SILENT_SECONDS = 15.0
"""A process that was not heard of for so long is silent: three times what it takes to tell."""

DEAF_SECONDS = 10.0
"""A process that takes nothing is deaf once work that it serves has waited for so long, though it has a free slot."""

_FAREWELL_SECONDS = 2.0

ProcessRole = Literal["gateway", "planner", "executor", "worker"]
ProcessStatus = Literal["ok", "deaf", "silent"]

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Telling:
    """What a role of a process says of itself; a gateway takes no work and has only its name."""

    role: ProcessRole
    queues: Sequence[str] = ()
    slots: int | None = None
    busy: int | None = None
    taken_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A role of a process, or a worker at a gateway. `in_flight` are its leases; `waiting_seconds` is how long the
    oldest free and due work waits that it serves."""

    worker: str
    role: ProcessRole
    version: str | None
    queues: list[str]
    slots: int | None
    busy: int | None
    taken_at: datetime | None
    clock_ahead_seconds: float | None
    started_at: datetime
    heard_at: datetime
    asked_at: datetime
    in_flight: int
    capabilities: list[str]
    waiting_seconds: float | None

    @property
    def status(self) -> ProcessStatus:
        """`silent` is not heard of; `deaf` is heard of, has room, and leaves due work of its own where it is."""
        if self.heard_at < self.asked_at - timedelta(seconds=SILENT_SECONDS):
            return "silent"
        return "deaf" if self._is_deaf else "ok"

    @property
    def _is_deaf(self) -> bool:
        before = self.asked_at - timedelta(seconds=DEAF_SECONDS)
        has_room = self.slots is None or (self.in_flight if self.busy is None else self.busy) < self.slots
        return (
            has_room
            and (self.waiting_seconds or 0.0) >= DEAF_SECONDS
            and max(self.started_at, self.taken_at or self.started_at) < before
        )


async def list_processes(
    store: EventStore,
    *,
    role: str | None = None,
    queue: str | None = None,
    capability_id: str | None = None,
    after: tuple[str, str] = ("", ""),
    limit: int = 1000,
) -> list[ProcessRow]:
    """The processes after a name and role, in that order."""
    worker, role_after = after
    parameters = {
        "role": role,
        "queue": queue,
        "capability_id": capability_id,
        "after_worker": worker,
        "after_role": role_after,
        "limit": limit,
    }
    return await store.select(ProcessRow, "processes/list", parameters)


async def remote_serves(store: EventStore, worker: str, queues: Iterable[str], slots: int) -> None:
    """A worker asks a gateway for work of these queues."""
    await store.fetch(
        "processes/remote_serves", {"worker": worker, "queues": sorted(set(queues)), "slots": slots}
    )


async def remote_alive(store: EventStore, taken_seconds: Mapping[str, float | None]) -> None:
    """These workers were heard of at a gateway; the number is how long ago one last took work, where it did."""
    parameters = {"workers": list(taken_seconds), "taken_seconds": list(taken_seconds.values())}
    await store.fetch("processes/remote_alive", parameters)


class ProcessBeat:
    """Tells every few seconds what this process does, under the name that its leases have.

    `tell` gives what each of its roles says. A process that is closed takes its rows away; one that dies leaves them,
    and is silent.
    """

    def __init__(
        self,
        store: EventStore,
        worker: str,
        version: str,
        tell: Callable[[], Sequence[Telling]],
        every_seconds: float = TELL_SECONDS,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._worker = worker
        self._version = version
        self._tell = tell
        self._every_seconds = every_seconds
        self._wall_clock = wall_clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Tell now, in the background, and from then on."""
        refuse_second_start(self, started=self._task is not None)
        self._task = start_background("process-beat", self._repeat())

    async def close(self) -> None:
        """Tell no more, and say so where the database answers soon."""
        if self._task is None:
            return
        task, self._task = self._task, None
        await end_background(task)
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._store.fetch("processes/leave", {"worker": self._worker})
        except (StoreError, TimeoutError):
            _log.debug("process_left_without_a_word", worker=self._worker)

    async def beat(self) -> None:
        """Tell once. Raises StoreError."""
        told = self._tell()
        parameters = {
            "worker": self._worker,
            "version": self._version,
            "clock": self._wall_clock(),
            "roles": [each.role for each in told],
            "queues": [" ".join(each.queues) for each in told],
            "slots": [each.slots for each in told],
            "busy": [each.busy for each in told],
            "taken_seconds": [each.taken_seconds for each in told],
        }
        await self._store.fetch("processes/tell", parameters)

    async def _repeat(self) -> None:
        while True:
            try:
                await self.beat()
                self._store.outage.worked("process beat")
            except StoreError as error:
                self._store.outage.failed("process beat", str(error))
            # What is for people to look at must not end the process.
            except Exception:  # noqa: BLE001 - see above
                _log.exception("process_beat_failed")
            await asyncio.sleep(self._every_seconds)
