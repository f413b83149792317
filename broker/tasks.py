"""Ending tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from eventstore.background import end_background


async def finish(tasks: Collection[asyncio.Task[Any]], seconds: float) -> None:
    """Wait for tasks for so long, then cancel those that are left, and those that were added meanwhile.

    Their exceptions are not raised here; none of them runs when this returns.
    """
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
    await end_background(*tasks)
