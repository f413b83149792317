"""The latest known version of the runs that are being worked on."""

from __future__ import annotations

from collections import OrderedDict

from runs.state import RunState
from runs.transitions import WAITING


class RunCache:
    """Run id → state, the least recently used one dropped first.

    A run that waits for people, or is over, is not kept: twenty thousand waiting runs cost no memory.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._states: OrderedDict[str, RunState] = OrderedDict()

    def __len__(self) -> int:
        return len(self._states)

    def get(self, run_id: str) -> RunState | None:
        """The state as this process knows it; others may have gone on."""
        state = self._states.get(run_id)
        if state is not None:
            self._states.move_to_end(run_id)
        return state

    def put(self, state: RunState) -> None:
        """Keep `state` unless a later version is known."""
        known = self._states.get(state.run_id)
        if known is not None and known.seq > state.seq:
            return
        if state.finished or state.status in WAITING or not state.exists:
            self._states.pop(state.run_id, None)
            return
        self._states[state.run_id] = state
        self._states.move_to_end(state.run_id)
        if len(self._states) > self._limit:
            self._states.popitem(last=False)
