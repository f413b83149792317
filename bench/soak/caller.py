"""One customer's requests to the gateways: to any of them, repeated until one answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

import aiohttp

from bench.soak.ledger import Ledger
from tests.support.followers import LOST, PromiseBroken

_PAUSE_SECONDS = 0.25
_AWAY = (502, 503, 504)
"""Statuses that say that nothing was done and that the request may be repeated."""


@dataclass(frozen=True, slots=True)
class CallerAnswer:
    """The status and the JSON body of an answer."""

    status: int
    body: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Caller:
    """Asks the gateways of a soak. A connection that is lost is no answer: it is asked again, elsewhere."""

    http: aiohttp.ClientSession
    gateways: Sequence[str]
    ledger: Ledger
    chance: Random

    def url(self, path: str) -> str:
        """`path` at one of the gateways."""
        return f"{self.chance.choice(self.gateways)}{path}"

    async def insist(
        self,
        method: str,
        path: str,
        body: Any,
        expected: tuple[int, ...],
        headers: dict[str, str] | None = None,
    ) -> CallerAnswer:
        """The first answer. Raises PromiseBroken for a status that is not `expected`."""
        while True:
            with suppress(*LOST):
                async with self.http.request(method, self.url(path), json=body, headers=headers) as answer:
                    if answer.status in expected:
                        return CallerAnswer(answer.status, await answer.json(content_type=None))
                    if answer.status not in _AWAY:
                        raise PromiseBroken(f"{answer.status} from {path}: {(await answer.text())[:500]}")
            self.ledger.counts["asked again"] += 1
            await self.pause()

    async def pause(self) -> None:
        """A quarter of a second at most."""
        await asyncio.sleep(self.chance.uniform(0, _PAUSE_SECONDS))
