"""One attempt that a worker was given: its function, its heartbeats, its lines, and the report at its end."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from datetime import datetime
from typing import Any

from flexrun_sdk.calling import prepare_call, result_to_json
from flexrun_sdk.capability import CapabilityFunction
from flexrun_sdk.context import Context
from flexrun_sdk.errors import CapabilityError, PersonAsked
from flexrun_sdk.gateways import API, GatewayError, Gateways, GatewayUnreachable

STOPPED = "worker_stopped"
"""The code of an attempt that a worker gives back because it stops: another one takes over at once."""

_LONGEST_BEAT_SECONDS = 0.8
_BEATS_PER_LEASE = 4
_REPORT_SECONDS = 120.0
_MAX_MESSAGE_CHARS = 2_000
_MAX_LINES_WAITING = 200
_MAX_PIECE_CHARS = 60_000
_PIECE_SECONDS = 0.1
"""The pause after a piece of partial output: a gateway shows ten in a second."""

_log = logging.getLogger("flexrun.worker")


class Attempt:
    """Runs one task of a claim, and reports what it ends with."""

    def __init__(
        self, task: dict[str, Any], function: CapabilityFunction, gateways: Gateways, threads: Executor
    ) -> None:
        self._task = task
        self._function = function
        self._gateways = gateways
        self._threads = threads
        self._path = f"{API}/work/{task['token']}/"
        self._said: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(_MAX_LINES_WAITING)
        self._shown = ""
        self._loop = asyncio.get_running_loop()
        self._call: asyncio.Future[Any] | None = None
        self._thread: Future[Any] | None = None
        self._used: dict[str, Any] = {}
        self._over = False
        self._stopping = False
        self.name = f"{task['capabilityId']} for node {task['nodeId']} of run {task['runId']}"

    async def run(self) -> None:
        """Run the function to its end. Nothing that it raises comes out of here."""
        beating = asyncio.create_task(self._beat())
        writing = asyncio.create_task(self._write_lines())
        try:
            report = await self._result()
            await self._flush(writing)
            if report is not None and not self._over:
                what, body = report
                await self._report(what, {**body, "usage": self._used} if self._used else body)
        # One attempt that goes wrong must not end the worker.
        except Exception:  # noqa: BLE001 - see above
            _log.exception("the attempt of %s could not be reported", self.name)
        finally:
            beating.cancel()
            writing.cancel()
            await asyncio.gather(beating, writing, return_exceptions=True)

    def stop(self) -> None:
        """Give the attempt back: the worker stops. A function in a thread cannot be ended, and runs on unheard."""
        self._stopping = True
        self._cancel()

    def _cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()

    async def _result(self) -> tuple[str, dict[str, Any]] | None:
        context = Context(
            self._task["bundle"],
            _moment(self._task.get("deadline")),
            write_line=self._take_line,
            show=self._take_piece,
            is_over=lambda: self._over or self._stopping,
        )
        self._used = context.used
        try:
            arguments = prepare_call(self._function, self._task["bundle"], context)
            output = result_to_json(self._function, await self._called(arguments))
        except asyncio.CancelledError:
            if self._stopping:
                message = "the worker was stopped; another one takes over"
                return "fail", {"error": {"code": STOPPED, "message": message}}
            if self._over:
                await self._thread_ends()
                return None
            raise
        except PersonAsked as asked:
            return "ask", _question(asked)
        except CapabilityError as error:
            return "fail", _error(error.code, error.message, error.retryable)
        # Whatever the function raises is the attempt's failure.
        except Exception as error:  # noqa: BLE001 - see above
            _log.exception("%s has failed", self.name)
            return "fail", _error("capability_error", f"{type(error).__name__}: {error}")
        return "complete", {"output": output}

    async def _called(self, arguments: dict[str, Any]) -> Any:
        function = self._function.function
        if self._function.is_async:
            call: asyncio.Future[Any] = asyncio.ensure_future(function(**arguments))
        else:
            context = contextvars.copy_context()
            self._thread = self._threads.submit(lambda: context.run(function, **arguments))
            call = asyncio.wrap_future(self._thread)
        self._call = call
        return await call

    async def _thread_ends(self) -> None:
        """A thread cannot be ended from outside: its slot is free when the function returns."""
        if self._thread is not None and not self._thread.cancelled():
            await asyncio.wait({asyncio.wrap_future(self._thread)})

    async def _beat(self) -> None:
        """Say each second that the worker lives; end the attempt where it is over."""
        seconds = min(_LONGEST_BEAT_SECONDS, self._task["leaseSeconds"] / _BEATS_PER_LEASE)
        while True:
            await asyncio.sleep(seconds)
            try:
                answer = await self._gateways.post(
                    self._path + "heartbeat", {}, seconds=max(seconds * 2, 1.0)
                )
            except (GatewayError, GatewayUnreachable) as error:
                _log.warning("no heartbeat for %s: %s", self.name, error)
                continue
            if answer.get("cancelled"):
                _log.info("%s is cancelled", self.name)
                self._over = True
                self._cancel()
                return

    async def _report(self, what: str, body: dict[str, Any]) -> None:
        try:
            await self._send(what, body)
        except (ValueError, GatewayError) as refused:
            if isinstance(refused, GatewayError) and refused.status in (401, 403, 404, 409):
                _log.info("the report of %s came too late: %s", self.name, refused)
                return
            _log.error("the report of %s was refused: %s", self.name, refused)
            too_large = isinstance(refused, GatewayError) and refused.status == 413
            code = "output_too_large" if too_large else "output_refused"
            with suppress(GatewayError):
                await self._send("fail", _error(code, str(refused), retryable=False))

    async def _send(self, what: str, body: dict[str, Any]) -> None:
        # The span of the attempt, below which the gateway's of this request is.
        traceparent = self._task.get("traceparent")
        headers = {"traceparent": traceparent} if isinstance(traceparent, str) else None
        await self._gateways.post_patiently(
            self._path + what, body, headers=headers, give_up_seconds=_REPORT_SECONDS
        )

    def _take_line(self, message: str, level: str) -> None:
        """May be called from any thread."""
        line = {"message": message[:_MAX_MESSAGE_CHARS] or " ", "level": level}
        self._from_any_thread(lambda: self._put("log", line))

    def _take_piece(self, text: str, patch: Sequence[dict[str, Any]]) -> None:
        """May be called from any thread. Pieces of text that come while one is sent go together."""

        def put() -> None:
            if patch:
                self._put("delta", {"patch": list(patch)})
            if text and not self._shown:
                self._put("delta", {})
            self._shown += text

        self._from_any_thread(put)

    def _from_any_thread(self, put: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(put)

    def _put(self, what: str, body: dict[str, Any]) -> None:
        with suppress(asyncio.QueueFull):  # what finds no place is left out
            self._said.put_nowait((what, body))

    async def _write_lines(self) -> None:
        while True:
            what, body = await self._said.get()
            if what == "delta" and not body:
                body, self._shown = {"text": self._shown[:_MAX_PIECE_CHARS]}, self._shown[_MAX_PIECE_CHARS:]
                if self._shown:
                    self._put("delta", {})
            try:
                await self._gateways.post(self._path + what, body)
            except (ValueError, GatewayError, GatewayUnreachable) as error:
                _log.info("a %s of %s is lost: %s", what, self.name, error)
            finally:
                self._said.task_done()
            if what == "delta":
                await asyncio.sleep(_PIECE_SECONDS)

    async def _flush(self, writing: asyncio.Task[None]) -> None:
        await asyncio.sleep(0)  # lines of a thread are put by the loop
        if not self._over and not writing.done():
            await self._said.join()


def _error(code: str, message: str, retryable: bool = True) -> dict[str, Any]:
    return {
        "error": {
            "code": code[:100] or "capability_error",
            "message": message[:_MAX_MESSAGE_CHARS],
            "retryable": retryable,
        }
    }


def _question(asked: PersonAsked) -> dict[str, Any]:
    return {
        "question": asked.question,
        "options": list(asked.options),
        "allowFreeForm": asked.allow_free_form,
        "additionalContext": asked.additional_context,
    }


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
