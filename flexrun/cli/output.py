"""Standard output that may end before we do: a reader that has enough (`| head`), a disk that is full.

Rich and typer each have an answer of their own to a broken pipe, and none to a full disk. Here a write that fails is
OutputLost, which neither of them knows, and `lost_output_told` gives the one answer.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flexrun.cli.shared import EXIT_OUTPUT_LOST, EXIT_READER_GONE, say

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STANDARD_OUTPUT = 1


class OutputLost(Exception):
    """Standard output takes no more."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.reader_is_gone = error.errno == errno.EPIPE


class _StandardOutput(io.FileIO):
    def write(self, b: ReadableBuffer, /) -> int | None:  # type: ignore[override] - None where it would block
        try:
            return super().write(b)
        except BlockingIOError:
            raise
        except OSError as error:
            raise OutputLost(error) from None


@contextmanager
def lost_output_told() -> Generator[None]:
    """Leave with 141 and without a word where the reader has gone, with 74 and a sentence where a write fails."""
    try:
        _guard()
        try:
            yield
        finally:
            sys.stdout.flush()
    except OutputLost as lost:
        # What is still buffered goes nowhere, so that the interpreter does not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STANDARD_OUTPUT)
        if lost.reader_is_gone:
            sys.exit(EXIT_READER_GONE)
        say(f"Standard output cannot be written: {lost}.", "red")
        sys.exit(EXIT_OUTPUT_LOST)


def _guard() -> None:
    """Have every failing write to standard output raise OutputLost."""
    try:
        if sys.stdout.fileno() != _STANDARD_OUTPUT:
            return
    except (AttributeError, OSError, ValueError):
        return  # closed, or no file: there is nothing to guard
    raw = _StandardOutput(_STANDARD_OUTPUT, "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=sys.stdout.encoding,
        errors=sys.stdout.errors,
        line_buffering=raw.isatty(),
    )
