"""How long one callback blocks the event loop of this process, in CPU time: promise 8 says at most 50 ms.

with loop_time() as blocked:
    ...
assert blocked.longest_seconds < MOST_SECONDS, blocked.longest
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MOST_SECONDS = 0.05

_SUSPECT_SECONDS = MOST_SECONDS / 2
"""A callback of at least this long is measured against what the machine can do at that moment."""

_run_as_ever = asyncio.Handle._run  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]


@dataclass(slots=True)
class LoopTime:
    """`longest` describes the callback (of any loop of asyncio's own in this process) that used most CPU time."""

    longest_seconds: float = 0.0
    longest: str = ""

    def note(self, handle: asyncio.Handle, seconds: float) -> None:
        if seconds > max(self.longest_seconds, _SUSPECT_SECONDS):
            seconds /= max(1.0, _reference_seconds() / _BEST_SECONDS)
        if seconds > self.longest_seconds:
            self.longest_seconds = seconds
            self.longest = f"{seconds * 1_000:.0f} ms in {handle!r}"


def _reference_seconds() -> float:
    """CPU time of a fixed piece of work, about a millisecond: longer while neighbours use the core's other half."""
    began = time.thread_time()
    total = 0
    for number in range(20_000):
        total += number
    return time.thread_time() - began


_BEST_SECONDS = min(_reference_seconds() for _ in range(20))


@contextmanager
def loop_time() -> Iterator[LoopTime]:
    """Measure until the block ends, in seconds of this machine at its best.

    Not for uvloop, whose handles cannot be reached.
    Objects older than the block are frozen for the collector, so that the tests' own are not measured. asyncio
    does not name the task of a first step (`TaskStepMethWrapper`).
    """
    held = LoopTime()

    def run(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        try:
            _run_as_ever(handle)
        finally:
            held.note(handle, time.thread_time() - began)

    gc.collect()
    gc.freeze()
    asyncio.Handle._run = run  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield held
    finally:
        asyncio.Handle._run = _run_as_ever  # pyright: ignore[reportAttributeAccessIssue]
        gc.unfreeze()
