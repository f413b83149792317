"""A work hint as it travels. The words on the wire differ from the domain's in one place: `output` is `finalize`."""

from __future__ import annotations

from typing import cast

from broker.seam import WorkHint
from schemas.messages import WorkKind, WorkMessage, decode_work, encode_work

_TO_WIRE = {"output": "finalize"}
_FROM_WIRE = {"finalize": "output"}


def encode_hint(hint: WorkHint) -> bytes:
    """The bytes of a hint; the queue is where they travel, not part of them."""
    kind = cast("WorkKind", _TO_WIRE.get(hint.kind, hint.kind))
    work_id = f"{hint.run_id}/{hint.kind}/{hint.ref}/{hint.attempt}"
    return encode_work(WorkMessage(kind, hint.run_id, hint.ref or None, hint.attempt, work_id))


def decode_hint(body: bytes, queue: str) -> WorkHint:
    """The hint in a message that came by `queue`. Raises MessageRefused."""
    message = decode_work(body)
    kind = _FROM_WIRE.get(message.kind, message.kind)
    return WorkHint(message.run_id, kind, message.node_id or "", message.attempt, queue)
