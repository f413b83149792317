"""A consumer in a process of its own, for tests that kill it.

`python -m tests.support.carriage_worker DATABASE_URL BROKER_URL NAMESPACE MODE`. MODE says where it hangs, and
it prints that word there: `claimed` (it has a lease on some work), `holding` (a hint that it has not
claimed), `reading` (a message of the queue `hitl`).
"""

import asyncio
import sys

from broker.interface import WorkHint
from tests.support.carriage import BrokerTimes, House, Planner, Site


async def main(database_url: str, broker_url: str, namespace: str, mode: str) -> None:
    """Consume until killed."""
    tempo = BrokerTimes(claim_seconds=1.0, hidden_seconds=1.0)
    async with House(Site(database_url, broker_url, namespace), tempo, dispatches=False) as house:
        planner = Planner(house, name="doomed", lease_seconds=1.0)

        async def claim(hint: WorkHint) -> asyncio.Task[None] | None:
            task = await planner.handle(hint)
            print("claimed", flush=True)  # noqa: T201 - the test waits for this line
            return task

        async def hold(_hint: WorkHint) -> None:
            print("holding", flush=True)  # noqa: T201 - the test waits for this line
            await asyncio.Event().wait()

        async def read(_body: bytes) -> None:
            print("reading", flush=True)  # noqa: T201 - the test waits for this line
            await asyncio.Event().wait()

        if mode == "reading":
            await house.broker.consume_messages("hitl", read, prefetch=1)
        else:
            await house.broker.consume(["plan"], claim if mode == "claimed" else hold, slots=1)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
