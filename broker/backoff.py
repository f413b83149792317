"""Back-off for work that the keeper failed to handle lately."""

from __future__ import annotations

from datetime import datetime, timedelta

from eventstore.leases import WorkRow

_FIRST_REST = timedelta(seconds=1)
_LONGEST_REST = timedelta(seconds=60)
_MOST = 10_000

_Key = tuple[str, str, str]


class Backoff:
    """Delays by work, doubling with each failure; an entry without a new failure expires."""

    def __init__(self) -> None:
        self._until: dict[_Key, tuple[datetime, timedelta]] = {}

    def __len__(self) -> int:
        return len(self._until)

    def add(self, row: WorkRow, now: datetime) -> None:
        """Record a failure: the delay is twice the last one, from 1 s up to 60 s."""
        key = (row.run_id, row.kind, row.ref)
        _, rest = self._until.pop(key, (now, timedelta()))
        rest = min(max(rest * 2, _FIRST_REST), _LONGEST_REST)
        self._until[key] = (now + rest, rest)
        self._forget(now)

    def rests(self, row: WorkRow, now: datetime) -> bool:
        """Whether this work is still in its delay."""
        until, _ = self._until.get((row.run_id, row.kind, row.ref), (now, None))
        return until > now

    def _forget(self, now: datetime) -> None:
        old = [key for key, (until, rest) in self._until.items() if until + 2 * rest < now]
        for key in old:
            del self._until[key]
        while len(self._until) > _MOST:
            del self._until[next(iter(self._until))]
