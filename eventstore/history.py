"""A run as it was: the state after any of its events, folded from the log."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

from eventstore.slices import Slices
from eventstore.store import PAGE_EVENTS, EventStore
from runs.evolve import evolve
from runs.state import RunState, new_run

KEPT_STATES = 256
"""How many states of earlier looks are kept; they share what has not changed between them."""

_KEEP_EACH = 250
"""Of a long fold each such state is kept, so that a step back folds as many events at most."""


class History:
    """The states of runs as they were. What a log holds does not change, so a state that is kept stays right, until its
    run is erased.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, int], RunState] = OrderedDict()
        store.on_erased(self._forget)

    async def state_at(self, run_id: str, seq: int) -> RunState:
        """The state after event `seq`, or after the last one that there is. Raises RunErased, StoreUnavailable."""
        state, slices = self._before(run_id, seq), Slices()
        await self._store.seals.refuse_erased(state)
        while state.seq < seq:
            page = await self._store.read(run_id, after=state.seq, until=seq, limit=PAGE_EVENTS)
            for event in page:
                state = evolve(state, event)
                if state.seq % _KEEP_EACH == 0:
                    self._keep(state)
                await slices.pause()
            if len(page) < PAGE_EVENTS:
                break
        self._keep(state)
        return state

    async def seq_at(self, run_id: str, at: datetime) -> int:
        """The last event that was there at a time; 0 before the first one. Raises StoreUnavailable."""
        return (await self._store.fetch("log/seq_at", {"run_id": run_id, "at": at}))[0][0]

    def _before(self, run_id: str, seq: int) -> RunState:
        """The latest state that is kept and not after `seq`."""
        near = [key for key in self._kept if key[0] == run_id and key[1] <= seq]
        return self._kept[max(near)] if near else new_run(run_id)

    def _forget(self, run_ids: set[str] | None) -> None:
        for key in [key for key, state in self._kept.items() if state.sealed]:
            if run_ids is None or key[0] in run_ids:
                del self._kept[key]

    def _keep(self, state: RunState) -> None:
        self._kept[state.run_id, state.seq] = state
        self._kept.move_to_end((state.run_id, state.seq))
        while len(self._kept) > KEPT_STATES:
            self._kept.popitem(last=False)
