"""Tasks that run until they are closed: links, subscriptions, writers, the keeper, heartbeats.

Such a task has no caller that waits for its result, so its end would go unnoticed. Each is created here. One that
ends without being closed is logged with its name and reported to the event loop's exception handler, under
`BACKGROUND_TASK`; a serving process sets a handler that ends it (`flexrun.faults`), so that its supervisor starts it
again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from eventstore.tenancy import for_every_tenant

BACKGROUND_TASK = "flexrun_lasting_task"
"""The key of the exception handler's context that holds the name of the task."""

_CANCEL_AGAIN_SECONDS = 2.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def _never() -> bool:
    return False


def start_background(
    name: str, work: Coroutine[Any, Any, None], *, closing: Callable[[], bool] = _never
) -> asyncio.Task[None]:
    """Run `work` in a task that is meant to run until it is cancelled, or until `closing()` is true.

    It works for every tenant.

    Any other end is a fault: returning, raising, and a CancelledError that a library raises though the task was not
    cancelled.
    """
    task = asyncio.create_task(work, name=name, context=for_every_tenant())

    def ended(task: asyncio.Task[None]) -> None:
        if task.cancelling() or closing():
            return
        error = None if task.cancelled() else task.exception()
        _log.critical("task_ended", task=name, cancelled=task.cancelled(), exc_info=error)
        context: dict[str, Any] = {"message": f"the task {name} ended", "task": task, BACKGROUND_TASK: name}
        if error is not None:
            context["exception"] = error
        task.get_loop().call_exception_handler(context)

    task.add_done_callback(ended)
    return task


def cancellations() -> int:
    """How often the current task was asked to end."""
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


def refuse_lost_cancellation(before: int) -> None:
    """Raise CancelledError where the task was asked to end since it was asked `before` times.

    For calls that may drop it: psycopg does so where the result, or an error of the connection, comes together with it.
    """
    if cancellations() > before:
        raise asyncio.CancelledError


async def end_background(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks, and wait until each has ended. Raises none of their errors.

    They are cancelled again every two seconds: on Python 3.11 `asyncio.wait_for`, with which psycopg waits for its
    socket, drops a cancellation that comes together with its result, and the task would continue.
    """
    left = {task for task in tasks if task is not None}
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=_CANCEL_AGAIN_SECONDS)
        await asyncio.gather(*done, return_exceptions=True)
