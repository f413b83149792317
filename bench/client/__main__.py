"""`python -m bench.client`: one job, as JSON on the first line of stdin; what happens, as lines of JSON on stdout."""

from __future__ import annotations

import sys
import traceback
from importlib import import_module

import orjson
import uvloop

from bench.client.report import say

# Imported by need: a client that only posts must not load the event store.
_JOBS = {
    "load": ("bench.client.load", "run_load"),
    "streams": ("bench.client.streams", "hold_streams"),
    "fan-out": ("bench.client.streams", "fan_out"),
    "appends": ("bench.client.appends", "append_events"),
}


async def _main() -> None:
    job = orjson.loads(sys.stdin.buffer.readline())
    module, function = _JOBS[job["job"]]
    await getattr(import_module(module), function)(job)


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


if __name__ == "__main__":
    try:
        uvloop.run(_main())
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - reported to the measuring process, then the exit status
        say("failed", reason="".join(traceback.format_exception_only(_first(error))).strip())
        sys.exit(1)
