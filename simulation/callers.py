"""Those who use the engine: callers who start runs and follow them, people who decide, operators, and a log reader.

They know of a run what gateways tell them, and ask again where they were not answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

import orjson

from broker.interface import BrokerUnavailable, MessageRefused
from eventstore.errors import StoreUnavailable, VersionConflict
from eventstore.handler import Outcome
from eventstore.tail import TailClosed
from eventstore.whole_log import LOG_BEGIN, read_log
from runs import commands as c
from runs.errors import RunAlreadyStarted, RunError
from runs.event import JsonObject
from runs.state import RequestState
from schemas.vocabulary import ResponseType
from simulation.engine import EnginePart
from simulation.history import Frame, History, Told
from simulation.machines import Machine, Unreachable

T = TypeVar("T")

UNANSWERED = (Unreachable, StoreUnavailable, VersionConflict, TailClosed, BrokerUnavailable)
"""What says nothing of whether something was done."""


@dataclass(slots=True)
class Outside:
    """What all of them share. `is_over`: the time of trouble is over."""

    machines: Sequence[Machine]
    random: Random
    history: History
    is_over: Callable[[], bool]
    lost_answers: float

    async def ask(self, work: Callable[[EnginePart], Awaitable[T]]) -> T:
        """Ask any gateway. Raises Unreachable, and what `work` raises."""
        serving = [machine for machine in self.machines if machine.serves]
        if not serving:
            raise Unreachable
        lost = self.random.random() < self.lost_answers and not self.is_over()
        travel_seconds = self.random.random() * 0.01
        return await self.random.choice(serving).ask(work, travel_seconds=travel_seconds, lost=lost)

    async def pause(self, most_seconds: float) -> None:
        """Do nothing for a while."""
        await asyncio.sleep(self.random.random() * most_seconds)


async def call(outside: Outside, run_id: str, envelope: JsonObject, after_seconds: float) -> None:
    """Start a run, again and again until it is accepted, and read it to its end."""
    await asyncio.sleep(after_seconds)

    async def start(part: EnginePart) -> Outcome:
        command = c.StartRun(
            now=part.store.clock(), envelope=envelope, schema_hash="h", thread_id=run_id, submitted_by="sue"
        )
        return await part.handler.execute(run_id, command)

    outside.history.envelopes[run_id] = envelope
    frames = outside.history.frames["caller", run_id]
    while run_id not in outside.history.accepted:
        try:
            outcome = await outside.ask(start)
            frames += [Frame(event.seq, event.hash) for event in outcome.events]
            outside.history.accepted[run_id] = outcome.state.seq
        except RunAlreadyStarted:
            outside.history.accepted[run_id] = 1
        except UNANSWERED:
            await outside.pause(1)
    await follow(outside, run_id, "caller")


async def follow(outside: Outside, run_id: str, reader: str) -> None:
    """Read a run to its end, over as many connections as it takes."""
    frames = outside.history.frames[reader, run_id]
    while not outside.history.is_whole(reader, run_id):
        connection = _Connection(
            outside.history,
            run_id,
            after=frames[-1].seq if frames else 0,
            batches=outside.random.randrange(1, 5),
            patience_seconds=outside.random.random() * 4,
        )
        try:
            outside.history.read(reader, run_id, await outside.ask(connection.read))
        except UNANSWERED:
            await outside.pause(1)


@dataclass(frozen=True, slots=True)
class _Connection:
    """A stream of a run that ends after some batches."""

    history: History
    run_id: str
    after: int
    batches: int
    patience_seconds: float

    async def read(self, part: EnginePart) -> list[Frame]:
        """The frames that come over this connection."""
        found: list[Frame] = []
        with part.tail.subscribe(self.run_id, self.after) as subscription:
            for _ in range(self.batches):
                batch = await subscription.next_batch(self.patience_seconds)
                found += [Frame(seq, event.hash) for seq, event in batch]
                if batch and batch[-1][1].type == "complete":
                    self.history.note_last(self.run_id, batch[-1][0])
                if not batch:
                    break
        return found


async def decide(outside: Outside, name: str) -> None:
    """A person who looks at what is open, and decides: over HTTP or by the queue, sometimes twice."""
    while True:
        await outside.pause(3)
        runs = [
            run_id for run_id in outside.history.accepted if not outside.history.is_whole("caller", run_id)
        ]
        if not runs:
            continue
        run_id = outside.random.choice(runs)
        try:
            await _look_at(outside, name, run_id)
        except UNANSWERED:
            continue
        except RunError as refused:
            outside.history.facts[f"refused {refused.code}"] += 1


async def _look_at(outside: Outside, name: str, run_id: str) -> None:
    async def open_requests(part: EnginePart) -> Sequence[RequestState]:
        return (await part.store.load(run_id, fresh=True)).open_requests

    requests = await outside.ask(open_requests)
    if not requests:
        return
    request = outside.random.choice(requests)
    decision = {"runId": run_id, "requestId": request.id, "by": name, **_answer(outside, request)}
    if outside.random.random() < 0.1 and not outside.is_over():
        await outside.pause(8)  # who thinks it over may come too late
    times = 1 if outside.random.random() < 0.7 else 2
    for _ in range(times):
        if outside.random.random() < 0.3:
            await outside.ask(lambda part: part.broker.publish_message("hitl", orjson.dumps(decision)))
        else:
            await outside.ask(lambda part: resolve(part, decision, outside.history))


def _answer(outside: Outside, request: RequestState) -> JsonObject:
    draw = outside.random.random() if not outside.is_over() else 0.0
    if request.subject == "clarify":
        return {"type": "option", "option": "few"} if draw < 0.5 else {"type": "freeform", "text": "seven"}
    if request.subject == "node":
        return {"type": "option", "option": "retry" if draw < 0.4 and not outside.is_over() else "fail"}
    if draw < 0.75:
        return {"type": "approval"}
    return {"type": "rejection"} if draw < 0.9 else {"type": "withdraw"}


async def resolve(part: EnginePart, decision: JsonObject, history: History) -> None:
    """Apply a decision. Raises RunError where the rules refuse it."""
    command = c.ResolveRequest(
        now=part.store.clock(),
        request_id=decision["requestId"],
        response_type=_type_of(decision),
        actor=c.Actor(decision["by"], verified=True),
        option_id=decision.get("option"),
        text=decision.get("text"),
    )
    outcome = await part.handler.execute(decision["runId"], command)
    history.told.append(told(outcome, f"decision {decision['type']}"))


def _type_of(decision: JsonObject) -> ResponseType:
    return decision["type"]


def told(outcome: Outcome, what: str) -> Told:
    """What a client is told of the outcome of a command."""
    state = outcome.state
    events = tuple((event.seq, event.hash) for event in outcome.events)
    return Told(state.run_id, what, events, state.status if state.finished else None)


async def handle_message(part: EnginePart, body: bytes, history: History) -> None:
    """What a gateway does with a message of the queue `hitl`. Raises MessageRefused."""
    try:
        await resolve(part, orjson.loads(body), history)
    except RunError as refused:
        raise MessageRefused(refused.message) from refused


async def control(outside: Outside, run_id: str, what: type[c.ControlRun], after_seconds: float) -> None:
    """An operator who aborts, pauses or resumes a run, and asks until there is an answer."""
    await asyncio.sleep(after_seconds)

    async def order(part: EnginePart) -> Outcome:
        command: Any = what(now=part.store.clock(), actor=c.Actor("ops", verified=True))
        return await part.handler.execute(run_id, command)

    while True:
        try:
            outcome = await outside.ask(order)
        except UNANSWERED:
            await outside.pause(2)
            continue
        except RunError as refused:
            outside.history.facts[f"refused {refused.code}"] += 1
            return
        outside.history.told.append(told(outcome, what.__name__))
        return


async def wake_up(outside: Outside) -> None:
    """When all is over, paused runs are resumed."""
    while True:
        await outside.pause(6)
        if not outside.is_over():
            continue
        for run_id in list(outside.history.accepted):
            try:
                state = await outside.ask(lambda part, run_id=run_id: part.store.load(run_id, fresh=True))
            except UNANSWERED:
                continue
            if state.status == "paused":
                await control(outside, run_id, c.ResumeRun, 0)


async def read_whole_log(outside: Outside) -> None:
    """A reader of the whole log, as webhooks are fed: by a cursor that it keeps."""
    cursor = LOG_BEGIN
    while True:
        await outside.pause(1.5)
        try:
            found, after = await outside.ask(lambda part, cursor=cursor: read_log(part.store, cursor, 20))
        except UNANSWERED:
            continue
        for each in found:
            place = (each.cursor.xid, each.cursor.position, each.event.run_id, each.event.seq)
            outside.history.followed.append(place)
        cursor = after
