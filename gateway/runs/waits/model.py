"""What a run waits for, as endpoints show it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from gateway.response import Response, document, present
from runs.event import JsonObject
from runs.values import value
from schemas.base import NodeId, Timestamp
from schemas.payload_marks import PAYLOAD_AFTER_COLON

WaitKind = Literal[
    "imported",
    "database",
    "broker",
    "paused",
    "person",
    "task",
    "version",
    "worker",
    "endpoint",
    "limit",
    "queue",
    "callback",
    "timer",
    "lease",
    "unknown",
]
"""In the order of the answer: first what keeps everything still, last what goes on by itself."""


class Wait(Response):
    """One thing that a run waits for: in words, and what to do about it where something can be done.

    `until` is when it ends at the latest, `nextAt` when something happens by itself at the latest: a retry, an
    expiry, the end of a lease. `worker` has the lease of what is being worked on.
    """

    kind: WaitKind
    message: Annotated[str, PAYLOAD_AFTER_COLON]
    action: str | None = None
    node_id: NodeId | None = None
    request_id: str | None = None
    task_id: str | None = None
    capability_id: str | None = None
    queue: str | None = None
    worker: str | None = None
    since: Timestamp | None = None
    until: Timestamp | None = None
    next_at: Timestamp | None = None


@value
class Waiting:
    """One thing that a run waits for; the fields are those of `Wait`."""

    kind: WaitKind
    message: str
    action: str | None = None
    node_id: str | None = None
    request_id: str | None = None
    task_id: str | None = None
    capability_id: str | None = None
    queue: str | None = None
    worker: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    next_at: datetime | None = None

    def to_wire(self) -> JsonObject:
        """The document."""
        optional = {name: getattr(self, name) for name in _OPTIONAL}
        return document(Wait, self, leave_out=_OPTIONAL, **present(**optional))


_OPTIONAL = (
    "action",
    "node_id",
    "request_id",
    "task_id",
    "capability_id",
    "queue",
    "worker",
    "since",
    "until",
    "next_at",
)
