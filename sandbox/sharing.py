"""In whose name calls are made: none of those who share the children waits for all that another one has asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from sandbox.process import Job


class Share(NamedTuple):
    """Whose calls they are, and how many are handed out in a row when it is their turn."""

    name: str = ""
    weight: int = 1


_NOBODY = Share()
_share: ContextVar[Share] = ContextVar("flexrun_sandbox_share", default=_NOBODY)


def current_share() -> Share:
    """In whose name this task calls."""
    return _share.get()


@contextmanager
def calling_as(name: str, weight: int = 1) -> Generator[None]:
    """Make the calls in the block, and in the tasks that it begins, in this name."""
    before = _share.set(Share(name, weight))
    try:
        yield
    finally:
        _share.reset(before)


class FairQueue:
    """Calls that wait: first those that are sent again, then share by share in turn, each in its own order."""

    def __init__(self) -> None:
        self._again: deque[Job] = deque()
        self._shares: dict[str, deque[Job]] = {}
        self._turns: deque[Share] = deque()
        self._in_a_row = 0

    def __bool__(self) -> bool:
        return bool(self._again or self._turns)

    def __iter__(self) -> Iterator[Job]:
        yield from self._again
        for jobs in self._shares.values():
            yield from jobs

    def append(self, job: Job, share: Share) -> None:
        """Put a call behind those of its share."""
        if share.name not in self._shares:
            self._shares[share.name] = deque()
            self._turns.append(share)
        self._shares[share.name].append(job)

    def send_again(self, jobs: Iterable[Job]) -> None:
        """Put these, in their order, before all others."""
        self._again.extendleft(reversed(list(jobs)))

    def take(self) -> Job:
        """The next one. Raises IndexError where there is none."""
        if self._again:
            return self._again.popleft()
        share = self._turns[0]
        job = self._shares[share.name].popleft()
        self._in_a_row += 1
        if not self._shares[share.name]:
            del self._shares[share.name]
            self._turns.popleft()
            self._in_a_row = 0
        elif self._in_a_row >= share.weight:
            self._turns.rotate(-1)
            self._in_a_row = 0
        return job

    def clear(self) -> None:
        """Forget all."""
        self._again.clear()
        self._shares.clear()
        self._turns.clear()
        self._in_a_row = 0
