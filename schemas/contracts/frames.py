"""How the door and its checker processes talk: frames of a 4-byte length and that much JSON, over two pipes."""

import struct
from typing import Any, BinaryIO, NotRequired, TypedDict

import orjson

_LENGTH = struct.Struct(">I")


class Request(TypedDict):
    """`schema` is left out when the process has it already; without a `document` the schema is only compiled."""

    id: int
    hash: str
    schema: NotRequired[Any]
    document: NotRequired[Any]


class Reply(TypedDict, total=False):
    """One of the others stands beside `id`, or `ready` alone; `unknown` asks for the same again with the schema."""

    id: int
    ready: bool
    compiled: bool
    unknown: bool
    refused: list[dict[str, str]]
    errors: list[Any]


def encode(message: Request | Reply) -> bytes:
    """The frame for a message; an `orjson.Fragment` inside it is taken as it is, a decimal becomes a float."""
    body = orjson.dumps(message, default=float)
    return _LENGTH.pack(len(body)) + body


def read_one(stream: BinaryIO) -> bytes | None:
    """Wait for the next frame's body; None when the other side is gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None


class ReplyReader:
    """Cuts replies out of a stream that arrives in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> list[Reply]:
        """The replies that `piece` completes."""
        self._buffer += piece
        replies: list[Reply] = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            end = start + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            replies.append(orjson.loads(self._buffer[start + _LENGTH.size : end]))
            start = end
        del self._buffer[:start]
        return replies
