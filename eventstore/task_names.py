"""What a task is at work on, for the watchdog: it looks from another thread at the task that blocks the event loop."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

_names: WeakKeyDictionary[asyncio.Task[Any], dict[str, Any]] = WeakKeyDictionary()


def name_task(task: asyncio.Task[Any] | None, **names: Any) -> None:
    """Say what `task` is at work on: `run_id`, `node_id`, `capability_id`, `kind`, `ref`, `attempt`."""
    if task is not None:
        _names[task] = names


def names_of(task: asyncio.Task[Any] | None) -> dict[str, Any]:
    """What was said of `task`, or nothing."""
    return dict(_names.get(task, {})) if task is not None else {}
