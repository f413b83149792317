"""The load: customers who submit, read, lose their connection, come back, decide, and record their answers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from uuid import UUID

from bench.soak.actions import Visit
from bench.soak.caller import Caller
from bench.soak.orders import Order, next_order
from tests.support.followers import API, LOST, Follower, PromiseBroken, document_of

_MEAN_BYTES = 6000.0


@dataclass(slots=True, kw_only=True)
class Customer:
    """One order after the other until `stopping` is set; the last one is still read to its end.

    `waits_for` is the run that is being read at the moment.
    """

    caller: Caller
    stopping: asyncio.Event
    waits_for: str = ""
    _at_work: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def shop(self) -> None:
        """Until there is no more to do. Breaches of promises go into the ledger."""
        while not self.stopping.is_set():
            try:
                await self._one(next_order(self.caller.chance))
            except PromiseBroken as broken:
                self.caller.ledger.breach(str(broken))
            finally:
                await self._leave_off()
            await self.caller.pause()

    async def _one(self, order: Order) -> None:
        ledger, chance = self.caller.ledger, self.caller.chance
        visit = Visit(self.caller)
        submit = chance.choice((self._post, self._stream, self._stream_with_key))
        follower = await submit(order, visit)
        if follower is None:
            ledger.counts["unanswered"] += 1
            return
        began = monotonic()
        self.waits_for = follower.run_id
        readers = [follower]
        if chance.random() < 0.25:
            readers.append(self._follower(follower.run_id, order, visit))
        await asyncio.gather(*(reader.follow() for reader in readers))
        ledger.waits.append((began, monotonic()))
        for reader in readers:
            ledger.finish(reader.run_id, reader.frames)
            ledger.counts["connections"] += reader.connections
        self.waits_for = ""
        if fault := order.fault_of(document_of(follower.frames[-1])):
            ledger.breach(f"{follower.run_id}: {fault}")
        await asyncio.gather(*self._at_work)

    async def _leave_off(self) -> None:
        for task in self._at_work:
            task.cancel()
        await asyncio.gather(*self._at_work, return_exceptions=True)
        self._at_work.clear()

    async def _post(self, order: Order, visit: Visit) -> Follower:
        """`POST runs` with a key, as often as it takes; sometimes once more, which must find the same run."""
        headers = {"Idempotency-Key": self._key()}
        run_id = await self._accepted(order, headers)
        self.caller.ledger.accept(run_id)
        if self.caller.chance.random() < 0.2:
            again = await self._accepted(order, headers)
            if again != run_id:
                raise PromiseBroken(f"one key made two runs: {run_id} and {again}")
        return self._follower(run_id, order, visit)

    async def _accepted(self, order: Order, headers: dict[str, str]) -> str:
        return (await self.caller.insist("POST", f"{API}/runs", order.envelope, (202,), headers)).body[
            "runId"
        ]

    async def _stream(self, order: Order, visit: Visit) -> Follower | None:
        """`POST run.stream` once; None where the connection was lost before `start`."""
        return await self._open_stream(order, visit, {})

    async def _stream_with_key(self, order: Order, visit: Visit) -> Follower:
        """`POST run.stream` with a key, until `start` was seen."""
        headers = {"Idempotency-Key": self._key()}
        while (follower := await self._open_stream(order, visit, headers)) is None:
            await self.caller.pause()
        return follower

    async def _open_stream(self, order: Order, visit: Visit, headers: dict[str, str]) -> Follower | None:
        follower = self._follower("", order, visit)
        url = self.caller.url(f"{API}/run.stream")
        with suppress(*LOST):
            async with self.caller.http.post(url, json=order.envelope, headers=headers) as response:
                if response.status == 200:
                    follower.run_id = response.headers["X-Run-Id"]
                    await follower.take(response)
                elif response.status != 503:
                    raise PromiseBroken(f"{response.status} from run.stream: {(await response.text())[:500]}")
        if not follower.frames:
            return None
        self.caller.ledger.accept(follower.run_id)
        return follower

    def _follower(self, run_id: str, order: Order, visit: Visit) -> Follower:
        def watch(frame: dict[str, Any]) -> None:
            self._at_work.add(asyncio.ensure_future(order.action(visit, frame)))

        return Follower(
            http=self.caller.http,
            gateways=self.caller.gateways,
            run_id=run_id,
            chance=self.caller.chance,
            mean_bytes=_MEAN_BYTES if self.caller.chance.random() < 0.5 else None,
            watch=watch,
        )

    def _key(self) -> str:
        return str(UUID(int=self.caller.chance.getrandbits(128)))
