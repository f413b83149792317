"""Work that the keeper failed at lately, and leaves alone for a while."""

from __future__ import annotations

from datetime import datetime, timedelta

from eventstore.leases import WorkRow

_FIRST_REST = timedelta(seconds=1)
_LONGEST_REST = timedelta(seconds=60)
_MOST = 10_000

_Key = tuple[str, str, str]


class Backoff:
    """Rests of growing length, by work; what was not heard of for long is forgotten."""

    def __init__(self) -> None:
        self._until: dict[_Key, tuple[datetime, timedelta]] = {}

    def __len__(self) -> int:
        return len(self._until)

    def add(self, row: WorkRow, now: datetime) -> None:
        """It failed, again perhaps: its rest is twice as long as the last one."""
        key = (row.run_id, row.kind, row.ref)
        _, rest = self._until.pop(key, (now, timedelta()))
        rest = min(max(rest * 2, _FIRST_REST), _LONGEST_REST)
        self._until[key] = (now + rest, rest)
        self._forget(now)

    def rests(self, row: WorkRow, now: datetime) -> bool:
        """Whether to leave this work alone for now."""
        until, _ = self._until.get((row.run_id, row.kind, row.ref), (now, None))
        return until > now

    def _forget(self, now: datetime) -> None:
        old = [key for key, (until, rest) in self._until.items() if until + 2 * rest < now]
        for key in old:
            del self._until[key]
        while len(self._until) > _MOST:
            del self._until[next(iter(self._until))]
