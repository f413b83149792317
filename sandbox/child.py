"""The child process: reads calls from stdin, answers on stdout, one after the other.

It may be ended at any moment without loss. The kernel ends it by SIGPROF when one call has used more CPU time than
allowed (also while a library works and no Python runs), and a failed allocation ends it when a call grows too far. It
ends itself when its parent is gone. The module of a function is imported by the first call, outside of its deadline.
"""

import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from typing import Any, BinaryIO

import orjson

from sandbox.errors import InputRefused
from sandbox.frames import Call, Kind, encode_json, encode_reply, read_call

YOUNG_OBJECTS = 20_000
"""So many new objects more than freed ones begin a collection of garbage: more than most calls make."""

Function = Callable[[Any, bytes], Any]


def serve(calls: BinaryIO, replies: int, preload: Iterable[str] = ()) -> None:
    """Answer until `calls` ends; `replies` is a file descriptor."""
    functions: dict[str, Function] = {}
    _write_all(replies, encode_reply(Kind.READY))
    for module in preload:
        with suppress(ImportError):  # the call that needs it says so
            import_module(module)
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    while (call := read_call(calls)) is not None:
        reply = _answer(functions, call)
        signal.setitimer(signal.ITIMER_PROF, 0)
        _write_all(replies, reply)


def _answer(functions: dict[str, Function], call: Call) -> bytes:
    """The reply to a call. MemoryError is not caught: the process is not reliable after it."""
    try:
        function = functions.get(call.function)
        if function is None:
            function = functions[call.function] = _find(call.function)
        signal.setitimer(signal.ITIMER_PROF, call.deadline_seconds)
        result = function(orjson.loads(call.argument), call.blob)
        if isinstance(result, bytes):
            return encode_reply(Kind.RAW_RESULT, result)
        return encode_reply(Kind.RESULT, encode_json(result))
    except InputRefused as refusal:
        return encode_reply(Kind.REFUSAL, encode_json(refusal.data))
    except RecursionError:
        return encode_reply(Kind.TOO_DEEP)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a mistake in one function must not cost the calls behind it
        described = f"{type(error).__name__}: {error}"
        return encode_reply(Kind.FAILED, encode_json(described[:2_000]))


def _find(name: str) -> Function:
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def main() -> None:
    """Entry point; the one argument is the memory limit in bytes and the modules to preload, as JSON."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the parent, which ends this process by closing its stdin
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    memory_bytes, preload = orjson.loads(sys.argv[1])
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, memory_bytes)
    replies = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # other writes to stdout cannot corrupt a frame
    try:
        serve(sys.stdin.buffer, replies, preload)
    except BrokenPipeError:
        return  # the parent ended during the answer


def _limit(what: int, amount: int) -> None:
    try:
        resource.setrlimit(what, (amount, amount))
    except (OSError, ValueError):
        return  # macOS does not know every limit; the deadline still holds


if __name__ == "__main__":
    main()
