"""Whether other processes listen on this database. A process that is alone sends no notifications: they would be a
tenth of what a run costs.

Each process says `hello` when it begins to listen, and `here` every few seconds. It answers the hello of another one
with "anything may have changed".

Invariant: a process is silent only in the state ALONE. There it listens, so that it receives the hello of each process
that begins to; that hello ends the state, and its answer covers all that was committed in silence. So a process that
listens misses no commit. Without a connection of its own a process receives no hello, hence DEAF is not ALONE.

    state      | LISTENING | MESSAGE | SILENCE | LOST
    -----------|-----------|---------|---------|-----
    DEAF       | ASKING    |         |         | DEAF
    ASKING     |           | TOGETHER| ALONE   | DEAF
    TOGETHER   |           | TOGETHER| ALONE   | DEAF
    ALONE      |           | TOGETHER|         | DEAF

What is easy to get wrong: SILENCE is not the absence of messages but of messages in time, `answer_seconds` after the
own hello and `gone_seconds` after the last message of another process. A connection that is lost and made again
begins in ASKING again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class PresenceConfig:
    """Seconds between two `here` of a process; in which a hello is answered; and after which a silent process counts as
    gone, two times longer than it takes to receive its next `here`."""

    here_seconds: float = 5.0
    answer_seconds: float = 2.0
    gone_seconds: float = 12.0


class PresenceState(Enum):
    """What one process knows of the others."""

    DEAF = auto()
    """It has no connection to listen on."""
    ASKING = auto()
    """It has said hello; answers may come."""
    TOGETHER = auto()
    """Another process listens."""
    ALONE = auto()
    """No other process listens."""


class PresenceInput(Enum):
    """What a process learns."""

    LISTENING = auto()
    MESSAGE = auto()
    SILENCE = auto()
    LOST = auto()


_S, _I = PresenceState, PresenceInput

TRANSITIONS: Mapping[tuple[PresenceState, PresenceInput], PresenceState] = MappingProxyType(
    {
        (_S.DEAF, _I.LISTENING): _S.ASKING,
        (_S.DEAF, _I.LOST): _S.DEAF,
        (_S.ASKING, _I.MESSAGE): _S.TOGETHER,
        (_S.ASKING, _I.SILENCE): _S.ALONE,
        (_S.ASKING, _I.LOST): _S.DEAF,
        (_S.TOGETHER, _I.MESSAGE): _S.TOGETHER,
        (_S.TOGETHER, _I.SILENCE): _S.ALONE,
        (_S.TOGETHER, _I.LOST): _S.DEAF,
        (_S.ALONE, _I.MESSAGE): _S.TOGETHER,
        (_S.ALONE, _I.LOST): _S.DEAF,
    }
)
"""What cannot happen has no row."""


class Presence:
    """The state of one process. Times are those of the event loop, in seconds."""

    def __init__(self, config: PresenceConfig) -> None:
        self._config = config
        self._state = PresenceState.DEAF
        self._silent_at = inf

    def listening(self, now: float) -> None:
        """This process listens from now on and has said hello."""
        self._learn(PresenceInput.LISTENING, silent_at=now + self._config.answer_seconds)

    def message(self, now: float) -> None:
        """Another process has said something."""
        self._learn(PresenceInput.MESSAGE, silent_at=now + self._config.gone_seconds)

    def lost(self) -> None:
        """This process does not listen any more."""
        self._learn(PresenceInput.LOST, silent_at=inf)

    def state(self, now: float) -> PresenceState:
        """The state at `now`."""
        if now >= self._silent_at:
            self._learn(PresenceInput.SILENCE, silent_at=inf)
        return self._state

    def _learn(self, learnt: PresenceInput, *, silent_at: float) -> None:
        self._state = TRANSITIONS[self._state, learnt]
        self._silent_at = silent_at
