"""`flexrun executor` with capabilities that end their process where an envelope says so; all else is the real one.

With the argument `planner` it is `flexrun planner`, with a planner that does: `kill` and `hang`, under other labels.
With `up` and its options it is `flexrun up` with these capabilities and this planner.

`metadata.runLabel: "poison: kill"`: the first node kills its process. `"poison: hang"`: it blocks the event loop.
`"poison: kill planner"`, `"poison: hang planner"`: the same while the run is planned.
`"poison: thread"`: it prints `inside a thread` and stays in one for an hour.
`"poison: task"`: a task that is meant to run until the process stops ends. `"poison: wait"`: it waits.
`"poison: once"`: the first attempt of each node fails.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine, Sequence

import typer
import uvloop

import flexrun.roles.executor
import flexrun.roles.planner
from eventstore.background import start_background
from executor.capability import Capability, CapabilityContext, CapabilityError
from executor.stubs.shipped import stub_capabilities
from flexrun.cli import app
from flexrun.cli.running import serve_roles
from flexrun.settings import Settings
from planner.planner import CheckedPlan, JsonObject, PlanContext
from planner.sandboxed import SandboxedPlanner
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
        _kill_or_hang(label, "poison: kill", "poison: hang")
        if label == "poison: task":
            start_background("a-lasting-task", asyncio.sleep(0))
        if label in ("poison: task", "poison: wait"):
            await asyncio.Event().wait()
        if label == "poison: once" and context.attempt == 1:
            raise CapabilityError("busy", "not at the first attempt")
        if label == "poison: thread":
            print("inside a thread", file=sys.stderr, flush=True)  # noqa: T201 - the test looks for this
            await asyncio.to_thread(time.sleep, 3600)
        return await self._behind.run(context)


class PoisonousPlanner(SandboxedPlanner):
    """A planner that can be told to end its process."""

    async def plan(
        self, envelope: JsonObject, capabilities: Sequence[JsonObject], context: PlanContext
    ) -> CheckedPlan:
        """The plan of the other one, unless the envelope asks for the end."""
        label = envelope.get("metadata", {}).get("runLabel")
        _kill_or_hang(label, "poison: kill planner", "poison: hang planner")
        return await super().plan(envelope, capabilities, context)


def _kill_or_hang(label: str | None, kill: str, hang: str) -> None:
    if label == kill:
        os.kill(os.getpid(), signal.SIGKILL)
    while label == hang:
        time.sleep(1)


def _serving() -> Coroutine[None, None, None]:
    if sys.argv[1:] == ["planner"]:
        # The role makes its planner itself; this process replaces it.
        flexrun.roles.planner.SandboxedPlanner = PoisonousPlanner
        return serve_roles(Settings(), frozenset({"planner"}))
    capabilities = [Poisonous(capability) for capability in stub_capabilities()]
    return serve_roles(Settings(), frozenset({"executor"}), capabilities=capabilities)


def _run_up() -> None:
    flexrun.roles.executor.stub_capabilities = lambda: [Poisonous(each) for each in stub_capabilities()]
    flexrun.roles.planner.SandboxedPlanner = PoisonousPlanner
    app()


if __name__ == "__main__":
    if sys.argv[1:2] == ["up"]:
        _run_up()
    serving = _serving()
    try:
        uvloop.run(serving)
    except typer.Exit as left:
        sys.exit(left.exit_code)
