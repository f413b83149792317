"""One soak from beginning to end: open, serve, harm, let it settle, judge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import aiohttp
import psycopg

from bench.soak.actions import TASK_DONE, VOTERS
from bench.soak.caller import Caller
from bench.soak.customers import Customer
from bench.soak.faults import Faults, GoodOrderBroken
from bench.soak.house import House, open_house
from bench.soak.ledger import Ledger
from bench.soak.recovery import recovery_times
from bench.soak.verdict import SoakVerdict, judge
from tests.support.followers import API, LOST, Follower, PromiseBroken, open_session
from tests.support.processes import ProcessFailed
from tests.support.receivers import Call, Receiver, receiving

_LONGEST_GAP_SECONDS = 1.5
_LAST_WORDS = 3000
_RECEIVER_FAILS = 0.05
_READ_AGAIN = 300
"""How many finished runs each gateway is asked for once more."""

_OPEN_RUNS = """
select count(*) from flex_runs where status not in ('completed', 'failed', 'aborted')
"""


class FaultUnknown(Exception):
    """A fault was asked for that this broker's house cannot have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`faults`: those to choose from, all for none. They come once each, one at a time, then at random, also together.

    `each_once`: continue beyond `seconds` until each has been. `settle_seconds`: how long everything may take to end.
    """

    broker: str
    seconds: float
    seed: int
    customers: int = 12
    faults: tuple[str, ...] = ()
    each_once: bool = False
    settle_seconds: float = 60.0


@dataclass(slots=True)
class Soak:
    """A soak under way. `stopping` ends it early, with a verdict on what was until then."""

    plan: Plan
    folder: Path
    show: Callable[[str], None] = lambda _text: None
    ledger: Ledger = field(default_factory=Ledger)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    faults: Faults | None = None
    _ends_at: float = 0.0

    async def run(self) -> dict[str, Any]:
        """The summary, with `breaches` of promises, and where there are any the `lastWords` of every process.

        Raises RabbitMissing, FaultUnknown, ProcessFailed where nothing can start.
        """
        self.show("starting")
        async with (
            open_house(self.plan.broker, self.folder) as house,
            open_session() as http,
            receiving() as receiver,
        ):
            await self._subscribe(http, house, receiver)
            began = monotonic()
            self._ends_at = began + self.plan.seconds
            self.faults = Faults(house, Random(f"faults {self.plan.seed}"))
            self._require_known(self.faults)
            customers = [self._customer(http, house, number) for number in range(self.plan.customers)]
            shopping = [asyncio.create_task(customer.shop()) for customer in customers]
            try:
                await self._harm(self.faults, shopping)
                self.stopping.set()
                self.show("letting it settle")
                await self._settle(house, http, customers, shopping)
                self.show("reading again")
                await self._read_again(http, house)
            finally:
                await _leave(shopping)
            seconds = monotonic() - began
            self.show("judging")
            verdict = await judge(house.database_url, self.ledger)
            breaches = [*self.ledger.breaches, *verdict.breaches]
            last_words = house.site.last_words(_LAST_WORDS) if breaches else ""
        return {**self._summary(seconds, verdict), "breaches": breaches, "lastWords": last_words}

    def _require_known(self, faults: Faults) -> None:
        if unknown := sorted(set(self.plan.faults) - set(faults.by_name)):
            raise FaultUnknown(f"no fault {', '.join(unknown)} here; there are {', '.join(faults.by_name)}")

    def _customer(self, http: aiohttp.ClientSession, house: House, number: int) -> Customer:
        chance = Random(f"customer {self.plan.seed} {number}")
        caller = Caller(http=http, gateways=house.site.urls, ledger=self.ledger, chance=chance)
        return Customer(caller=caller, stopping=self.stopping)

    async def _subscribe(self, http: aiohttp.ClientSession, house: House, receiver: Receiver) -> None:
        """A webhook for the end of every run, whose receiver fails now and then."""
        notified = self.ledger.notified = set[str]()
        chance = Random(f"webhook {self.plan.seed}")

        async def behave(call: Call) -> int:
            receiver.calls.clear()  # a soak of days would keep them all
            if chance.random() < _RECEIVER_FAILS:
                return 503
            notified.add(call.run_id)
            return 204

        receiver.behave = behave
        caller = Caller(http=http, gateways=house.site.urls, ledger=self.ledger, chance=chance)
        body = {"url": f"{receiver.url}/soak", "eventTypes": ["complete"]}
        made = await caller.insist("POST", f"{API}/webhooks", body, (201,))
        receiver.secrets["soak"] = made.body["secret"]

    async def _read_again(self, http: aiohttp.ClientSession, house: House) -> None:
        """Finished runs once more, from every gateway: the same bytes as the first time."""
        chance = Random(f"again {self.plan.seed}")
        run_ids = chance.sample(sorted(self.ledger.read), k=min(len(self.ledger.read), _READ_AGAIN))
        for url in house.site.urls:
            for run_id in run_ids:
                follower = Follower(http=http, gateways=[url], run_id=run_id, chance=chance)
                try:
                    async with asyncio.timeout(self.plan.settle_seconds):
                        self.ledger.finish(run_id, await follower.follow())
                except (PromiseBroken, TimeoutError) as error:
                    self.ledger.breach(f"{run_id} cannot be read again at {url}: {error!r}")
                self.ledger.counts["read again"] += 1

    async def _harm(self, faults: Faults, shopping: list[asyncio.Task[None]]) -> None:
        """One fault after the other until the time is over, or something happens that must not."""
        chance = Random(f"harm {self.plan.seed}")
        names = list(self.plan.faults or faults.by_name)
        chance.shuffle(names)
        for name in names:
            if self._over() and not self.plan.each_once:
                return
            if not await self._commit(faults, [name], chance):
                return
        while not self._over() and not any(task.done() for task in shopping):
            together = chance.sample(names, k=min(len(names), chance.choice((1, 1, 2, 3))))
            if not await self._commit(faults, together, chance):
                return

    async def _commit(self, faults: Faults, names: list[str], chance: Random) -> bool:
        """Whether the soak can continue."""
        await self._pause(chance.uniform(0.2, _LONGEST_GAP_SECONDS))
        if self.stopping.is_set():
            return False
        self.show(" and ".join(names))
        results = await asyncio.gather(*(faults.commit(name) for name in names), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        for failure in failures:
            if not isinstance(failure, ProcessFailed | GoodOrderBroken):
                raise failure
            self.ledger.breach(str(failure))
        return not failures

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return

    def _over(self) -> bool:
        return self.stopping.is_set() or monotonic() > self._ends_at

    async def _settle(
        self,
        house: House,
        http: aiohttp.ClientSession,
        customers: list[Customer],
        shopping: list[asyncio.Task[None]],
    ) -> None:
        """Until every customer has what was ordered, and every run in the log has ended."""
        for process in house.site.processes.values():
            if not process.running:
                self.ledger.breach(f"{process.name} ended by itself:\n{process.last_words(_LAST_WORDS)}")
        try:
            async with asyncio.timeout(self.plan.settle_seconds):
                await asyncio.gather(*shopping)
                while await _open_runs(house.database_url):
                    for url in house.site.urls:
                        await _decide_for_absent_customers(http, url, self.ledger.accepted)
                    await asyncio.sleep(0.2)
                while self.ledger.unnotified():  # noqa: ASYNC110 - the receiver fills the ledger
                    await asyncio.sleep(0.2)
        except TimeoutError:
            waiting = ", ".join(customer.waits_for for customer in customers if customer.waits_for)
            self.ledger.breach(
                f"not everything has ended {self.plan.settle_seconds} s after the last fault;"
                f" customers wait for {waiting or 'nothing'}"
            )

    def _summary(self, seconds: float, verdict: SoakVerdict) -> dict[str, Any]:
        return {
            "seed": self.plan.seed,
            "broker": self.plan.broker,
            "seconds": round(seconds, 1),
            "runs": verdict.runs,
            "accepted": len(self.ledger.accepted),
            "readToTheEnd": len(self.ledger.read),
            "events": verdict.events,
            **{name: self.ledger.counts[name] for name in ("frames", "connections")},
            "askedAgain": self.ledger.counts["asked again"],
            "unanswered": self.ledger.counts["unanswered"],
            "answersRemembered": self.ledger.counts["told"],
            "webhooksReceived": len(self.ledger.notified or ()),
            "readAgain": self.ledger.counts["read again"],
            "faults": dict(sorted(self.faults.done.items())) if self.faults else {},
            "recoverySeconds": recovery_times(self.faults.times, self.ledger.waits) if self.faults else {},
            "takenOver": verdict.losses,
        }


async def _leave(shopping: list[asyncio.Task[None]]) -> None:
    for task in shopping:
        task.cancel()
    await asyncio.gather(*shopping, return_exceptions=True)


async def _open_runs(database_url: str) -> int:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        row = await (await connection.execute(_OPEN_RUNS)).fetchone()
        return row[0] if row else 0


async def _decide_for_absent_customers(http: aiohttp.ClientSession, gateway: str, accepted: set[str]) -> None:
    """Approve requests and submit tasks of runs whose customers never saw that they were accepted."""
    with suppress(*LOST):
        for request in await _listed(http, f"{gateway}/api/hitl/pending", "requests"):
            if request["runId"] not in accepted:
                responses = [{"requestId": request["requestId"], "responseType": "approval"}]
                for voter in VOTERS:  # a quorum may need both
                    body = {"runId": request["runId"], "operator": voter, "responses": responses}
                    await _post(http, f"{gateway}/api/hitl/resume", body)
        for task in await _listed(http, f"{gateway}{API}/tasks", "tasks"):
            if task["runId"] not in accepted:
                await _post(http, f"{gateway}{API}/tasks/{task['taskId']}/submit", dict(TASK_DONE))


async def _listed(http: aiohttp.ClientSession, url: str, name: str) -> list[dict[str, Any]]:
    async with http.get(url) as answer:
        return (await answer.json())[name] if answer.status == 200 else []


async def _post(http: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> None:
    async with http.post(url, json=body) as answer:
        await answer.read()
