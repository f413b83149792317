"""Whether a run could be started and finished now: one object per process, for all endpoints that report it.

Its findings are public, so they are in our own words; addresses and the texts of servers go into the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Literal

import structlog

from broker.interface import Broker
from eventstore.background import end_background
from eventstore.checkpoint_schedule import CheckpointSchedule, newest_checkpoint
from eventstore.errors import StoreError
from eventstore.migrate import applied_version, migrations
from eventstore.public_errors import public_error_text
from eventstore.store import EventStore
from eventstore.tenancy import for_every_tenant
from schemas.json_types import JsonObject

Question = Callable[[], Coroutine[None, None, tuple[str, ...]]]

State = Literal["starting", "ready", "deaf", "not_ready", "draining"]
"""What a process is. `deaf`: it has room, and work that it serves waits. `not_ready`: a server is away or refuses."""

ROLES = ("planner", "executor")
"""The roles that some process must have for a run to be finished."""

FRESH_SECONDS = 1.0
ANSWER_SECONDS = 2.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """Faults by part, as sentences without a full stop. `missing` are roles without a process.

    `checkpoints` are late or cannot be written, which makes nothing unready: runs go on without.
    `work` says what this process serves and does not take, though it has room and all it needs: it is deaf.
    """

    database: tuple[str, ...] = ()
    broker: tuple[str, ...] = ()
    work: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        """All that is wrong here."""
        return (*self.database, *self.broker, *self.work)

    @property
    def ready(self) -> bool:
        """Whether nothing is wrong here. A missing role is not: its processes may be restarting, and runs wait."""
        return not self.faults

    @property
    def state(self) -> State:
        """What this process is, as long as it neither starts nor stops."""
        if self.database or self.broker:
            return "not_ready"
        return "deaf" if self.work else "ready"

    def parts(self) -> list[JsonObject]:
        """Each part: {name, status, detail?}; `missing` is a role that no process has, which makes nothing unready."""
        looked_at = (("database", self.database), ("broker", self.broker), ("work", self.work))
        found = [_part(name, faults) for name, faults in looked_at]
        found += [_part("checkpoints", self.checkpoints, "late")] if self.checkpoints else []
        return found + [_part(role, (f"no process has the role {role}",), "missing") for role in self.missing]


def _part(name: str, faults: tuple[str, ...], fault: str = "failed") -> JsonObject:
    if not faults:
        return {"name": name, "status": "ok"}
    return {"name": name, "status": fault, "detail": "; ".join(faults)}


class ReadinessProbe:
    """Checks at most once a second; concurrent callers share the answer.

    `roles` are those of this process. An answer that takes longer than `answer_seconds` counts as none.
    """

    def __init__(
        self,
        store: EventStore,
        broker: Broker | None,
        *,
        roles: frozenset[str] = frozenset(),
        checkpoints: CheckpointSchedule | None = None,
        answer_seconds: float = ANSWER_SECONDS,
        fresh_seconds: float = FRESH_SECONDS,
    ) -> None:
        self._store = store
        self._broker = broker
        self._roles = roles
        self._schedule = checkpoints
        self._answer_seconds = answer_seconds
        self._fresh_seconds = fresh_seconds
        self._found = Found()
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self._probes: dict[str, asyncio.Task[tuple[str, ...]]] = {}
        self.stopping = False

    async def found(self) -> Found:
        """The faults now, or within the last second."""
        if self._asking is None and time.monotonic() - self._asked_at >= self._fresh_seconds:
            self._asking = asyncio.create_task(self._ask(), context=for_every_tenant())
        if self._asking is not None:
            await asyncio.shield(self._asking)
        return self._found

    async def state(self) -> State:
        """What this process is, now or within the last second."""
        return "draining" if self.stopping else (await self.found()).state

    async def close(self) -> None:
        """Stop checking."""
        await end_background(*self._probes.values(), self._asking)

    async def _ask(self) -> None:
        try:
            database, broker, missing, checkpoints = await asyncio.gather(
                self._probe("database", self._database),
                self._probe("broker", self._troubles),
                self._probe("roles", self._missing),
                self._probe("checkpoints", self._checkpoints),
            )
            work = tuple(trouble for trouble in broker if self._is_deafness(trouble))
            broker = tuple(trouble for trouble in broker if trouble not in work)
            found = Found(
                database, broker, work, () if database else missing, () if database else checkpoints
            )
            if found != self._found:
                _log.warning(
                    "readiness_changed", state=found.state, database=database, broker=broker, work=work
                )
            self._found = found
        finally:
            self._asked_at = time.monotonic()
            self._asking = None

    async def _probe(self, part: str, question: Question) -> tuple[str, ...]:
        """The answer in time. A late check continues, and is not started a second time meanwhile."""
        task = self._probes.get(part)
        if task is None:
            task = self._probes[part] = asyncio.create_task(question(), context=for_every_tenant())
            task.add_done_callback(lambda _: self._probes.pop(part, None))
        done, _ = await asyncio.wait({task}, timeout=self._answer_seconds)
        return task.result() if done else (f"the {part} does not answer within {self._answer_seconds:g} s",)

    async def _database(self) -> tuple[str, ...]:
        needed = migrations()[-1].number
        try:
            # First, because it fails at once where a read is retried.
            await self._store.probe()
            version = await applied_version(self._store)
            if version < needed:
                return (
                    f"the database is at schema version {version} and needs {needed}: run flexrun db migrate",
                )
        except StoreError as error:
            self._store.outage.failed("readiness", str(error), on_demand=True)
            return (public_error_text(error),)
        return ()

    async def _checkpoints(self) -> tuple[str, ...]:
        if self._schedule is None:
            return ()
        try:
            trouble = (await newest_checkpoint(self._store)).trouble(self._schedule.seconds)
        except StoreError:
            return ()
        return () if trouble is None else (trouble,)

    async def _troubles(self) -> tuple[str, ...]:
        return () if self._broker is None else tuple(await self._broker.troubles())

    async def roles_present(self) -> frozenset[str]:
        """The roles of this process and of all others that listen on the database. Raises StoreError."""
        present = await self._store.fetch("processes/roles_present", {})
        return frozenset(name for (name,) in present) | self._roles

    def _is_deafness(self, trouble: str) -> bool:
        return self._broker is not None and trouble == self._broker.deafness

    async def _missing(self) -> tuple[str, ...]:
        try:
            known = await self.roles_present()
        except StoreError:
            return ()
        return tuple(role for role in ROLES if role not in known)
