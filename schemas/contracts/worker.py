"""The checker process: reads requests from stdin, answers on stdout, one after the other, and trusts nobody.

It may be ended at any moment without loss. The kernel ends it by SIGPROF when one request has used more CPU time
than allowed (no Python runs while the library works, so nothing of ours could), and a failed allocation ends it
when a schema grows too far. It ends itself when its parent is gone.
"""

import dataclasses
import os
import resource
import signal
import sys
from typing import BinaryIO

import orjson

from schemas.contracts import frames
from schemas.contracts.compiler import CompiledSchema, compile_schema
from schemas.contracts.frames import Reply, Request
from schemas.contracts.problems import SchemaRefused
from schemas.contracts.recent import Recent
from schemas.contracts.settings import CheckerSettings


class Checker:
    """Answers one request at a time; remembers the schemas it used last."""

    def __init__(self, settings: CheckerSettings) -> None:
        self._max_errors = settings.max_errors
        self._compiled: Recent[str, CompiledSchema] = Recent(settings.remembered_schemas)

    def answer(self, request: Request) -> Reply:
        """The reply to `request`; anything that goes wrong otherwise ends the process, which is an answer too."""
        number, schema_hash = request["id"], request["hash"]
        compiled = self._compiled.get(schema_hash)
        if compiled is None:
            if "schema" not in request:
                return {"id": number, "unknown": True}
            try:
                compiled = compile_schema(request["schema"])
            except SchemaRefused as refusal:
                return {
                    "id": number,
                    "refused": [dataclasses.asdict(problem) for problem in refusal.problems],
                }
            self._compiled.put(schema_hash, compiled)
        if "document" not in request:
            return {"id": number, "compiled": True}
        return {"id": number, "errors": compiled.errors(request["document"], self._max_errors)}


def serve(requests: BinaryIO, replies: int, settings: CheckerSettings) -> None:
    """Answer until `requests` ends; `replies` is a file descriptor."""
    checker = Checker(settings)
    _write_all(replies, frames.encode({"ready": True}))
    while (body := frames.read_one(requests)) is not None:
        signal.setitimer(signal.ITIMER_PROF, settings.deadline_seconds)
        reply = frames.encode(checker.answer(orjson.loads(body)))
        signal.setitimer(signal.ITIMER_PROF, 0)
        _write_all(replies, reply)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def main() -> None:
    """Entry point; the one argument is the settings as JSON."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the parent, which ends us by closing our stdin
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    settings = CheckerSettings(**orjson.loads(sys.argv[1]))
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, settings.memory_bytes)
    replies = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever else writes to stdout cannot spoil a frame
    try:
        serve(sys.stdin.buffer, replies, settings)
    except BrokenPipeError:
        return  # the parent went away while we were answering


def _limit(what: int, amount: int) -> None:
    try:
        resource.setrlimit(what, (amount, amount))
    except (OSError, ValueError):
        return  # macOS does not know every limit; the deadline still holds


if __name__ == "__main__":
    main()
