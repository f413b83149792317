"""A deliverer in a process of its own, for tests that kill it.

`python -m tests.support.webhook_process DATABASE_URL WORKER LEASE_SECONDS` prints `ready` and delivers until killed.
"""

import asyncio
import sys

from eventstore.listener import LogListener
from eventstore.store import EventStore
from webhooks.config import WebhooksConfig
from webhooks.service import Webhooks


async def main(database_url: str, worker: str, lease_seconds: str) -> None:
    """Deliver until killed."""
    store = await EventStore.open(database_url)
    listener = LogListener(database_url)
    await listener.start()
    lease = float(lease_seconds)
    config = WebhooksConfig(
        allow_private=True, poll_seconds=0.05, request_seconds=lease / 3, lease_seconds=lease
    )
    await Webhooks(store, listener, worker, config).start()
    print("ready", flush=True)  # noqa: T201 - the test waits for this line
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
