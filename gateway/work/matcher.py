"""Brings work to the workers that wait for it at this gateway.

Nodes of capabilities whose home is `worker` have queues of their own (`schemas.capability.worker_queue`), which no
executor serves and no broker carries: gateways take them from `flex_work`. A lane of polls is woken by this process's
commits, by the notifications of others, and once a second. What this process commits goes to a waiting poll
without asking the table, unless older work may wait there (`broker.postgres.claim_state`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any

import structlog

from broker.postgres.claim_state import ClaimInput
from eventstore import leases
from eventstore.batch import Commit
from eventstore.capability_cache import CapabilityCache
from eventstore.errors import StoreError, StoreUnavailable
from eventstore.listener import LogListener
from eventstore.store import EventStore
from eventstore.tenancy import for_every_tenant
from gateway.work.handed_out import HandedOut, ReadyNode, Starter
from gateway.work.polls import Lane, Named, Poll, Served
from runs.errors import RunError
from runs.outstanding import is_remote

POLL_SECONDS = 1.0
CLAIM_SECONDS = 15.0
"""How long a row is kept for this gateway between its claim and its start."""

MAX_POLLS = 1_000
_COURTESY_SECONDS = 0.005
_LONGEST_MEMORY = 16
_AGAIN_SECONDS = 0.02
"""After how long a lane looks again whose nodes could not be started: they went elsewhere, or cannot start at all."""

_AT_ONCE = 200

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class TooManyPolls(Exception):
    """As many workers wait at this gateway as it takes."""


class Matcher:
    """The polls that wait at this gateway, in lanes."""

    def __init__(
        self,
        store: EventStore,
        starter: Starter,
        capabilities: CapabilityCache,
        listener: LogListener | None,
        claimant: str,
    ) -> None:
        self._store = store
        self._starter = starter
        self._capabilities = capabilities
        self._claimant = claimant
        self._lanes: dict[Served, Lane] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False
        store.on_commit(self._on_commit)
        if listener is not None:
            listener.on_work(self._on_work)

    @property
    def waiting(self) -> int:
        """How many polls wait."""
        return sum(len(lane.polls) for lane in self._lanes.values())

    def polls(self) -> list[Poll]:
        """Those that wait."""
        return [poll for lane in self._lanes.values() for poll in lane.polls]

    async def claim(
        self, worker: str, served: Served, named: Named, slots: int, wait_seconds: float
    ) -> list[HandedOut]:
        """Wait for work; [] where none came in time. `named` are the versions that the worker has itself.

        What was started for a caller that is cancelled is taken back.

        Raises TooManyPolls.
        """
        if self._closing:
            return []
        if self.waiting >= MAX_POLLS:
            raise TooManyPolls
        poll = Poll(worker, slots, named)
        lane = self._join(served, poll)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    await poll.ended.wait()
            if not poll.ended.is_set() and not self._closing:
                await poll.looked.wait()
            poll.ended.set()
            await poll.idle()
        except asyncio.CancelledError:
            poll.left = True
            self.take_back(poll.given)
            raise
        finally:
            lane.polls.remove(poll)
        return poll.given

    def take_back(self, given: Iterable[HandedOut]) -> None:
        """Start taking back what could not be delivered."""
        for each in given:
            self._begin(self._take_back(each))

    def stop(self) -> None:
        """Answer all polls now, and those that come."""
        self._closing = True
        for poll in self.polls():
            poll.ended.set()
            poll.looked.set()

    async def close(self) -> None:
        """Wait for what is being started or taken back."""
        self.stop()
        while self._tasks:
            for lane in self._lanes.values():
                lane.progress.on(ClaimInput.CHANGED)
            await asyncio.wait(self._tasks)

    def _join(self, served: Served, poll: Poll) -> Lane:
        lane = self._lanes.get(served)
        if lane is None:
            lane = self._lanes[served] = Lane(served)
            self._begin(self._serve(lane))
        lane.polls.append(poll)
        lane.progress.on(ClaimInput.CHANGED)
        return lane

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, context=for_every_tenant())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, lane: Lane) -> None:
        """Look for work whenever there may be some, until no poll is left."""
        while lane.polls and not self._closing:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await lane.progress.due.wait()
            lane.progress.on(ClaimInput.TURN)
            try:
                await self._look(lane)
                self._store.outage.worked("remote work")
            except StoreUnavailable as outage:
                self._store.outage.failed("remote work", outage.reason)
            # No error of one look may end the lane, or its polls would wait in vain.
            except Exception:  # noqa: BLE001 - see above
                _log.exception("remote_claim_failed", queues=[queue for queue, _ in lane.served][:10])
        if self._lanes.get(lane.served) is lane:
            del self._lanes[lane.served]

    async def _look(self, lane: Lane) -> None:
        polls = [poll for poll in lane.polls if poll.free > 0]
        limit = min(sum(poll.free for poll in polls), _AT_ONCE)
        if limit == 0:
            return
        offered = lane.offered = []
        lane.progress.on(ClaimInput.QUERY)
        try:
            await self._capabilities.current()
            served = [each for each in lane.served if self._is_enabled(each[0])]
            rows = await leases.claim_remote(self._store, served, self._claimant, CLAIM_SECONDS, limit)
        finally:
            lane.progress.on(ClaimInput.ANSWERED)
            for poll in polls:
                poll.looked.set()
        ready = [ReadyNode(row.run_id, row.ref, row.attempt, row.queue, row.due_at, True) for row in rows]
        claimed = {(each.run_id, each.ref, each.attempt) for each in ready}
        ready += [each for each in offered if (each.run_id, each.ref, each.attempt) not in claimed]
        self._deal(lane, ready)
        if len(rows) < limit:
            lane.progress.on(ClaimInput.SHORT)

    def _is_enabled(self, queue: str) -> bool:
        return self._capabilities.of_queue(queue) is not None

    def _deal(self, lane: Lane, ready: list[ReadyNode]) -> None:
        dealt, left_over = lane.deal(ready)
        for run_id, by_poll in dealt.items():
            self._begin(self._start(lane, run_id, by_poll))
        if left_over:
            self._on_work({each.queue for each in left_over})
            self._begin(self._release([each for each in left_over if each.claimed]))

    async def _start(self, lane: Lane, run_id: str, by_poll: Mapping[Poll, list[ReadyNode]]) -> None:
        """Start nodes of one run, for one poll after the other: each append follows the one before it."""
        for poll, ready in by_poll.items():
            given: list[HandedOut] = []
            try:
                if not poll.left:
                    given = await self._starter.start(poll.worker, run_id, ready, poll.named)
            except (RunError, StoreError) as error:
                _log.info("remote_start_refused", run_id=run_id, reason=str(error))
            # A poll whose start never ends would keep its worker waiting.
            except Exception:  # noqa: BLE001 - see above
                _log.exception("remote_start_failed", run_id=run_id)
            finally:
                self._settle(lane, poll, ready, given)

    def _settle(self, lane: Lane, poll: Poll, ready: list[ReadyNode], given: list[HandedOut]) -> None:
        if poll.left:
            self.take_back(given)
        poll.end(len(ready), [] if poll.left else given)
        started = {(each.key.node_id, each.key.attempt) for each in given}
        idle = [each for each in ready if each.claimed and (each.ref, each.attempt) not in started]
        lane.stale = min(lane.stale + 1, _LONGEST_MEMORY) if idle else max(lane.stale - 1, 0)
        if len(given) < len(ready):
            asyncio.get_running_loop().call_later(_AGAIN_SECONDS, lane.progress.on, ClaimInput.CHANGED)
        if idle:
            self._begin(self._release(idle))

    async def _release(self, ready: list[ReadyNode]) -> None:
        try:
            await leases.release(self._store, ready, self._claimant)
        except StoreError as error:
            _log.info("remote_claims_not_released", reason=str(error))

    async def _take_back(self, given: HandedOut) -> None:
        key = given.key
        try:
            await self._starter.take_back(given)
            _log.info("remote_claim_undelivered", run_id=key.run_id, node_id=key.node_id, worker=key.worker)
        except (RunError, StoreError) as error:
            # It is over by now, or the lease runs out.
            _log.info(
                "remote_claim_not_taken_back", run_id=key.run_id, node_id=key.node_id, reason=str(error)
            )

    def _on_commit(self, commit: Commit) -> None:
        if not self._lanes:
            return
        now = commit.after.updated_at
        ready = {
            ReadyNode(commit.after.run_id, work.ref, work.attempt, work.queue)
            for work in commit.new_work
            if is_remote(work.queue) and (work.due_at is None or now is None or work.due_at <= now)
        }
        for lane in list(self._lanes.values()) if ready else ():
            served = [each for each in ready if lane.serves(each.queue, self._version(commit, each))]
            ready.difference_update(self._offer(lane, served))

    def _offer(self, lane: Lane, ready: list[ReadyNode]) -> list[ReadyNode]:
        """Hand over what was committed a moment ago, where nothing older waits; those that were taken."""
        if not ready:
            return []
        if lane.progress.querying:
            lane.offered += ready
            return ready
        taken = ready[: lane.free] if lane.progress.current else []
        if len(taken) < len(ready):
            lane.progress.on(ClaimInput.CHANGED)
        if taken:
            self._deal(lane, taken)
        return taken

    def _version(self, commit: Commit, ready: ReadyNode) -> str | None:
        """The version that is to do a node; None where that is gone, or where the plan names none."""
        node = commit.after.nodes[ready.ref]
        row = self._capabilities.known_version(node.capability_id, node.capability_version)
        return row.version if row is not None and row.version == node.capability_version else None

    def _on_work(self, queues: set[str] | None) -> None:
        for lane in list(self._lanes.values()):
            if queues is not None and queues.isdisjoint(lane.versions):
                continue
            if lane.stale:
                # Another gateway, which has committed this work, starts it at once.
                asyncio.get_running_loop().call_later(_COURTESY_SECONDS, lane.progress.on, ClaimInput.CHANGED)
            else:
                lane.progress.on(ClaimInput.CHANGED)
