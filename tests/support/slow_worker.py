"""A process of flexrun whose planner and capability take a minute, and print when they start and are cancelled.

`python -m tests.support.slow_worker`, with the settings of the site in the environment. An envelope with
`inputs.slow: "plan"` is never planned; any other gets a plan of one node that works for a minute.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import Any

import uvloop

from executor.capability import CapabilityContext
from flexrun.engine import Engine
from flexrun.logs import configure_logs
from flexrun.settings import Settings
from planner.planner import PlanContext
from planner.worker import PlannerConfig, PlannerWorker
from tests.support.capabilities import FunctionCapability

MINUTE = 60.0


def say(what: str, run_id: str) -> None:
    """One line for the test: what, which run, when."""
    print(f"{what} {run_id} {time.time():.3f}", file=sys.stderr, flush=True)  # noqa: T201 - the test reads this line


async def take_a_minute(what: str, run_id: str) -> None:
    say(f"begun-{what}", run_id)
    try:
        await asyncio.sleep(MINUTE)
    except asyncio.CancelledError:
        say(f"cancelled-{what}", run_id)
        raise


class SlowPlanner:
    """Plans one slow node, or takes a minute over it."""

    name = "slow"
    instant = False

    async def plan(
        self, envelope: dict[str, Any], capabilities: object, context: PlanContext
    ) -> dict[str, Any]:
        if envelope["inputs"].get("slow") == "plan":
            await take_a_minute("plan", context.run_id)
        node = {
            "id": "a",
            "capabilityId": "test.slow",
            "kind": "execution",
            "label": "A",
            "dependsOn": [],
            "contract": {},
            "bundle": {},
        }
        return {"version": 1, "nodes": [node], "edges": [], "metadata": {}}


async def work(context: CapabilityContext) -> str:
    await take_a_minute("node", context.bundle["runId"])
    return "done"


async def main() -> None:
    """Work until SIGTERM."""
    configure_logs("warning")
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    capability = FunctionCapability("test.slow", work)
    async with Engine(Settings(), frozenset({"executor"}), capabilities=[capability]) as engine:
        config = PlannerConfig(drain_seconds=0)
        planner = PlannerWorker(
            engine.store, engine.handler, engine.broker, SlowPlanner(), engine.worker, config
        )
        await planner.start()
        say("flexrun slow worker is ready", "-")
        await stopped.wait()
        await planner.close()


if __name__ == "__main__":
    uvloop.run(main())
