"""What `/metrics` answers: gauges looked up now, beside what was counted all along."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import get_args

from broker.interface import Broker
from broker.readiness import ReadinessProbe, State
from eventstore.checkpoint_schedule import CheckpointSchedule
from eventstore.commit_metrics import count_commit
from eventstore.store import EventStore
from flexrun import __version__
from flexrun.metrics.sample import ServerSample
from telemetry import catalogue as c


class Metrics:
    """The metrics of one process. Parts that have gauges of their own give what sets them to `watch`."""

    def __init__(self, roles: str) -> None:
        self._looks: list[Callable[[], None]] = []
        self._servers: ServerSample | None = None
        self._readiness: ReadinessProbe | None = None
        c.INFO.replace({(__version__, roles): 1})

    def count(self, store: EventStore, checkpoints: CheckpointSchedule | None = None) -> None:
        """Count the commits of this store from now on, and ask its database."""
        store.on_commit(count_commit)
        self._servers = ServerSample(store, checkpoints)
        self.watch(lambda: _look_at(store))

    def ask_too(self, broker: Broker) -> None:
        """Show what the broker knows."""
        if self._servers is not None:
            self._servers.broker = broker
        self.watch(lambda: c.OUTAGE_SECONDS.set(broker.outage.what, to=broker.outage.seconds or 0))

    def ask_state(self, readiness: ReadinessProbe) -> None:
        """Show what this process is, which is `starting` until now."""
        self._readiness = readiness

    def watch(self, look: Callable[[], None]) -> None:
        """Call `look` before each answer."""
        self._looks.append(look)

    async def answer(self, accept: str) -> tuple[bytes, str]:
        """All metrics of now, and their media type."""
        from flexrun.metrics.exposition import encode_metrics  # noqa: PLC0415 - see that module

        if self._servers is not None:
            await self._servers.refresh()
        state = "starting" if self._readiness is None else await self._readiness.state()
        c.STATE.replace({(each,): float(each == state) for each in get_args(State)})
        for look in self._looks:
            look()
        # In a thread: thousands of series take longer than the event loop may stand still.
        return await asyncio.to_thread(encode_metrics, accept)

    async def close(self) -> None:
        """Ask the database no more."""
        if self._servers is not None:
            await self._servers.close()


def _look_at(store: EventStore) -> None:
    load = store.load_now
    c.APPENDS_WAITING.set(to=load.appends_waiting)
    c.CONNECTIONS.replace({("busy",): load.in_use, ("idle",): load.idle, ("limit",): load.most})
    c.READS_WAITING.set(to=load.reads_waiting)
    c.OUTAGE_SECONDS.set(store.outage.what, to=store.outage.seconds or 0)


def look_at_slots(role: str, busy: int, most: int) -> None:
    """Show how much of what a worker may take at a time it has."""
    c.SLOTS.set(role, "busy", to=busy)
    c.SLOTS.set(role, "limit", to=most)
