"""Capabilities for measures of scaling and of dispatch: `--load bench.second`, `python -m flexrun_sdk bench.second`.

Each output has the times (seconds since 1970) at which the function began and ended, and the process that it ran in.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from pydantic import BaseModel

from flexrun_sdk import capability

PYTHON = "bench.python"
WORKER = "bench.worker"


class Pace(BaseModel):
    """How long to take."""

    seconds: float = 1.0


@capability(id=WORKER if os.environ.get("BENCH_WORKER") else PYTHON)
async def second(pace: Pace) -> dict[str, Any]:
    """Wait for a while."""
    began = time.time()
    if pace.seconds:
        await asyncio.sleep(pace.seconds)
    return {"process": os.getpid(), "began": began, "ended": time.time()}
