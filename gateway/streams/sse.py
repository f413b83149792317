"""Server-Sent Events, as bytes. A frame is encoded once and shared by all who read the run.

Many clients are not to the letter of the standard (WHATWG HTML, 9.2.6): some take an id as soon as its line is there,
some dispatch an event on every blank line, some break lines wherever Unicode does. Hence three rules:

- `id` is the last line of a frame, so that a frame that was torn apart has not moved the client's Last-Event-ID;
- a blank line stands only where an event ends: a hint and a ping are one line each, in the block of the frame that
  follows;
- `data` is one line by any reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from runs.event import Event, JsonObject
from runs.frames import frame
from schemas.withheld import frame_without_payload

MEDIA_TYPE = "text/event-stream"
PING = b": ping\n"


def waiting_ping(what: str) -> bytes:
    """The ping while the run may stand still because a server is unavailable: `: waiting for the broker`."""
    return f": waiting for the {what}\n".encode()


_LINE_BREAKS = tuple((each.encode(), b"\\u%04x" % ord(each)) for each in "\u2028\u2029\u0085")
"""What Unicode takes for the end of a line and JSON does not escape, as UTF-8 and as JSON writes it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """An event and what the wire shows of it."""

    event: Event
    data: bytes
    _withheld: bytes | None = field(default=None, compare=False, repr=False)

    @property
    def without_payload(self) -> bytes:
        """The frame for readers who may not see payload, encoded when the first of them comes."""
        encoded = self._withheld
        if encoded is None:
            encoded = _encoded(frame_without_payload(frame(self.event)))
            object.__setattr__(self, "_withheld", encoded)
        return encoded

    @property
    def last(self) -> bool:
        """Whether nothing follows this frame, ever."""
        return self.event.type == "complete"


def encode_frame(event: Event) -> Frame:
    """`event:` the type, `data:` one line of JSON, `id:` the seq, a blank line.

    The keys of the payload are sorted: jsonb keeps no order, and a frame has the same bytes for those who read it from
    the database as for those who were there when it was committed.
    """
    return Frame(event, _encoded(frame(event)))


def _encoded(shown: JsonObject) -> bytes:
    shown["payload"] = orjson.Fragment(orjson.dumps(shown["payload"], option=orjson.OPT_SORT_KEYS))
    return b"event: %b\ndata: %b\nid: %b\n\n" % (
        shown["type"].encode(),
        one_line(shown),
        shown["id"].encode(),
    )


def one_line(document: JsonObject) -> bytes:
    """`document` as JSON on one line, also for readers that break lines at U+2028, U+2029 and U+0085."""
    data = orjson.dumps(document)
    for raw, escaped in _LINE_BREAKS:
        data = data.replace(raw, escaped)
    return data


def retry_hint(milliseconds: int) -> bytes:
    """How long an `EventSource` waits before it comes back: a line of the first frame's block."""
    return b"retry: %d\n" % milliseconds
