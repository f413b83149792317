"""Ending tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any


async def finish(tasks: Collection[asyncio.Task[Any]], seconds: float) -> None:
    """Let tasks come to their end for so long, then cancel those that are left, and those that came meanwhile.

    What they raise is theirs to tell; none of them runs when this returns.
    """
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
    left = list(tasks)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
