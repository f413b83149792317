"""Changes of runs by many workers at a time: those of one run follow each other, and what waits goes in one append.

Writers of one run that append at the same time conflict, and each decides and reads again: a hundred workers that end
within a moment would do that some thousand times. Here one append is under way for a run, and the reports that come
meanwhile are decided one after the other and stored together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from eventstore.batch import Lease
from eventstore.handler import Build, Outcome, RunHandler, decided
from runs.decide import Decided
from runs.errors import RunError
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


@dataclass(slots=True)
class _Line:
    """The changes of one run that wait."""

    changes: deque[_Change] = field(default_factory=deque[_Change])
    task: asyncio.Task[None] | None = None


class RunWriter:
    """`RunHandler.transact`, in turn for each run."""

    def __init__(self, handler: RunHandler) -> None:
        self._handler = handler
        self._lines: dict[str, _Line] = {}

    async def transact(self, run_id: str, build: Build, *, lease: Lease | None = None) -> Outcome:
        """As `RunHandler.transact`. A caller that is cancelled does not take back what is on its way."""
        line = self._lines.setdefault(run_id, _Line())
        change = _Change(build, lease, asyncio.get_running_loop().create_future())
        line.changes.append(change)
        if line.task is None:
            line.task = asyncio.create_task(self._write(run_id, line))
        return await change.answer

    async def _write(self, run_id: str, line: _Line) -> None:
        try:
            while line.changes:
                await self._write_some(run_id, _next(line.changes))
        finally:
            del self._lines[run_id]

    async def _write_some(self, run_id: str, changes: list[_Change]) -> None:
        if len(changes) == 1:
            await self._write_one(run_id, changes[0])
            return

        async def build(state: RunState) -> Decided:
            return await _decide(state, changes)

        try:
            await self._handler.transact(run_id, build)
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


def _next(changes: deque[_Change]) -> list[_Change]:
    """The next change, and those behind it that need no lease: an append has one lease for all that it starts."""
    first = changes.popleft()
    taken = [first]
    while first.lease is None and changes and changes[0].lease is None and len(taken) < _AT_ONCE:
        taken.append(changes.popleft())
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
        except RunError:
            continue  # tried alone afterwards, on the newest state
        change.outcome = Outcome(following.state, one.state, one.events)
        events += one.events
        following = Decided(one.state, events)
    return following
