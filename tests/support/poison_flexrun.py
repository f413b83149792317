"""`flexrun executor` with capabilities that end their process where an envelope says so; all else is the real one.

`metadata.runLabel: "poison: kill"`: the first node kills its process. `"poison: hang"`: it holds the event loop.
`"poison: thread"`: it says `inside a thread` and stays in one for an hour.
`"poison: task"`: a task that is meant to run until the process stops ends. `"poison: wait"`: it waits.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import typer
import uvloop

from eventstore.lasting import start_lasting
from executor.capability import Capability, CapabilityContext
from executor.stubs import stub_capabilities
from flexrun.cli.running import serve_roles
from flexrun.settings import Settings
from runs.event import Json
from schemas.capability import CapabilityDescriptor


class Poisonous:
    """A capability that can be told to end its process."""

    def __init__(self, behind: Capability) -> None:
        self._behind = behind

    @property
    def descriptor(self) -> CapabilityDescriptor:
        return self._behind.descriptor

    async def run(self, context: CapabilityContext) -> Json:
        """The output of the other one, unless the envelope asks for the end."""
        label = context.bundle["metadata"].get("runLabel")
        if label == "poison: kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if label == "poison: task":
            start_lasting("a-lasting-task", asyncio.sleep(0))
        if label in ("poison: task", "poison: wait"):
            await asyncio.Event().wait()
        while label == "poison: hang":
            time.sleep(1)  # noqa: ASYNC251 - this is the fault
        if label == "poison: thread":
            print("inside a thread", file=sys.stderr, flush=True)  # noqa: T201 - this is what the test looks for
            await asyncio.to_thread(time.sleep, 3600)
        return await self._behind.run(context)


if __name__ == "__main__":
    serving = serve_roles(
        Settings(),
        frozenset({"executor"}),
        capabilities=[Poisonous(capability) for capability in stub_capabilities()],
    )
    try:
        uvloop.run(serving)
    except typer.Exit as left:
        sys.exit(left.exit_code)
