"""The lines of an exported run's file, unpacked in bounded memory: a few kilobytes can unpack to any size."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Cause = Literal[
    "compression",
    "truncated",
    "too_large",
    "header",
    "newer",
    "tenant",
    "event",
    "unknown_type",
    "foreign",
    "gap",
    "hash",
    "count",
    "fold",
    "storage",
]
"""compression: no gzip · truncated: it ends too early · too_large: more than may be imported · header: it is that of no
exported run · newer: of a later version · event: no event as flexrun exports it · unknown_type: of a type that
this version does not know · foreign: of another run · gap: another number · hash: not what was written · count:
`complete` counts other events · fold: it cannot follow what is before it · storage: the database cannot keep it."""

CAUSES: tuple[Cause, ...] = get_args(Cause)

_CHUNK_BYTES = 64 * 1024
_GZIP = zlib.MAX_WBITS | 16


class ImportRefused(Exception):
    """The file cannot be imported; `line` is where, 1 for the header, None where it is about no line."""

    def __init__(self, cause: Cause, message: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {message}" if line is not None else message)
        self.cause: Cause = cause
        self.line = line


@dataclass(frozen=True, slots=True)
class ImportLimits:
    """What a file may have, unpacked: a few kilobytes can unpack to any size."""

    bytes: int
    events: int
    line_bytes: int


MOST = ImportLimits(bytes=2 << 30, events=1_000_000, line_bytes=64 << 20)
"""What is read where nobody says otherwise."""


class PackedLines:
    """Iterates over the lines of a gzip file, without their breaks; each ends with one.

    `line` is the number of the last one that was given, from 1.
    """

    def __init__(self, path: Path, limits: ImportLimits) -> None:
        self.line = 0
        self._path = path
        self._limits = limits

    def __iter__(self) -> Iterator[bytes]:
        """Raises ImportRefused, OSError."""
        pieces: list[bytes] = []
        size = 0
        for text in self._unpacked():
            *ends, rest = text.split(b"\n")
            for piece in (*ends, rest):
                pieces.append(piece)
                size += len(piece)
                if size > self._limits.line_bytes:
                    message = f"it is longer than {self._limits.line_bytes} bytes"
                    raise ImportRefused("too_large", message, self.line + 1)
                if len(ends):
                    ends.pop()
                    self.line += 1
                    yield b"".join(pieces)
                    pieces, size = [], 0
        if size:
            raise ImportRefused("truncated", "the file ends within it", self.line + 1)

    def _unpacked(self) -> Iterator[bytes]:
        unpacker, total = zlib.decompressobj(_GZIP), 0
        with self._path.open("rb") as file:
            while not unpacker.eof:
                text = self._next(unpacker, unpacker.unconsumed_tail or file.read(_CHUNK_BYTES))
                total += len(text)
                if total > self._limits.bytes:
                    message = f"the file unpacks to more than {self._limits.bytes} bytes"
                    raise ImportRefused("too_large", message, self.line + 1)
                yield text
            if unpacker.unused_data or file.read(1):
                message = f"something follows the end of the compressed file, behind line {self.line}"
                raise ImportRefused("compression", message)

    def _next(self, unpacker: zlib._Decompress, packed: bytes) -> bytes:  # pyright: ignore[reportPrivateUsage] - zlib gives its type no public name
        if not packed:
            message = f"the file is not whole: it ends behind line {self.line}"
            raise ImportRefused("truncated", message)
        try:
            return unpacker.decompress(packed, _CHUNK_BYTES)
        except zlib.error as error:
            where = f"it was changed behind line {self.line}" if self.line else "this is no gzip file"
            raise ImportRefused("compression", f"{where}: {error}") from None
