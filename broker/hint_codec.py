"""The serialized form of a work hint."""

from __future__ import annotations

from typing import cast

from broker.interface import WorkHint
from schemas.messages import WorkMessage, decode_work, encode_work
from schemas.vocabulary import HintKind


def encode_hint(hint: WorkHint) -> bytes:
    """The bytes of a hint, without its queue."""
    kind = cast("HintKind", hint.kind)
    work_id = f"{hint.run_id}/{hint.kind}/{hint.ref}/{hint.attempt}"
    return encode_work(WorkMessage(kind, hint.run_id, hint.ref or None, hint.attempt, work_id))


def decode_hint(body: bytes, queue: str) -> WorkHint:
    """The hint in a message from `queue`. Raises MessageRefused."""
    message = decode_work(body)
    return WorkHint(message.run_id, message.kind, message.node_id or "", message.attempt, queue)
