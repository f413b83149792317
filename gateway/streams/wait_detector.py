"""Whether a run waits for a person after a given event: exactly, and at no cost for runs that never ask."""

from __future__ import annotations

from eventstore.store import EventStore
from runs.errors import RunErased
from runs.event import Event
from runs.evolve import evolve, fold_all
from runs.state import RunState, new_run
from runs.transitions import AWAITING_HITL, AWAITING_HUMAN

_WAITS_FOR_PEOPLE = frozenset({AWAITING_HITL, AWAITING_HUMAN})


class WaitDetector:
    """Follows a run in order of its events.

    Whether a run waits is a property of all its branches, so it is folded; but only from the first question to a
    person on, because a run that has no question to people cannot wait. Events before those of `found`, the state in
    which the reader found the run, are history: the run has left behind what it waited for then.
    """

    def __init__(self, store: EventStore, found: RunState) -> None:
        self._store = store
        self._run_id = found.run_id
        self._from_seq = found.seq
        self._has_asked = bool(found.requests) or any(
            node.executor_type == "human" for node in found.nodes.values()
        )
        self._state: RunState | None = None

    async def waits_after(self, event: Event) -> bool:
        """Whether nothing but people can move the run on after `event`; to be called with every event.

        A run that was erased is over, and waits for nothing.
        """
        try:
            return await self._waits_after(event)
        except RunErased:
            return False

    async def _waits_after(self, event: Event) -> bool:
        if self._state is not None:
            self._state = evolve(self._state, event)
        elif self._has_asked or _asks(event):
            self._state = await self._fold(event.seq)
        if self._state is None or event.seq < self._from_seq:
            return False
        return self._state.status in _WAITS_FOR_PEOPLE

    async def _fold(self, until: int) -> RunState:
        state = new_run(self._run_id)
        while state.seq < until:
            state = fold_all(state, await self._store.read(self._run_id, after=state.seq, until=until))
        return state


def _asks(event: Event) -> bool:
    return event.type == "hitl_request" or (
        event.type == "node_start" and event.payload.get("executorType") == "human"
    )
