"""What goes wrong in a simulation, and when: drawn from the seed, until the time of trouble is over."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from simulation.database.server import Fate

_APPEND = "log/append"


class DrawnFaults:
    """The faults of database, disk, notifications and queues. `is_over` says when all goes well again."""

    def __init__(self, random: Random, is_over: Callable[[], bool], *, rough: bool) -> None:
        self._random = random
        self._is_over = is_over
        draw = random.random
        self.broken = draw() ** 3 * 0.08
        self.slow_disk = draw() ** 2 * 0.3
        self.slow_seconds = 0.2 + draw() * 4
        self.lost_hints = draw() ** 2 * 0.5
        self.doubled = draw() ** 2 * 0.6
        self.late_seconds = draw() ** 2 * 5
        self.trouble_of_work = 0.4 + draw() * 0.6 if rough else draw() ** 2

    def trouble(self) -> float:
        """How much of what capabilities do goes wrong now."""
        return 0.0 if self._is_over() else self.trouble_of_work

    def sandbox_trouble(self) -> float:
        """The chance of a call in a sandbox to have no result."""
        return 0.0 if self._is_over() else self.broken

    def travel_seconds(self) -> float:
        """From a client to a server, or back."""
        return 0.0002 + self._random.random() * 0.003

    def disk_seconds(self) -> float:
        """How long a commit takes."""
        draw = self._random.random
        slow = draw() < self.slow_disk and not self._is_over()
        return draw() * self.slow_seconds if slow else 0.0005 + draw() * 0.004

    def fate(self, name: str) -> Fate:
        """What becomes of a statement."""
        if self._is_over() or self._random.random() >= self.broken:
            return Fate.ANSWERED
        if not name.startswith(_APPEND):
            return self._random.choice((Fate.NEVER_ARRIVES, Fate.ANSWER_LOST))
        return self._random.choice((Fate.NEVER_ARRIVES, Fate.ROLLED_BACK, Fate.ANSWER_LOST, Fate.ANSWER_LOST))

    def notification_seconds(self) -> float | None:
        """A notification is not lost but with its connection."""
        return self.travel_seconds()

    def hint(self) -> list[float]:
        """The copies of a hint that arrive, and when."""
        draw = self._random.random
        if self._is_over():
            return [self.travel_seconds()]
        if draw() < self.lost_hints:
            return []
        copies = [self.travel_seconds() + (draw() * self.late_seconds if draw() < 0.3 else 0)]
        while draw() < self.doubled and len(copies) < 4:
            copies.append(draw() * (self.late_seconds + 1))
        return copies

    def message(self) -> list[float]:
        """The same of a message, which is never lost."""
        return self.hint() or [self.travel_seconds()]
