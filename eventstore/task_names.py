"""The work of each asyncio task, for the watchdog, whose thread looks up the task that blocks the event loop."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

_names: WeakKeyDictionary[asyncio.Task[Any], dict[str, Any]] = WeakKeyDictionary()


def name_task(task: asyncio.Task[Any] | None, **names: Any) -> None:
    """Set the work of `task`: `run_id`, `node_id`, `capability_id`, `kind`, `ref`, `attempt`."""
    if task is not None:
        _names[task] = names


def names_of(task: asyncio.Task[Any] | None) -> dict[str, Any]:
    """The work of `task`; {} where none was set."""
    return dict(_names.get(task, {})) if task is not None else {}
