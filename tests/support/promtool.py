"""Prometheus' own checker of rules, from PATH or unpacked from Debian's package without installing it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

_FOLDER = Path(tempfile.gettempdir()) / "flexrun-tests-promtool"
_SECONDS = 90


def promtool() -> str | None:
    """Its path; None where it cannot be had."""
    found = shutil.which("promtool")
    unpacked = _FOLDER / "usr" / "bin" / "promtool"
    if found is not None or unpacked.exists():
        return found or str(unpacked)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not _ran(["apt-get", "-qq", "download", "prometheus"], folder):
            return None
        packages = [str(each) for each in folder.glob("prometheus_*.deb")]
        if not packages or not _ran(["dpkg-deb", "-x", packages[0], "unpacked"], folder):
            return None
        with tempfile.TemporaryDirectory(dir=tempfile.gettempdir()) as beside:
            whole = shutil.move(folder / "unpacked", Path(beside) / "whole")
            try:
                Path(whole).rename(_FOLDER)
            except OSError:  # another worker of the tests was first
                return str(unpacked) if unpacked.exists() else None
    return str(unpacked)


def _ran(command: list[str], folder: Path) -> bool:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
