"""Replaces what makes a process unpredictable: its clocks, and the randomness of the operating system.

`install` must run before anything of the engine is imported, since defaults such as `monotonic=time.monotonic` are
bound then. Without a world at work the real ones answer. String hashes are to be fixed from outside: PYTHONHASHSEED=0.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
import time
from collections.abc import Callable
from typing import Protocol

EPOCH_SECONDS = 1_795_000_000.0
"""What wall clocks show when a simulation begins, but for what they are wrong by."""


class Clocks(Protocol):
    """The clocks of the process that runs now."""

    def monotonic(self) -> float: ...
    def system(self) -> float: ...


class _Now:
    """The world at work, if there is one."""

    clocks: Clocks | None = None
    random: random.Random | None = None


def install() -> None:
    """Replace the clocks and `secrets` of this process. May be called twice."""
    if getattr(time.monotonic, "simulated", False):
        return
    time.monotonic = _either(time.monotonic, _monotonic)
    time.perf_counter = _either(time.perf_counter, _monotonic)
    time.time = _either(time.time, _system)
    time.thread_time = _either(time.thread_time, _none_used)
    real_bytes = secrets.token_bytes

    def token_bytes(nbytes: int | None = None) -> bytes:
        return real_bytes(nbytes) if _Now.random is None else _Now.random.randbytes(nbytes or 32)

    secrets.token_bytes = token_bytes
    secrets.token_hex = lambda nbytes=None: token_bytes(nbytes).hex()


def _monotonic(clocks: Clocks) -> float:
    return clocks.monotonic()


def _system(clocks: Clocks) -> float:
    return clocks.system()


def _none_used(_: Clocks) -> float:
    return 0.0


def _either(real: Callable[[], float], simulated: Callable[[Clocks], float]) -> Callable[[], float]:
    def read() -> float:
        clocks = _Now.clocks
        return real() if clocks is None else simulated(clocks)

    read.simulated = True  # type: ignore[attr-defined]
    return read


def begin(clocks: Clocks, seed: int) -> None:
    """Have the clocks and all randomness of this process follow a world from now on."""
    _Now.clocks, _Now.random = clocks, random.Random(seed)
    random.seed(seed)


def end() -> None:
    """Back to the real ones."""
    _Now.clocks = _Now.random = None


def require_fixed_hashes() -> None:
    """Start this program anew with fixed hashes of strings, where they are not: the order of sets depends on them."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(  # noqa: S606 - this very program
            sys.executable, sys.orig_argv, {**os.environ, "PYTHONHASHSEED": "0"}
        )
