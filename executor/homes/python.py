"""The home `python`: functions of authors, called in this process."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

import flexrun_sdk
from executor.capability import CapabilityContext, CapabilityError
from executor.safe_text import TRACEBACK_CHARACTERS, describe_error
from executor.threads import run_in_thread
from flexrun_sdk import CapabilityFunction, Context, PersonAsked, prepare_call, result_to_json
from runs.event import Json, JsonObject
from schemas.capability import CapabilityDescriptor
from schemas.clean_text import clean_text
from schemas.parsing import validate_document

BLOCKING_SECONDS = 0.1
"""An async function that keeps the event loop for so long is named in the log: everything else waits meanwhile."""

MAX_WAITING_LINES = 1_000
"""Lines for the run's log that a function may be ahead of the log; more are left out."""

_FRAMES = 10
_OURS = tuple(
    str(Path(each).parent) + "/" for each in (__file__, str(Path(__file__).parent), flexrun_sdk.__file__)
)

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class PythonCapability:
    """One decorated function. A sync one runs in a thread, an async one on the event loop."""

    def __init__(self, function: CapabilityFunction) -> None:
        self._function = function
        self._descriptor = validate_document(CapabilityDescriptor, function.described({"type": "python"}))

    @property
    def descriptor(self) -> CapabilityDescriptor:
        """What the function's types and its decorator say."""
        return self._descriptor

    async def run(self, context: CapabilityContext) -> Json:
        """What the function returns. Raises CapabilityError for whatever it raises, ClarificationNeeded if it asks."""
        lines, over = _Lines(context), threading.Event()
        own = Context(
            context.bundle,
            _moment(context.remaining_seconds()),
            lines.write,
            context.usage,
            _show(context),
            over.is_set,
        )
        try:
            return await self._call(own)
        except flexrun_sdk.CapabilityError as error:
            raise CapabilityError(error.code, error.message, error.retryable) from None
        except PersonAsked as asked:
            context.clarify(
                asked.question,
                asked.options,
                allow_free_form=asked.allow_free_form,
                additional_context=asked.additional_context,
            )
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - an author's code raises anything
            lines.write(self._tell(error, context), "error")
            raise CapabilityError("capability_error", _described(error)) from None
        finally:
            over.set()  # a thread cannot be stopped, and may ask
            await lines.written()

    async def _call(self, context: Context) -> Json:
        function = self._function
        if not function.is_async:
            return await run_in_thread(_call_sync, function, context)
        arguments = await run_in_thread(prepare_call, function, context.bundle, context)
        returned = await _Watched(function.function(**arguments), self._blocks)
        return await run_in_thread(result_to_json, function, returned)

    def _blocks(self, seconds: float) -> None:
        _log.warning(
            "capability_blocks_loop",
            capability_id=self._descriptor.id,
            seconds=round(seconds, 3),
            advice="await what waits, or write it as a function without async: that one runs in a thread",
        )

    def _tell(self, error: BaseException, context: CapabilityContext) -> str:
        """The traceback, with the author's frames alone, for the process's log and the run's."""
        text = clean_text(author_traceback(error), TRACEBACK_CHARACTERS)
        bundle = context.bundle
        _log.error(
            "capability_raised",
            capability_id=self._descriptor.id,
            run_id=bundle.get("runId"),
            node_id=bundle.get("nodeId"),
            traceback=text,
        )
        return text


def _show(context: CapabilityContext) -> Callable[[str, Sequence[JsonObject]], None]:
    """The attempt's `delta`, for any thread."""
    loop = asyncio.get_running_loop()

    def show(text: str, patch: Sequence[JsonObject]) -> None:
        with suppress(RuntimeError):  # the thread of an abandoned attempt has outlived the loop
            loop.call_soon_threadsafe(context.delta, text, patch)

    return show


def _call_sync(function: CapabilityFunction, context: Context) -> Json:
    return result_to_json(function, function.function(**prepare_call(function, context.bundle, context)))


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)


def _described(error: BaseException) -> str:
    """`ValueError: its message (my_module.py:12, in summarise)`."""
    frames = _author_frames(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    return f"{describe_error(error)}{place}"


def author_traceback(error: BaseException) -> str:
    """The last frames of an exception and its causes as Python prints them, without those of executor and SDK."""
    parts: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(parts) < 3:
        frames = "".join(traceback.format_list(_author_frames(cause.__traceback__)))
        parts.append(f"Traceback (most recent call last):\n{frames}{describe_error(cause)}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n\nThe above exception was the direct cause of the following exception:\n\n".join(
        reversed(parts)
    )


def _author_frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    found = traceback.extract_tb(trace, limit=-100)
    return [each for each in found if not each.filename.startswith(_OURS)][-_FRAMES:]


class _Watched:
    """Awaits a coroutine, and tells for how long one of its steps has kept the event loop."""

    def __init__(self, coroutine: Any, tell: Callable[[float], None]) -> None:
        self._coroutine = coroutine
        self._tell = tell

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._coroutine.__await__()
        send: Callable[[Any], Any] = steps.send
        given: Any = None
        while True:
            began = time.perf_counter()
            try:
                waits_for = send(given)
            except StopIteration as end:
                return end.value
            finally:
                seconds = time.perf_counter() - began
                if seconds >= BLOCKING_SECONDS:
                    self._tell(seconds)
            try:
                given, send = (yield waits_for), steps.send
            except BaseException as error:  # noqa: BLE001 - it is the coroutine's to handle
                given, send = error, steps.throw


class _Lines:
    """The lines that a function writes, from any thread, on their way into the run's log, in their order."""

    def __init__(self, context: CapabilityContext) -> None:
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[str, str]] = deque(maxlen=MAX_WAITING_LINES)
        self._writing: asyncio.Task[None] | None = None

    def write(self, message: str, level: str) -> None:
        """Take a line; it is written as soon as the loop turns."""
        self._waiting.append((str(message), level))
        with suppress(RuntimeError):  # the thread of an abandoned attempt has outlived the loop
            self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        while self._waiting:
            message, level = self._waiting.popleft()
            await self._context.log(message, level)

    async def written(self) -> None:
        """Wait until what was taken is in the log."""
        if self._waiting or self._writing is not None:
            self._begin()
            writing: Awaitable[None] | None = self._writing
            if writing is not None:
                await writing
