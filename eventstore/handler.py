"""Changes a run: load, decide, append, and again after a conflict with another writer. All changes go through it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from eventstore.batch import Lease
from eventstore.errors import IMPORTED_IS_READ_ONLY, LogRefused, VersionConflict
from eventstore.imported_rows import imported_run
from eventstore.slices import Slices
from eventstore.store import EventStore
from runs.commands import Command, StartRun
from runs.decide import Decided
from runs.errors import RunAlreadyStarted, RunError, RunImported
from runs.event import Event
from runs.state import RunState, new_run
from sandbox.sharing import calling_as

MAX_TRIES = 50
_TRIES_AT_ONCE = 3
_LONGEST_PAUSE_SECONDS = 0.02

Build = Callable[[RunState], Awaitable[Sequence[Command] | Decided]]
"""Returns the commands that fit a state, or, where it had to look ahead, what it has decided on that state."""


async def decided(build: Build, state: RunState) -> Decided:
    """What `build` decides on this state. Raises RunError, and the errors of `build`."""
    with calling_as(state.tenant):  # what it has checked waits in turn of tenants
        built = await build(state)
    if isinstance(built, Decided):
        return built
    following, slices = Decided(state), Slices()
    for command in built:  # a fork takes over a thousand outputs
        following = following.then(command)
        await slices.pause()
    return following


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of commands; `events` is [] where they changed nothing."""

    before: RunState
    state: RunState
    events: list[Event]


class Transact(Protocol):
    """`RunHandler.transact`, or a function that adds to the same append."""

    async def __call__(self, run_id: str, build: Build) -> Outcome: ...


class RunHandler:
    """Gateway, planner, executor, keeper, queue consumers and CLI all change runs through this."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def execute(self, run_id: str, *commands: Command, lease: Lease | None = None) -> Outcome:
        """`transact` with commands that do not depend on the state."""

        async def build(state: RunState) -> Sequence[Command]:
            return commands

        known = new_run(run_id) if commands and isinstance(commands[0], StartRun) else None
        return await self._transact(run_id, build, lease, known)

    async def transact(self, run_id: str, build: Build, *, lease: Lease | None = None) -> Outcome:
        """Ask `build` what fits the run's state, and append what follows from it.

        `build` is asked again, with a newer state, after each conflict. Raises RunError where the rules refuse,
        VersionConflict after MAX_TRIES, and what `EventStore.append` raises.
        """
        return await self._transact(run_id, build, lease, None)

    async def _transact(
        self, run_id: str, build: Build, lease: Lease | None, known: RunState | None
    ) -> Outcome:
        state = known or self._store.cached(run_id)
        conflict: VersionConflict | None = None
        for tries in range(MAX_TRIES):
            # A cached state may be out of date: a refusal on it is checked against a fresh one.
            believed = state is None
            state = await self._store.load(run_id, fresh=True) if state is None else state
            try:
                outcome = await self._try(state, build, lease)
            except VersionConflict as error:
                conflict = error
                await _pause(tries)
            except RunAlreadyStarted:
                if believed:
                    raise
            except RunError:
                if believed:
                    await self._refuse_imported(state)
                    raise
            else:
                if outcome.events:
                    return outcome
                if believed:
                    await self._refuse_imported(state)
                    return outcome
            state = None
        assert conflict is not None, "only conflicts use up tries"  # noqa: S101 - tells pyright what holds here
        raise conflict

    async def _refuse_imported(self, state: RunState) -> None:
        """Raise RunImported in place of what the rules say, which do not know that nothing may follow."""
        if state.exists and await imported_run(self._store, state.run_id) is not None:
            raise RunImported.of(state.run_id)

    async def _try(self, state: RunState, build: Build, lease: Lease | None) -> Outcome:
        following = await decided(build, state)
        if not following.events:
            return Outcome(state, following.state, [])
        try:
            commit = await self._store.append(state, following.state, following.events, lease=lease)
        except LogRefused as refusal:
            if refusal.rule == IMPORTED_IS_READ_ONLY:
                raise RunImported.of(state.run_id) from refusal
            raise
        return Outcome(state, commit.after, commit.events)


async def _pause(tries: int) -> None:
    """Wait a random time, so that many writers of one run do not collide again."""
    if tries >= _TRIES_AT_ONCE:
        await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))  # noqa: S311 - spreads load, hides nothing
