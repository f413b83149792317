"""The machine that the figures were measured on; without it they mean nothing."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.cpu import own_seconds
from bench.engines import ROOT

BUSY_LOAD = 0.7
"""With more runnable processes than this before the start, other programs affect the figures."""


def describe_machine() -> dict[str, Any]:
    """Processors, memory, versions, the commit measured, and how busy the machine was before."""
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "cpus": os.cpu_count(),
        "cpu_model": _cpu_model(),
        "memory_gib": round(psutil.virtual_memory().total / 1024**3, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": _commit(),
        "load_before": round(os.getloadavg()[0], 2),
    }


class Neighbours:
    """How much of the machine was used by processes that are not the benchmark's, since this was made."""

    def __init__(self) -> None:
        self._used, self._whole = _used_by_others(), _whole()

    def percent(self) -> float:
        """Of all processors together. Above a few per cent, times and rates say little; CPU per run says more."""
        whole = _whole() - self._whole
        return round(max(0.0, _used_by_others() - self._used) / whole * 100, 1) if whole else 0.0


def _used_by_others() -> float:
    times = psutil.cpu_times()
    busy = (
        times.user + times.system + times.nice + getattr(times, "softirq", 0.0) + getattr(times, "irq", 0.0)
    )
    return busy - own_seconds()


def _whole() -> float:
    return time.monotonic() * (os.cpu_count() or 1)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    """The short hash, with `+` where files were changed since; empty outside a git checkout."""
    try:
        commit = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit + ("+" if changed else "")


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    ).stdout.strip()
