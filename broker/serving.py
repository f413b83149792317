"""Runs a handler for hints, a limited number at a time: the part of a consumer that is the same for every broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from broker.failures import FailureRule, HandlingResult, Taken
from broker.interface import Handle, WorkHint
from broker.slots import Slots
from broker.tasks import finish
from eventstore.task_names import name_task

Settle = Callable[[HandlingResult], Awaitable[None]]
"""Settles a hint with the broker: acknowledge, offer again, dead-letter. Must not raise."""

_SETTLING_SECONDS = 1.0


class ServingConsumer:
    """The part of `broker.interface.WorkConsumer` that says what its `Serving` says."""

    _serving: Serving

    @property
    def busy(self) -> int:
        return self._serving.busy

    @property
    def slots(self) -> int:
        return self._serving.slots

    @property
    def taken_seconds(self) -> float | None:
        return self._serving.taken_seconds

    @property
    def idle_seconds(self) -> float:
        return self._serving.idle_seconds


class Serving:
    """Slots, and what occupies them. `on_free` is called each time that one is freed."""

    def __init__(
        self, handle: Handle, slots: int, failures: FailureRule, on_free: Callable[[], None]
    ) -> None:
        self._handle = handle
        self._failures = failures
        self._slots = Slots(slots, on_free)
        self._serving: set[asyncio.Task[None]] = set()
        self._closing = False
        self._active_at = time.monotonic()
        self._taken_at: float | None = None

    @property
    def slots(self) -> int:
        return self._slots.total

    @property
    def taken_seconds(self) -> float | None:
        """Seconds since work was last taken and not refused as stale; None where none ever was."""
        return None if self._taken_at is None else time.monotonic() - self._taken_at

    @property
    def idle_seconds(self) -> float:
        """Seconds for which there has been a free slot and none was taken."""
        return time.monotonic() - self._active_at if self.free > 0 else 0.0

    @property
    def busy(self) -> int:
        return self._slots.busy

    @property
    def free(self) -> int:
        """The number of slots that can be filled now; 0 once stopped."""
        return 0 if self._closing else self._slots.free

    def offer(self, hint: WorkHint, settle: Settle) -> bool:
        """Start work on a hint; False where no slot is free."""
        if self._closing or not self._slots.take():
            return False
        self._active_at = time.monotonic()
        task = asyncio.create_task(self._serve(hint, settle))
        name_task(task, run_id=hint.run_id, kind=hint.kind, ref=hint.ref, attempt=hint.attempt)
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return True

    def reserve(self) -> bool:
        """Take a slot for work without a hint; False where none is free."""
        self._active_at = time.monotonic()
        return not self._closing and self._slots.take()

    def occupy(self, hint: WorkHint, task: asyncio.Task[None]) -> None:
        """Give a slot that was taken to `task`, until it ends."""
        self._taken_at = time.monotonic()
        task.add_done_callback(lambda done: self._ended(hint, done))

    def give_back(self) -> None:
        """Free a slot that was taken."""
        self._active_at = time.monotonic()
        self._slots.give_back()

    def stop(self) -> None:
        """Take nothing new."""
        self._closing = True

    async def drain(self, seconds: float) -> None:
        """Take nothing new, wait for work in flight, then cancel claims that are still being made."""
        self.stop()
        await self._slots.drained(seconds)
        await finish(self._serving, min(seconds, _SETTLING_SECONDS))

    async def _serve(self, hint: WorkHint, settle: Settle) -> None:
        task = None
        try:
            verdict = await self._failures.take(self._handle, hint)
            task = verdict.task if isinstance(verdict, Taken) else None
        finally:
            if task is None:
                self.give_back()
            else:
                self.occupy(hint, task)
        await settle(verdict)

    def _ended(self, hint: WorkHint, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failures.task_failed(hint, error)
        self.give_back()
