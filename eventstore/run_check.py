"""One run against its log: whether it folds, whether its hash chain holds, and whether its rows are what it says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from eventstore.chain import ChainBreak, check_chain
from eventstore.rebuild import Difference, compare_run
from eventstore.sealing import is_sealed
from runs.event import Event
from runs.evolve import evolve
from runs.state import RunState, new_run


@dataclass(frozen=True, slots=True)
class RunCheck:
    """What was found: nothing of it, where the run is as it should be. `seq` of `unfoldable` is the event after which
    the fold stopped.
    """

    events: int
    hashed: int
    broken: ChainBreak | None
    unfoldable: tuple[int, str] | None
    differences: list[Difference]

    @property
    def holds(self) -> bool:
        return self.broken is None and self.unfoldable is None and not self.differences


async def check_beside(database_url: str, run_id: str) -> RunCheck:
    """`check_run` in a thread: a long log takes longer than a task may hold the event loop. Raises psycopg.Error."""
    return await asyncio.to_thread(check_run, database_url, run_id)


def check_run(database_url: str, run_id: str) -> RunCheck:
    """Check one run as of one moment, over a connection of its own. Changes nothing. Raises psycopg.Error."""
    head, events, differences = compare_run(database_url, run_id)
    return RunCheck(
        events=len(events),
        hashed=sum(1 for event in events if event.hash is not None),
        broken=check_chain(events, head=head),
        # The comparison has folded the log already; it is folded again only to find the event that it stops at.
        unfoldable=_unfoldable(run_id, events, differences)
        if any(each.unfoldable for each in differences)
        else None,
        differences=[each for each in differences if each.unfoldable is None],
    )


def _unfoldable(run_id: str, events: list[Event], differences: list[Difference]) -> tuple[int, str] | None:
    if is_sealed(events[0]):
        return 1, next(each.unfoldable for each in differences if each.unfoldable is not None)
    state: RunState = new_run(run_id)
    for event in events:
        try:
            state = evolve(state, event)
        except Exception as error:  # noqa: BLE001 - such a log may lack anything: a node, a key, a plan
            return event.seq, f"{type(error).__name__}: {error}"
    return None
