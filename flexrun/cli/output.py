"""Standard output that fails before the command ends: the reader has gone (`| head`), or the disk is full.

Rich and typer each handle a broken pipe in their own way, and a full disk not at all. Here a write that fails raises
OutputLost, which neither of them knows, and `lost_output_told` handles it in one place.
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
    """Exit with 141, silently, when the reader has gone; with 74 and a message when a write fails otherwise."""
    try:
        _guard()
        try:
            yield
        finally:
            sys.stdout.flush()
    except OutputLost as lost:
        # What is still buffered is discarded, so that the interpreter reports no error at exit.
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
