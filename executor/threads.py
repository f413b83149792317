"""Calls that would block the event loop, each on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def run_in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that computes or blocks, while heartbeats and other nodes continue.

    A thread cannot be stopped: after a cancellation it runs to its end and its result is dropped. It is a daemon
    thread, not one of asyncio's pool: abandoned threads would use up the pool, which name look-ups need, and would keep
    the process from exiting. The worker's slots bound how many there are.
    """
    future: Future[T] = Future()
    context = copy_context()

    def work() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(context.run(function, *args, **kwargs))
        except StopIteration as error:
            # asyncio's futures refuse StopIteration, and the caller would wait without end.
            future.set_exception(RuntimeError(f"StopIteration out of {function!r}: {error}"))
        except BaseException as error:  # noqa: BLE001 - it is raised to the caller
            future.set_exception(error)

    threading.Thread(target=work, name="capability", daemon=True).start()
    return await asyncio.wrap_future(future)
