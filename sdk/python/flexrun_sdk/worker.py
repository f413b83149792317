"""A worker: claims work at a gateway for functions of this process, runs them, and reports what they give."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import ModuleType
from typing import Any, cast

from flexrun_sdk.attempt import Attempt
from flexrun_sdk.capability import CapabilityFunction, capabilities_in, capability_of
from flexrun_sdk.errors import CapabilityMistake
from flexrun_sdk.gateways import (
    API,
    GatewayError,
    Gateways,
    GatewayUnreachable,
    is_passing,
    pause_seconds,
)

DEFAULT_URL = "http://127.0.0.1:8080"
MAX_SLOTS = 100
_WAIT_SECONDS = 20.0
_ANSWER_SECONDS = 10.0
_CANCEL_SECONDS = 2.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger("flexrun.worker")

Given = ModuleType | CapabilityFunction | Callable[..., Any]


class Worker:
    """Runs decorated functions for the gateways at `url`.

    `capabilities` are functions under `@capability`, or modules with such. At most `slots` attempts run at a time,
    async functions on the event loop, others in threads. A stop takes nothing new, waits `drain_seconds` for what runs,
    and gives the rest back. With `replaces`, for development, a version that is registered in other words is registered
    anew; without, that is an error. Raises CapabilityMistake for what is no capability.
    """

    def __init__(
        self,
        capabilities: Given | Iterable[Given],
        url: str | Sequence[str] = DEFAULT_URL,
        token: str | None = None,
        *,
        slots: int = 10,
        worker_id: str | None = None,
        drain_seconds: float = 10.0,
        replaces: bool = False,
    ) -> None:
        self.functions = {each.id: each for each in _functions(capabilities)}
        if not self.functions:
            raise CapabilityMistake("there is nothing to do: no function has @capability")
        if not 1 <= slots <= MAX_SLOTS:
            raise ValueError(f"slots are from 1 to {MAX_SLOTS}, not {slots}")
        self.worker_id = worker_id or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._url, self._token = url, token
        self._slots = slots
        self._drain_seconds = drain_seconds
        self._replaces = replaces
        self._attempts: dict[asyncio.Task[None], Attempt] = {}
        self._stopping: asyncio.Event | None = None

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C. Raises GatewayError where the gateway refuses what this worker is."""
        asyncio.run(self._run())

    async def serve(self) -> None:
        """Register, and work until `stop`."""
        self._stopping = self._stopping or asyncio.Event()
        threads = ThreadPoolExecutor(self._slots, thread_name_prefix="flexrun")
        try:
            async with Gateways(self._url, self._token) as gateways:
                await self._until_stopped(self._patiently(lambda: self._register(gateways)))
                if not self._stopping.is_set():
                    _log.info("worker %s serves %s", self.worker_id, ", ".join(sorted(self.functions)))
                await self._until_stopped(self._claim(gateways, threads))
                await self._drain()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def stop(self) -> None:
        """Take nothing new, and let `serve` end."""
        if self._stopping is not None:
            self._stopping.set()

    async def _run(self) -> None:
        self._stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        await self.serve()

    def _on_signal(self) -> None:
        if self._stopping is not None and self._stopping.is_set():
            os._exit(130)  # asked twice
        self.stop()

    async def _until_stopped(self, work: Any) -> None:
        """Run `work` until it ends or this worker is to stop; a claim that waits is cut off."""
        assert self._stopping is not None, "serve has begun"  # noqa: S101 - tells pyright what holds here
        task, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            for each in (task, stopping):
                each.cancel()
            await asyncio.gather(task, stopping, return_exceptions=True)

    async def _patiently(self, call: Callable[[], Any]) -> None:
        """Call until a gateway takes it. Raises GatewayError where it is refused."""
        failures = 0
        while True:
            try:
                await call()
            except (GatewayError, GatewayUnreachable) as error:
                if isinstance(error, GatewayError) and not is_passing(error.status):
                    raise
                _log.log(logging.INFO if failures else logging.WARNING, "waiting for a gateway: %s", error)
            else:
                return
            await asyncio.sleep(pause_seconds(failures))
            failures += 1

    async def _register(self, gateways: Gateways) -> None:
        for function in self.functions.values():
            try:
                for facet in function.facets:
                    await gateways.post(f"{API}/facets", facet)
                await self._register_one(gateways, function)
            except GatewayError as error:
                if error.code != "not_permitted":
                    raise
                _log.warning("%s is not registered by this worker: %s", function.id, error)

    async def _register_one(self, gateways: Gateways, function: CapabilityFunction) -> None:
        descriptor = function.described({"type": "worker"})
        try:
            await gateways.post(f"{API}/capabilities/register", descriptor)
        except GatewayError as error:
            if error.code != "version_registered" or not self._replaces:
                raise
            await gateways.call("DELETE", f"{API}/capabilities/{function.id}?version={function.version}")
            await gateways.post(f"{API}/capabilities/register", descriptor)

    async def _claim(self, gateways: Gateways, threads: ThreadPoolExecutor) -> None:
        """Claim as much as there is room for, again and again."""
        failures = 0
        while True:
            free = self._slots - len(self._attempts)
            if free <= 0:
                await asyncio.wait(self._attempts, return_when=asyncio.FIRST_COMPLETED)
                continue
            try:
                tasks = await self._claim_once(gateways, free)
            except (GatewayError, GatewayUnreachable) as error:
                await self._after(error, failures, gateways)
                failures += 1
                continue
            failures = 0
            for task in tasks:
                self._begin(task, gateways, threads)

    async def _claim_once(self, gateways: Gateways, free: int) -> list[dict[str, Any]]:
        body = {
            "workerId": self.worker_id,
            "capabilities": [{"id": each.id, "version": each.version} for each in self.functions.values()],
            "slots": free,
            "waitSeconds": _WAIT_SECONDS,
        }
        answer = await gateways.post(f"{API}/work/claim", body, seconds=_WAIT_SECONDS + _ANSWER_SECONDS)
        return answer["tasks"]

    async def _after(
        self, error: GatewayError | GatewayUnreachable, failures: int, gateways: Gateways
    ) -> None:
        if isinstance(error, GatewayError) and error.code == "capability_unknown":
            await self._patiently(lambda: self._register(gateways))
        elif isinstance(error, GatewayError) and not is_passing(error.status) and error.status < 500:
            raise error
        _log.log(logging.INFO if failures else logging.WARNING, "no work can be claimed: %s", error)
        await asyncio.sleep(pause_seconds(failures))

    def _begin(self, task: dict[str, Any], gateways: Gateways, threads: ThreadPoolExecutor) -> None:
        attempt = Attempt(task, self.functions[task["capabilityId"]], gateways, threads)
        running = asyncio.create_task(attempt.run())
        self._attempts[running] = attempt
        running.add_done_callback(lambda done: self._attempts.pop(done, None))

    async def _drain(self) -> None:
        if self._attempts:
            _log.info("stopping: %d attempt(s) still run", len(self._attempts))
            await asyncio.wait(self._attempts, timeout=self._drain_seconds)
        left = dict(self._attempts)
        for attempt in left.values():
            attempt.stop()
        if left:
            await asyncio.wait(left, timeout=_CANCEL_SECONDS)
        for task in left:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*left, return_exceptions=True)


def _functions(given: Given | Iterable[Given]) -> list[CapabilityFunction]:
    if isinstance(given, ModuleType):
        return capabilities_in(given)
    if isinstance(given, CapabilityFunction):
        return [given]
    marked = capability_of(given)
    if marked is not None:
        return [marked]
    if not isinstance(given, Iterable):
        raise CapabilityMistake(f"{given!r} is no capability: put @capability above it")
    return [function for each in cast("Iterable[Given]", given) for function in _functions(each)]
