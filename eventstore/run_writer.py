"""Changes of runs by many tasks of a process: those of one run follow each other, and what waits goes in one append.

Writers of one run that append at the same time conflict, and each decides and reads again: a hundred nodes that end
within a moment would do that some thousand times. Here one append of this process is under way for a run, and the
changes that come meanwhile are decided one after the other and stored together. A run that one task changes at a time
is changed as without it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from eventstore.batch import Lease
from eventstore.handler import Build, Outcome, RunHandler, decided
from eventstore.tenancy import for_every_tenant
from runs.decide import Decided
from runs.event import Event
from runs.state import RunState

_AT_ONCE = 50


@dataclass(slots=True, eq=False)
class _Change:
    """What a caller wants to change, and the answer that it waits for."""

    build: Build
    lease: Lease | None
    answer: asyncio.Future[Outcome]
    outcome: Outcome | None = None
    """What it came to on the state that was tried last; None where it was refused."""


class RunWriter:
    """`RunHandler.transact`, in turn for each run."""

    def __init__(self, handler: RunHandler) -> None:
        self._handler = handler
        self._waiting: dict[str, deque[_Change]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def transact(self, run_id: str, build: Build, *, lease: Lease | None = None) -> Outcome:
        """As `RunHandler.transact`. A caller that is cancelled may not take back what is on its way."""
        waiting = self._waiting.get(run_id)
        if waiting is None:
            return await self._write_now(run_id, build, lease)
        change = _Change(build, lease, asyncio.get_running_loop().create_future())
        waiting.append(change)
        return await change.answer

    async def _write_now(self, run_id: str, build: Build, lease: Lease | None) -> Outcome:
        waiting = self._waiting[run_id] = deque()
        try:
            return await self._handler.transact(run_id, build, lease=lease)
        finally:
            if waiting:
                task = asyncio.create_task(self._write(run_id, waiting), context=for_every_tenant())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                del self._waiting[run_id]

    async def _write(self, run_id: str, waiting: deque[_Change]) -> None:
        try:
            while waiting:
                await self._write_some(run_id, _next(waiting))
        finally:
            del self._waiting[run_id]

    async def _write_some(self, run_id: str, changes: list[_Change]) -> None:
        if len(changes) == 1:
            await self._write_one(run_id, changes[0])
            return

        async def build(state: RunState) -> Decided:
            return await _decide(state, changes)

        try:
            await self._handler.transact(run_id, build, lease=changes[0].lease)
        except Exception:  # noqa: BLE001 - each is tried alone, and gets the error that is its own
            for change in changes:
                change.outcome = None
        for change in changes:
            if change.outcome is None:
                await self._write_one(run_id, change)
            elif not change.answer.done():
                change.answer.set_result(change.outcome)

    async def _write_one(self, run_id: str, change: _Change) -> None:
        if change.answer.done():
            return
        try:
            outcome = await self._handler.transact(run_id, change.build, lease=change.lease)
        except Exception as error:  # noqa: BLE001 - the caller gets it
            if not change.answer.done():
                change.answer.set_exception(error)
        else:
            if not change.answer.done():
                change.answer.set_result(outcome)


def _next(waiting: deque[_Change]) -> list[_Change]:
    """The next change, and those behind it with the same lease: an append has one lease for all that it starts."""
    taken = [waiting.popleft()]
    while waiting and waiting[0].lease == taken[0].lease and len(taken) < _AT_ONCE:
        taken.append(waiting.popleft())
    return taken


async def _decide(state: RunState, changes: list[_Change]) -> Decided:
    """All of `changes` that the rules take, one after the other."""
    following, events = Decided(state), list[Event]()
    for change in changes:
        change.outcome = None
        if change.answer.done():
            continue
        try:
            one = await decided(change.build, following.state)
        except Exception:  # noqa: BLE001, S112 - it is tried alone afterwards, on the newest state, and gets its error then
            continue
        change.outcome = Outcome(following.state, one.state, one.events)
        events += one.events
        following = Decided(one.state, events)
    return following
