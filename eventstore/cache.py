"""The latest known states of runs that are in progress."""

from __future__ import annotations

from contracts.lru import LruCache
from runs.state import RunState
from runs.transitions import WAITING

_CORRELATION_IDS = 4_096
"""How many runs are known by theirs, for lines of the log: those that have ended, too."""


class RunCache:
    """Run id → state; the least recently used one is dropped first.

    A run that waits for people, or is over, is not cached: twenty thousand waiting runs take no memory.
    """

    def __init__(self, limit: int) -> None:
        self._states: LruCache[str, RunState] = LruCache(limit)
        self.correlation_ids: LruCache[str, str] = LruCache(_CORRELATION_IDS)

    def __len__(self) -> int:
        return len(self._states)

    def get(self, run_id: str) -> RunState | None:
        """The state as this process knows it; another process may have appended since."""
        return self._states.get(run_id)

    def discard_sealed(self, run_ids: set[str] | None) -> None:
        """Forget those of these runs that can be erased; None: all of them."""
        self._states.discard_where(
            lambda run_id, state: state.sealed and (run_ids is None or run_id in run_ids)
        )

    def put(self, state: RunState) -> None:
        """Keep `state` unless a later version is known."""
        if state.correlation_id is not None:
            self.correlation_ids.put(state.run_id, state.correlation_id)
        known = self._states.get(state.run_id)
        if known is not None and known.seq > state.seq:
            return
        if state.finished or state.status in WAITING or not state.exists:
            self._states.discard(state.run_id)
        else:
            self._states.put(state.run_id, state)
