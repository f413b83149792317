"""`/api/v1/flex/dead-letters`: messages that could not be handled, and what becomes of them."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from broker.dead import Drop, Fate, Judge, Keep, flaw_of, revive
from broker.interface import Broker, BrokerUnavailable, DeadLetter
from gateway.deps import GATEWAY
from gateway.endpoint import (
    JSON,
    QUERY_INVALID,
    UNAUTHORIZED,
    UNAVAILABLE,
    DocumentedResponse,
    Endpoints,
    FromRequest,
)
from gateway.errors import NotFound
from gateway.on_call.models import OperationReport
from gateway.people.documentation import BODY_INVALID
from gateway.problems import unavailable
from gateway.query import Parameter, Query, QueryValue, whole_number
from gateway.recording import begin_operation, note_operation
from gateway.response import Response, json_response, present
from runs.event import JsonObject, rfc3339
from schemas.base import Timestamp
from schemas.on_call import DeadLettersBody, DropLettersBody, RequeueLettersBody
from schemas.payload_marks import PAYLOAD, PAYLOAD_AFTER_COLON

ENDPOINTS = Endpoints("operations")

PATH = "/api/v1/flex/dead-letters"
MAX_LETTERS = 1_000
_BEGINNING_CHARS = 300
_BROKER_AWAY = {503: "The broker or the database is away (`broker_unavailable`, `store_unavailable`)."}


class DeadLetterEntry(Response):
    """A message that could not be handled: `body` is what was kept of it, in a list its beginning.

    `requeueable` says whether it can be put back; `why` not, where it cannot.
    """

    id: str
    queue: str
    reason: Annotated[str, PAYLOAD_AFTER_COLON]
    died_at: Timestamp
    size_bytes: Annotated[int, Field(ge=0)]
    body: Annotated[str, PAYLOAD]
    requeueable: bool
    why: str | None = None

    @classmethod
    def of(cls, letter: DeadLetter, *, whole: bool) -> JsonObject:
        text = letter.body.decode("utf-8", "replace")
        flaw = flaw_of(letter)
        return {
            "id": letter.id,
            "queue": letter.queue,
            "reason": letter.reason,
            "diedAt": rfc3339(letter.at),
            "sizeBytes": len(letter.body),
            "body": text if whole else text[:_BEGINNING_CHARS],
            "requeueable": flaw is None,
            **present(why=flaw.reason if flaw is not None else None),
        }


class DeadLetterList(Response):
    """The oldest dead letters; `more` where there are others behind these."""

    dead_letters: list[DeadLetterEntry]
    more: bool


class NoSuchLetter(NotFound):
    """No dead letter has this id."""

    code = "dead_letter_unknown"


class DeadLettersQuery(Query):
    """Which dead letters to list."""

    queue: Annotated[str | None, QueryValue("Only those that were in this queue.")] = None
    reason: Annotated[str | None, QueryValue("Only those whose reason has this text in it.")] = None
    limit: Annotated[int, whole_number("How many, at most.", least=1, most=MAX_LETTERS)] = 100


PathLetterId = Annotated[
    str,
    FromRequest(
        lambda request: request.match_info["letter_id"],
        [Parameter("letter_id", "path", "The letter's id.")],
    ),
]


@ENDPOINTS.get(
    PATH,
    name="listDeadLetters",
    needs="runs:read",
    operator=True,
    summary="Messages that could not be handled",
    description="What was kept of each: secrets are left out. On RabbitMQ the oldest 5,000 can be seen.",
    responses=[DocumentedResponse(200, "The oldest.", {JSON: DeadLetterList})],
    problems=QUERY_INVALID | UNAUTHORIZED | _BROKER_AWAY,
)
async def show_list(request: web.Request, query: DeadLettersQuery) -> web.Response:
    """The oldest dead letters."""
    letters, more = await _find(request, query.queue, query.reason, query.limit)
    shown = [DeadLetterEntry.of(each, whole=False) for each in letters]
    return json_response({"deadLetters": shown, "more": more})


@ENDPOINTS.get(
    PATH + "/{letter_id}",
    name="showDeadLetter",
    needs="runs:read",
    operator=True,
    summary="One message that could not be handled",
    responses=[DocumentedResponse(200, "All that was kept of it.", {JSON: DeadLetterEntry})],
    problems={404: "There is no such dead letter (`dead_letter_unknown`)."} | UNAUTHORIZED | _BROKER_AWAY,
)
async def show(request: web.Request, letter_id: PathLetterId) -> web.Response:
    """A dead letter, whole."""
    letters, _ = await _find(request, None, None, _ALL)
    for each in letters:
        if each.id == letter_id:
            return json_response(DeadLetterEntry.of(each, whole=True))
    raise NoSuchLetter(f"There is no dead letter {letter_id[:100]!r}.")


@ENDPOINTS.post(
    PATH + "/requeue",
    name="requeueDeadLetters",
    needs="admin",
    operator=True,
    summary="Put dead letters back into their queues",
    description="A message is handled anew. The work of a hint is tried anew where it is still outstanding. A copy that"
    " is not whole stays.",
    acts_on="dead_letter",
    records_itself=True,
    responses=[DocumentedResponse(200, "What became of each.", {JSON: OperationReport})],
    problems=BODY_INVALID | UNAUTHORIZED | UNAVAILABLE | _BROKER_AWAY,
)
async def requeue(request: web.Request, body: RequeueLettersBody) -> web.Response:
    """Have messages handled anew."""
    store = request.app[GATEWAY].deps.store

    async def judge(letter: DeadLetter) -> Fate:
        if body.dry_run:
            return flaw_of(letter) or _WOULD
        return await revive(store, letter)

    return await _settle(request, "requeueDeadLetters", body, judge)


@ENDPOINTS.post(
    PATH + "/drop",
    name="dropDeadLetters",
    needs="admin",
    operator=True,
    summary="Delete dead letters",
    acts_on="dead_letter",
    records_itself=True,
    responses=[DocumentedResponse(200, "What became of each.", {JSON: OperationReport})],
    problems=BODY_INVALID | UNAUTHORIZED | UNAVAILABLE | _BROKER_AWAY,
)
async def drop(request: web.Request, body: DropLettersBody) -> web.Response:
    """Delete messages that nobody needs; why is in the operations log."""

    async def judge(_letter: DeadLetter) -> Fate:
        return _WOULD if body.dry_run else Drop()

    return await _settle(request, "dropDeadLetters", body, judge)


_ALL = 5_000
_WOULD = Keep("", "")
"""What a dry run says of a letter that would be requeued or dropped."""


async def _settle(request: web.Request, action: str, body: DeadLettersBody, judge: Judge) -> web.Response:
    ids, more = body.ids, False
    if ids is None:
        wanted = body.filter
        queue, reason = (wanted.queue, wanted.reason) if wanted is not None else (None, None)
        letters, more = await _find(request, queue, reason, body.limit)
        ids = [each.id for each in letters]
    if not body.dry_run:
        note_operation(request, action, "dead_letter", None)
        await begin_operation(request, [body], object_id=" ".join(ids))
    try:
        settling = _broker(request).settle_dead_letters(ids, judge)
        found = await request.app[GATEWAY].shield_write(settling)
    except BrokerUnavailable as away:
        raise unavailable("broker_unavailable", f"The broker is away: {away.reason}") from None
    items = [_item(each, found) for each in ids]
    return json_response(OperationReport.of(items, dry_run=body.dry_run, more=more))


def _item(letter_id: str, found: dict[str, Keep | None]) -> JsonObject:
    if letter_id not in found:
        reason = "there is no such dead letter now: it was settled, or somebody looks at it at this moment"
        return {"id": letter_id, "result": "refused", "code": "dead_letter_unknown", "reason": reason}
    kept = found[letter_id]
    if kept is None:
        return {"id": letter_id, "result": "done"}
    if kept is _WOULD:
        return {"id": letter_id, "result": "would"}
    return {"id": letter_id, "result": "refused", "code": kept.code, "reason": kept.reason}


async def _find(
    request: web.Request, queue: str | None, reason: str | None, limit: int
) -> tuple[list[DeadLetter], bool]:
    """The oldest letters of a queue with this text in their reason, `limit` at most; whether there are more."""
    try:
        letters = await _broker(request).dead_letters(queue or "", _ALL if reason else limit + 1)
    except BrokerUnavailable as away:
        raise unavailable("broker_unavailable", f"The broker is away: {away.reason}") from None
    fitting = [each for each in letters if reason is None or reason in each.reason]
    return fitting[:limit], len(fitting) > limit


def _broker(request: web.Request) -> Broker:
    broker = request.app[GATEWAY].deps.broker
    if broker is None:
        raise unavailable("broker_unavailable", "This gateway has no broker.")
    return broker
