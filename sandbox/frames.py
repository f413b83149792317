"""What goes over the two pipes between a sandbox and its children.

A call is a head (12 bytes: the lengths of three parts) and the parts: what to call (JSON: `[function, seconds]`), the
argument (JSON), and a blob (bytes, as they are). A reply is a head (5 bytes: the kind, and the length of the body) and
the body. Replies come in the order of the calls.
"""

import struct
from enum import IntEnum
from typing import Any, BinaryIO, NamedTuple

import orjson

_CALL = struct.Struct(">III")
_REPLY = struct.Struct(">BI")


class Kind(IntEnum):
    """What a reply is: JSON unless said otherwise."""

    READY = 0
    """The child has started. Without a body."""
    RESULT = 1
    RAW_RESULT = 2
    """The result is bytes."""
    REFUSAL = 3
    FAILED = 4
    """A text that names the exception."""
    TOO_DEEP = 5
    """The stack was used up. Without a body."""


class Call(NamedTuple):
    """A call as the child reads it; `argument` and `blob` are still bytes."""

    function: str
    deadline_seconds: float
    argument: bytes
    blob: bytes


class Reply(NamedTuple):
    """A reply as the parent reads it."""

    kind: Kind
    body: bytes


def encode_call(function: str, deadline_seconds: float, argument: object, blob: bytes) -> bytes:
    """The frame of a call; an `orjson.Fragment` in `argument` is taken as it is, a decimal becomes a float.

    Raises TypeError for an argument that is not JSON.
    """
    what = orjson.dumps([function, deadline_seconds])
    told = orjson.dumps(argument, default=float)
    return b"".join((_CALL.pack(len(what), len(told), len(blob)), what, told, blob))


def read_call(stream: BinaryIO) -> Call | None:
    """Wait for the next call; None when the other side is gone."""
    head = _read(stream, _CALL.size)
    if head is None:
        return None
    parts = [_read(stream, size) for size in _CALL.unpack(head)]
    what, argument, blob = parts
    if what is None or argument is None or blob is None:
        return None
    function, seconds = orjson.loads(what)
    return Call(function, seconds, argument, blob)


def _read(stream: BinaryIO, size: int) -> bytes | None:
    data = stream.read(size)
    return data if len(data) == size else None


def encode_reply(kind: Kind, body: bytes = b"") -> bytes:
    """The frame of a reply."""
    return _REPLY.pack(kind, len(body)) + body


def encode_json(value: Any) -> bytes:
    """A result as JSON; a decimal becomes a float."""
    return orjson.dumps(value, default=float)


class ReplyReader:
    """Cuts replies out of a stream that arrives in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> list[Reply]:
        """The replies that `piece` completes."""
        self._buffer += piece
        replies: list[Reply] = []
        start = 0
        while len(self._buffer) - start >= _REPLY.size:
            kind, length = _REPLY.unpack_from(self._buffer, start)
            begin = start + _REPLY.size
            if len(self._buffer) < begin + length:
                break
            start = begin + length
            replies.append(Reply(Kind(kind), bytes(memoryview(self._buffer)[begin:start])))
        del self._buffer[:start]
        return replies
