"""The client process's reports to the measuring process: a line of JSON for each event."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from typing import Any

import orjson


def say(event: str, **more: Any) -> None:
    """Report to the measuring process."""
    sys.stdout.buffer.write(orjson.dumps({"event": event, **more}) + b"\n")
    sys.stdout.buffer.flush()


def cpu_seconds() -> float:
    """CPU seconds that this process has used so far, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and the largest, in milliseconds (nearest rank); empty for no values."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {
        name: round(ordered[min(last, int(share * len(ordered)))] * 1000, 3)
        for name, share in (("p50", 0.50), ("p95", 0.95), ("max", 1.0))
    }
