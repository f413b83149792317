"""A file system of its own that is too small, for which the tests must be root."""

from __future__ import annotations

import errno
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHUNK_BYTES = 65_536


@contextmanager
def small_disk(megabytes: int = 100) -> Iterator[Path]:
    """A folder on it, gone at the end with all that is in it."""
    with tempfile.TemporaryDirectory(prefix="flexrun-disk-", dir="/tmp") as folder:
        options = ["-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs"]
        Path(folder).chmod(0o755)
        subprocess.run(["mount", *options, folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    """Write into this file until nothing more fits."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(_CHUNK_BYTES))
        except OSError as full:
            if full.errno != errno.ENOSPC:
                raise
