"""A rate that one process counts for itself: GCRA, the generic cell rate algorithm (ITU-T I.371), on a monotonic clock.

One number says how much was taken: when all of it can be taken again. It moves on by what each call costs, and may be
as far ahead as the whole time of the rate, so that a caller may take all at once and then as it comes back.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a rate after a call, and, where it was refused, in how many seconds there is enough."""

    remaining: int
    wait_seconds: float = 0.0

    @property
    def refused(self) -> bool:
        return self.wait_seconds > 0


class Rate:
    """So much in `seconds`; how much is said at each call, since it may change."""

    __slots__ = ("_full_at", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._full_at = float("-inf")

    def take(self, most: int, now: float) -> Left:
        """Take one of `most`, where there is one left."""
        if most < 1:
            return Left(0, self._seconds)
        ahead = min(max(self._full_at - now, 0.0), self._seconds)
        after = ahead + self._seconds / most
        if after > self._seconds + 1e-9:
            return Left(0, after - self._seconds)
        self._full_at = now + after
        return Left(int((self._seconds - after) / self._seconds * most + 1e-9))

    def is_full(self, now: float) -> bool:
        """Whether all of it can be taken, so that nothing has to be remembered."""
        return self._full_at <= now
