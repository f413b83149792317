"""What may be done with dead letters by hand: put back into their queue, or dropped.

A letter is a copy that is kept for people: secrets are left out of it, and of a very large message all but the
beginning. Such a copy cannot stand in for the message, so it stays where it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from broker.hint_codec import decode_hint
from eventstore.store import EventStore
from runs.outstanding import PLAN_QUEUE, node_queue
from schemas.messages import MessageRefused
from schemas.redaction import REDACTED

if TYPE_CHECKING:
    from broker.interface import DeadLetter


@dataclass(frozen=True, slots=True)
class Requeue:
    """It goes back into its queue."""


@dataclass(frozen=True, slots=True)
class Drop:
    """It is deleted."""


@dataclass(frozen=True, slots=True)
class Keep:
    """It stays, for this reason."""

    code: str
    reason: str


Fate = Requeue | Drop | Keep
Judge = Callable[["DeadLetter"], Awaitable[Fate]]

DONE = None
"""What a broker answers for a letter that was requeued or dropped."""


def is_work(queue: str) -> bool:
    """Whether letters of this queue are hints of work, whose truth is in `flex_work`."""
    return queue == PLAN_QUEUE or queue.startswith(node_queue(""))


def flaw_of(letter: DeadLetter) -> Keep | None:
    """Why this letter cannot be put back, as far as it shows that itself; None where it can."""
    if REDACTED.encode() in letter.body:
        return Keep(
            "letter_incomplete",
            "secrets were left out of the copy that was kept; its sender has to send it again",
        )
    if is_work(letter.queue):
        try:
            decode_hint(letter.body, letter.queue)
        except MessageRefused as refused:
            return Keep("letter_unreadable", f"it is no hint of work and would die again: {refused.reason}")
        return None
    try:
        orjson.loads(letter.body)
    except orjson.JSONDecodeError:
        return Keep("letter_incomplete", "it is no JSON, or only its beginning was kept: it would die again")
    return None


async def revive(store: EventStore, letter: DeadLetter) -> Fate:
    """The fate of a letter that is to be put back; the work of a hint is tried anew. Raises StoreError."""
    flaw = flaw_of(letter)
    if flaw is not None:
        return flaw
    if not is_work(letter.queue):
        return Requeue()
    hint = decode_hint(letter.body, letter.queue)
    named = {"run_id": hint.run_id, "kind": hint.kind, "ref": hint.ref}
    if await store.fetch("work/revive", named):
        return Requeue()
    return Keep(
        "work_gone",
        f"its work is not outstanding any more; look at run {hint.run_id}, and retry or fork it if it has failed",
    )
