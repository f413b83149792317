"""Server-Sent Events, as bytes. A frame is encoded once and shared by all who read the run."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from runs.event import Event, frame

MEDIA_TYPE = "text/event-stream"
PING = b": ping\n\n"


@dataclass(frozen=True, slots=True)
class Frame:
    """An event and what the wire shows of it."""

    event: Event
    data: bytes

    @property
    def last(self) -> bool:
        """Whether nothing follows this frame, ever."""
        return self.event.type == "complete"


def encode_frame(event: Event) -> Frame:
    """`id:` the seq, `event:` the type, `data:` one line of JSON (JSON text has no raw line breaks), a blank line.

    The keys of the payload are sorted: jsonb keeps no order, and a frame has the same bytes for those who read it from
    the database as for those who were there when it was committed.
    """
    head = f"id: {event.seq}\nevent: {event.type}\ndata: ".encode()
    shown = frame(event)
    shown["payload"] = orjson.Fragment(orjson.dumps(event.payload, option=orjson.OPT_SORT_KEYS))
    return Frame(event, b"%b%b\n\n" % (head, orjson.dumps(shown)))


def retry_hint(milliseconds: int) -> bytes:
    """How long an `EventSource` waits before it comes back; sent once, at the head of a stream."""
    return b"retry: %d\n\n" % milliseconds
