"""`flexrun executor` with slow capabilities; everything else about the process is real.

`python -m tests.support.slow_flexrun --seconds S`: each node takes up to S seconds.
`python -m tests.support.slow_flexrun --gate FILE`: each prints `inside NODE ATTEMPT` and waits until FILE exists.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
from pathlib import Path

import uvloop

from executor.capability import Capability, CapabilityContext
from executor.stubs.shipped import stub_capabilities
from flexrun.engine import Engine
from flexrun.logs import configure_logs
from flexrun.settings import Settings
from runs.event import Json
from schemas.capability import CapabilityDescriptor

_LOOK_SECONDS = 0.02


class Slow:
    """A capability that waits before it calls another one."""

    def __init__(self, behind: Capability, seconds: float, gate: Path | None) -> None:
        self._behind = behind
        self._seconds = seconds
        self._gate = gate

    @property
    def descriptor(self) -> CapabilityDescriptor:
        return self._behind.descriptor

    async def run(self, context: CapabilityContext) -> Json:
        """The output of the other one, after the wait."""
        say(f"inside {context.bundle['nodeId']} {context.attempt}")
        await asyncio.sleep(random.uniform(0, self._seconds))
        while self._gate is not None and not self._gate.exists():  # noqa: ASYNC110 - a file has no events to wait for
            await asyncio.sleep(_LOOK_SECONDS)
        return await self._behind.run(context)


def say(line: str) -> None:
    """Write a line to the log of this process."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the tests look for this


async def main(seconds: float, gate: Path | None) -> None:
    """Work until stopped."""
    settings = Settings()
    configure_logs(settings.log_level, settings.log_format)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    capabilities = [Slow(capability, seconds, gate) for capability in stub_capabilities()]
    async with Engine(settings, frozenset({"executor"}), capabilities):
        say("slow flexrun executor is ready.")
        await stopped.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--gate", type=Path)
    given = parser.parse_args()
    uvloop.run(main(given.seconds, given.gate))
