"""Whether other processes listen on this database: a process that is alone need not tell anybody what it commits.

Each process says hello when it begins to listen, and every few seconds that it is here. A hello is answered with
"anything may have changed", so whoever has just come misses nothing of what was committed before it was heard.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class PresenceConfig:
    """After how many seconds a process says again that it is here, how soon a hello is answered, and after how long a
    silence others count as gone: two times longer than it takes to be heard of again."""

    here_seconds: float = 5.0
    answer_seconds: float = 2.0
    gone_seconds: float = 12.0


class Presence:
    """What one process has heard of others. Times are those of the event loop."""

    def __init__(self, manners: PresenceConfig) -> None:
        self._manners = manners
        self._alone_at = inf

    def greeted(self, now: float) -> None:
        """This process listens and has said hello: whoever is there answers."""
        self._alone_at = now + self._manners.answer_seconds

    def heard(self, now: float) -> None:
        """Somebody else has said something."""
        self._alone_at = now + self._manners.gone_seconds

    def deaf(self) -> None:
        """This process does not listen any more, and cannot tell."""
        self._alone_at = inf

    def alone(self, now: float) -> bool:
        """Whether nobody has been heard of for long enough."""
        return now >= self._alone_at
