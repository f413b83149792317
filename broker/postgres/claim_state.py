"""What a consumer knows of the work that waits in the table, and so whether it may pass committed work by the table.

Invariant: in CURRENT, and only there, no work in the table is older than what is committed next, so that work goes
from the commit to a slot without a query, and the oldest is still served first. `due` is set in DUE and OUTDATED and in
no other state: the loop that queries waits for it, or for the next poll.

    state    | CHANGED | SLOT_FREED | TURN    | QUERY    | ANSWERED | SHORT
    ---------|---------|------------|---------|----------|----------|--------
    CURRENT  | DUE     | CURRENT    | CURRENT | QUERYING |          |
    BEHIND   | DUE     | DUE        | BEHIND  | QUERYING |          | CURRENT
    DUE      | DUE     | DUE        | BEHIND  | QUERYING |          | DUE
    QUERYING | OUTDATED| QUERYING   |         |          | BEHIND   |
    OUTDATED | OUTDATED| OUTDATED   |         |          | DUE      |

What is easy to get wrong: ANSWERED does not lead to CURRENT, for the query may have failed, or the limit may have cut
its answer. Only SHORT does, once the rows are in slots or released, and only where nothing has changed since QUERY. A
slot that is freed in CURRENT needs no query; one that is freed during a query is filled from its answer or by the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType


class ClaimState(Enum):
    """How much one consumer knows of the table."""

    CURRENT = auto()
    """Nothing older waits in the table."""
    BEHIND = auto()
    """Older work may wait; it is queried when a slot is freed, or at the next poll."""
    DUE = auto()
    """Older work may wait; it is queried now."""
    QUERYING = auto()
    """A query of the table runs."""
    OUTDATED = auto()
    """A query of the table runs, and its answer may lack what has changed since."""


class ClaimInput(Enum):
    """What happens to a consumer."""

    CHANGED = auto()
    """The table may contain work that this consumer has not seen."""
    SLOT_FREED = auto()
    TURN = auto()
    """The loop takes up what is due; without a free slot it does not query."""
    QUERY = auto()
    ANSWERED = auto()
    """The query has ended, with rows or with an error."""
    SHORT = auto()
    """The answer had fewer rows than there were free slots, and each row is in a slot or released."""


_S, _I = ClaimState, ClaimInput

TRANSITIONS: Mapping[tuple[ClaimState, ClaimInput], ClaimState] = MappingProxyType(
    {
        (_S.CURRENT, _I.CHANGED): _S.DUE,
        (_S.CURRENT, _I.SLOT_FREED): _S.CURRENT,
        (_S.CURRENT, _I.TURN): _S.CURRENT,
        (_S.CURRENT, _I.QUERY): _S.QUERYING,
        (_S.BEHIND, _I.CHANGED): _S.DUE,
        (_S.BEHIND, _I.SLOT_FREED): _S.DUE,
        (_S.BEHIND, _I.TURN): _S.BEHIND,
        (_S.BEHIND, _I.QUERY): _S.QUERYING,
        (_S.BEHIND, _I.SHORT): _S.CURRENT,
        (_S.DUE, _I.CHANGED): _S.DUE,
        (_S.DUE, _I.SLOT_FREED): _S.DUE,
        (_S.DUE, _I.TURN): _S.BEHIND,
        (_S.DUE, _I.QUERY): _S.QUERYING,
        (_S.DUE, _I.SHORT): _S.DUE,
        (_S.QUERYING, _I.CHANGED): _S.OUTDATED,
        (_S.QUERYING, _I.SLOT_FREED): _S.QUERYING,
        (_S.QUERYING, _I.ANSWERED): _S.BEHIND,
        (_S.OUTDATED, _I.CHANGED): _S.OUTDATED,
        (_S.OUTDATED, _I.SLOT_FREED): _S.OUTDATED,
        (_S.OUTDATED, _I.ANSWERED): _S.DUE,
    }
)
"""What cannot happen has no row."""


class ClaimProgress:
    """The state of one consumer, and the event that its loop waits for."""

    def __init__(self) -> None:
        self._state = ClaimState.DUE
        self.due = asyncio.Event()
        self.due.set()

    @property
    def current(self) -> bool:
        """Whether committed work may go to a slot without a query."""
        return self._state is ClaimState.CURRENT

    @property
    def querying(self) -> bool:
        """Whether a query of the table runs."""
        return self._state in {ClaimState.QUERYING, ClaimState.OUTDATED}

    def on(self, happened: ClaimInput) -> None:
        """Follow the table."""
        self._state = TRANSITIONS[self._state, happened]
        if self._state in {ClaimState.DUE, ClaimState.OUTDATED}:
            self.due.set()
        else:
            self.due.clear()
