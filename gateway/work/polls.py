"""Workers that wait for work: each poll is one claim, and lanes have the polls that can do the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from broker.postgres.claim_state import ClaimProgress
from gateway.work.handed_out import HandedOut, ReadyNode
from schemas.capability import version_order

Served = tuple[tuple[str, str | None], ...]
"""Queues, sorted, each with the version that is served of its capability, None for any."""


Named = Mapping[str, frozenset[str | None]]
"""Queue → the versions that a worker has named, None for any."""


class Poll:
    """One claim that waits. `slots` is how many attempts it takes; the answer has those that were started by then."""

    def __init__(self, worker: str, slots: int, named: Named) -> None:
        self.worker = worker
        self.slots = slots
        self.named = named
        self.given: list[HandedOut] = []
        self.left = False
        """Whether the worker has gone: what is started for it from now on is taken back."""

        self._starting = 0
        self.looked = asyncio.Event()
        """Set when the table has been asked for work for this poll."""

        self.ended = asyncio.Event()
        """Set when there is something to answer, or nothing more to wait for."""

        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def free(self) -> int:
        """How many more attempts may be started for it."""
        return 0 if self.left or self.ended.is_set() else self.slots - self._starting - len(self.given)

    def begin(self, count: int) -> None:
        """So many nodes are being started for it."""
        self._starting += count
        self._idle.clear()

    def end(self, count: int, given: Iterable[HandedOut]) -> None:
        """Of so many nodes that were being started these were."""
        self._starting -= count
        self.given += given
        if self._starting == 0:
            self._idle.set()
            if self.given:
                self.ended.set()

    async def idle(self) -> None:
        """Wait until nothing is being started for it."""
        await self._idle.wait()


@dataclass(slots=True, eq=False)
class Lane:
    """The polls of workers that can do the same, the longest waiting first, and what is known of their work."""

    served: Served
    polls: list[Poll] = field(default_factory=list[Poll])
    progress: ClaimProgress = field(default_factory=ClaimProgress)
    offered: list[ReadyNode] = field(default_factory=list[ReadyNode])
    """Nodes that this process committed while the table was being asked."""

    stale: int = 0
    """How often lately a claim came too late, because another gateway had started the node."""

    versions: Mapping[str, tuple[str | None, ...]] = field(init=False)

    def __post_init__(self) -> None:
        versions: dict[str, tuple[str | None, ...]] = {}
        for queue, version in self.served:
            versions[queue] = (*versions.get(queue, ()), version)
        self.versions = versions

    @property
    def free(self) -> int:
        return sum(poll.free for poll in self.polls)

    def serves(self, queue: str, version: str | None) -> bool:
        """Whether its workers can do this version of the queue's capability; None: a version that is not known."""
        served = self.versions.get(queue, ())
        return (
            None in served
            or (version is None and bool(served))
            or any(
                each is not None and version is not None and version_order(each) == version_order(version)
                for each in served
            )
        )

    def deal(
        self, ready: Iterable[ReadyNode]
    ) -> tuple[dict[str, dict[Poll, list[ReadyNode]]], list[ReadyNode]]:
        """Give one node after the other to the polls in turn: by run and poll, and those that found no slot."""
        dealt: dict[str, dict[Poll, list[ReadyNode]]] = {}
        left_over: list[ReadyNode] = []
        turn = [poll for poll in self.polls if poll.free > 0]
        room = {poll: poll.free for poll in turn}
        for each in ready:
            if not turn:
                left_over.append(each)
                continue
            poll = turn.pop(0)
            dealt.setdefault(each.run_id, {}).setdefault(poll, []).append(each)
            room[poll] -= 1
            if room[poll] > 0:
                turn.append(poll)
        for by_poll in dealt.values():
            for poll, nodes in by_poll.items():
                poll.begin(len(nodes))
        return dealt, left_over
