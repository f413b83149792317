"""The load: customers who submit, read, lose their connection, come back, approve, and remember what they were told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import aiohttp

from bench.soak.ledger import Ledger
from bench.soak.orders import Order, next_order
from tests.support.followers import API, LOST, Follower, PromiseBroken, document_of

_MEAN_BYTES = 6000.0
_PAUSE_SECONDS = 0.25


@dataclass(slots=True, kw_only=True)
class Customer:
    """One order after the other until `stopping` is set; the last one is still read to its end.

    `waits_for` is the run that is being read at the moment.
    """

    http: aiohttp.ClientSession
    gateways: Sequence[str]
    ledger: Ledger
    chance: Random
    stopping: asyncio.Event
    waits_for: str = ""
    _decisions: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def shop(self) -> None:
        """Until there is no more to do. Breaches of promises go into the ledger."""
        while not self.stopping.is_set():
            try:
                await self._one(next_order(self.chance))
            except PromiseBroken as broken:
                self.ledger.breach(str(broken))
            finally:
                await self._forget_decisions()
            await self._pause()

    async def _one(self, order: Order) -> None:
        door = self.chance.choice((self._post, self._stream, self._stream_with_key))
        follower = await door(order)
        if follower is None:
            self.ledger.counts["unanswered"] += 1
            return
        self.waits_for = follower.run_id
        readers = [follower]
        if self.chance.random() < 0.25:
            readers.append(self._follower(follower.run_id))
        await asyncio.gather(*(reader.follow() for reader in readers))
        for reader in readers:
            self.ledger.finish(reader.run_id, reader.frames)
            self.ledger.counts["connections"] += reader.connections
        self.waits_for = ""
        if fault := order.fault_of(document_of(follower.frames[-1])):
            self.ledger.breach(f"{follower.run_id}: {fault}")
        await asyncio.gather(*self._decisions)

    async def _forget_decisions(self) -> None:
        for decision in self._decisions:
            decision.cancel()
        await asyncio.gather(*self._decisions, return_exceptions=True)
        self._decisions.clear()

    async def _post(self, order: Order) -> Follower:
        """`POST runs` with a key, as often as it takes; sometimes once more, which must find the same run."""
        headers = {"Idempotency-Key": self._key()}
        body = await self._insist(f"{API}/runs", order.envelope, headers, (202,))
        run_id: str = body["runId"]
        self.ledger.accept(run_id)
        if self.chance.random() < 0.2:
            again = await self._insist(f"{API}/runs", order.envelope, headers, (202,))
            if again["runId"] != run_id:
                raise PromiseBroken(f"one key made two runs: {run_id} and {again['runId']}")
        return self._follower(run_id)

    async def _stream(self, order: Order) -> Follower | None:
        """`POST run.stream` once; None where the connection was lost before `start`."""
        return await self._open_stream(order, {})

    async def _stream_with_key(self, order: Order) -> Follower:
        """`POST run.stream` with a key, until `start` was seen."""
        headers = {"Idempotency-Key": self._key()}
        while (follower := await self._open_stream(order, headers)) is None:
            await self._pause()
        return follower

    async def _open_stream(self, order: Order, headers: dict[str, str]) -> Follower | None:
        follower = self._follower("")
        url = f"{self.chance.choice(self.gateways)}{API}/run.stream"
        with suppress(*LOST):
            async with self.http.post(url, json=order.envelope, headers=headers) as response:
                if response.status == 200:
                    follower.run_id = response.headers["X-Run-Id"]
                    await follower.take(response)
                elif response.status != 503:
                    raise PromiseBroken(f"{response.status} from run.stream: {(await response.text())[:500]}")
        if not follower.frames:
            return None
        self.ledger.accept(follower.run_id)
        return follower

    def _follower(self, run_id: str) -> Follower:
        return Follower(
            http=self.http,
            gateways=self.gateways,
            run_id=run_id,
            chance=self.chance,
            mean_bytes=_MEAN_BYTES if self.chance.random() < 0.5 else None,
            watch=self._watch,
        )

    def _watch(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "hitl_request":
            decision = asyncio.create_task(self._approve(frame["runId"], frame["payload"]["requestId"]))
            self._decisions.add(decision)

    async def _approve(self, run_id: str, request_id: str) -> None:
        """Every reader who sees the question answers it: one of them counts, the others are told 409."""
        body = {"runId": run_id, "responses": [{"requestId": request_id, "responseType": "approval"}]}
        await self._insist("/api/hitl/resume", body, {}, (200, 409))

    async def _insist(
        self, path: str, body: Any, headers: dict[str, str], expected: tuple[int, ...]
    ) -> dict[str, Any]:
        """Ask one gateway after the other until one answers; anything but what is expected breaks a promise."""
        while True:
            with suppress(*LOST):
                url = f"{self.chance.choice(self.gateways)}{path}"
                async with self.http.post(url, json=body, headers=headers) as answer:
                    if answer.status in expected:
                        return await answer.json(content_type=None)
                    if answer.status != 503:
                        raise PromiseBroken(f"{answer.status} from {path}: {(await answer.text())[:500]}")
            self.ledger.counts["asked again"] += 1
            await self._pause()

    def _key(self) -> str:
        return str(UUID(int=self.chance.getrandbits(128)))

    async def _pause(self) -> None:
        await asyncio.sleep(self.chance.uniform(0, _PAUSE_SECONDS))
