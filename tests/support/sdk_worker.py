"""Capabilities for a worker process of the tests: `python -m flexrun_sdk tests/support/sdk_worker.py`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from flexrun_sdk import Context, capability


class Pace(BaseModel):
    """How long to take, and where to say that the work has begun."""

    seconds: float = 0.0
    begun: str | None = None


@capability(id="test.paced", heartbeat_seconds=2)
def paced(pace: Pace, context: Context) -> Any:
    """Sleep, and give the number of the attempt."""
    if pace.begun is not None:
        with Path(pace.begun).open("a", encoding="utf-8") as file:
            file.write(f"{context.attempt}\n")
    time.sleep(pace.seconds)
    return context.attempt
