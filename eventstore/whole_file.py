"""A file that is whole and on the disk, or not there."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".part"
"""What the name of a file ends with while it is written."""


@contextmanager
def whole_file(target: Path) -> Generator[BinaryIO]:
    """A file to write to, which has the name `target` once the block has ended. Raises OSError; it is gone then."""
    unfinished = target.with_name(target.name + UNFINISHED)
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        put_in_place(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def put_in_place(unfinished: Path, target: Path) -> None:
    """Give a file that is on the disk its name, and have that on the disk too. Raises OSError."""
    unfinished.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
