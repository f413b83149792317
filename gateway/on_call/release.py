"""Giving work back by hand: its lease ends now, and another worker takes it.

Work that has begun is ended in the log as after a lost lease, by the same rules: what its worker reports afterwards is
refused as stale. A claim that has not begun is freed; if its worker begins all the same, the log accepts one of them.
The worker is charged with nothing, so that work which is given back again and again does not count as poison.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import structlog

from broker.interface import Broker, BrokerUnavailable, WorkHint
from broker.losses import expired_attempt
from eventstore.clock import Clock
from eventstore.errors import VersionConflict
from eventstore.handler import RunHandler
from eventstore.store import EventStore, is_run_id
from eventstore.work_list import WorkEntry, find_work, give_up_claim, relieved
from runs.errors import RunError
from runs.event import JsonObject

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Release:
    """Gives back pieces of work, one after the other, in the name of `by`."""

    def __init__(
        self,
        store: EventStore,
        handler: RunHandler,
        broker: Broker | None,
        clock: Clock,
        by: str,
        *,
        dry: bool,
    ) -> None:
        self._store = store
        self._handler = handler
        self._broker = broker
        self._clock = clock
        self._by = by
        self._dry = dry

    async def named(self, ids: Sequence[str]) -> list[JsonObject]:
        """What became of each of these ids."""
        return [await self._one(each, await self._find(each)) for each in ids]

    async def found(self, entries: Sequence[WorkEntry]) -> list[JsonObject]:
        """What became of each of these."""
        return [await self._one(each.work_id, each) for each in entries]

    async def _find(self, text: str) -> WorkEntry | None:
        run_id, _, rest = text.partition(":")
        kind, _, ref = rest.partition(":")
        return await find_work(self._store, run_id, kind, ref) if is_run_id(run_id) else None

    async def _one(self, text: str, entry: WorkEntry | None) -> JsonObject:
        if entry is None:
            return _refused(
                text, "work_gone", "there is no such outstanding work: it was done, or its run ended"
            )
        if entry.state == "timer":
            return _refused(text, "work_is_timer", "a timer has no worker; it fires by itself when it is due")
        if entry.worker is None:
            return _refused(text, "work_free", "nobody has it; it waits for somebody who serves its queue")
        about = f"attempt {entry.attempt} of {entry.capability_id or entry.kind}, with {entry.worker}"
        if self._dry:
            return {"id": text, "result": "would", "about": about}
        refusal = await self._refusal(entry)
        if refusal is not None:
            return _refused(text, *refusal)
        _log.warning("work_released", run_id=entry.run_id, ref=entry.ref, worker=entry.worker, by=self._by)
        return {"id": text, "result": "done", "about": about}

    async def _refusal(self, entry: WorkEntry) -> tuple[str, str] | None:
        """Give it back; why not, where that was refused."""
        try:
            given_back = await self._give_back(entry)
        except RunError as refusal:
            return refusal.code, refusal.message
        except VersionConflict:
            return "work_changed", "its run changes all the time; try again"
        return (
            None if given_back else ("work_changed", "it went on while it was being given back; look again")
        )

    async def _give_back(self, entry: WorkEntry) -> bool:
        if entry.started:
            await self._handler.execute(entry.run_id, expired_attempt(relieved(entry), self._clock()))
            return True
        if not await give_up_claim(self._store, entry):
            return False
        if self._broker is not None:
            with suppress(BrokerUnavailable):  # the keeper sends the hint again
                hint = WorkHint(entry.run_id, entry.kind, entry.ref, entry.attempt, entry.queue)
                await self._broker.publish([hint])
        return True


def _refused(text: str, code: str, reason: str) -> JsonObject:
    return {"id": text, "result": "refused", "code": code, "reason": reason}
