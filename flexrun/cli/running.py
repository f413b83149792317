"""Running an engine from the command line. Apart from the commands, because importing an engine is slow."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import psycopg
import structlog
import typer

from eventstore.errors import DatabaseUnsuitable, StoreUnavailable, explain
from eventstore.leases import lapse_now
from flexrun.cli.follow import show_run
from flexrun.cli.shared import EXIT_REFUSED, open_client, say, stop
from flexrun.embedded import EmbeddedPostgresError
from flexrun.engine import Engine, Supervised
from flexrun.faults import EXIT_STOP_OVERRUN, LAST_SECONDS, Stopping, end_after
from flexrun.garbage import settle_garbage
from flexrun.hangup import hangup_reloads
from flexrun.logs import configure_logs, identify_process, writes_json
from flexrun.reloading import Reloading
from flexrun.roles import ROLES, Role
from flexrun.settings import IsolatedSettings, Settings
from flexrun.watchdog import Watchdog, WatchdogConfig

if TYPE_CHECKING:
    from executor.capability import Capability

_PARENT_SECONDS = 0.5
_LIFE_SECONDS = 0.5

_FIRST_GAP_SECONDS = 2.0
_LOOK_SECONDS = 0.02
_LONGEST_LOOK_SECONDS = 1.0


async def serve_roles(
    settings: Settings,
    roles: frozenset[Role],
    supervised: Supervised | None = None,
    on_turn: Callable[[], None] = lambda: None,
    capabilities: Sequence[Capability] | None = None,
) -> None:
    """Serve until SIGINT, SIGTERM or a terminal that closes, then stop gracefully. Raises typer.Exit after a fault.

    `capabilities` are what an executor can do, the stubs by default; `on_turn` is called while the event loop turns.
    """
    hangup_reloads()  # asked before there is a handler
    configure_logs(settings.log_level, settings.log_format)
    stopping = Stopping(settings.drain_seconds)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(stopping.on_exception)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.ask, number)
    reloading = Reloading()
    if hangup_reloads():
        loop.add_signal_handler(signal.SIGHUP, reloading.ask)
    async with (
        _showing_life(on_turn) as starting,
        running(settings, roles, supervised, capabilities, stopping) as engine,
    ):
        starting.cancel()  # from now on the watchdog does it
        reloading.attach(engine)
        settle_garbage()
        with _watchdog(engine, on_turn):
            await _tell_when_ready(engine, stopping)
            async with _worker_beside(engine):
                await stopping.asked()
        if not (stopping.interrupted or stopping.status):
            engine.give_notice()
        seconds = engine.settings.stop_notice_seconds + settings.drain_seconds + LAST_SECONDS
        end_after(seconds, stopping.status or EXIT_STOP_OVERRUN)
        announce("Stopping: open streams end, work under way is finished or handed on.")
    if stopping.status:
        raise typer.Exit(stopping.status)


@asynccontextmanager
async def _worker_beside(engine: Engine) -> AsyncGenerator[None]:
    """The worker of `--worker`, where there is one; it ends before the engine does."""
    if not engine.settings.worker or engine.server is None:
        yield
        return
    from flexrun.worker_beside import WorkerBeside  # noqa: PLC0415 - for an engine that is to have one

    worker = WorkerBeside(engine.settings.worker, engine.server.url)
    worker.start()
    try:
        yield
    finally:
        await worker.close()


@asynccontextmanager
async def _showing_life(on_turn: Callable[[], None]) -> AsyncGenerator[asyncio.Task[None]]:
    """Call `on_turn` while the loop turns and the engine starts; that may last until its database is available."""

    async def show() -> None:
        while True:
            on_turn()
            await asyncio.sleep(_LIFE_SECONDS)

    task = asyncio.create_task(show())
    try:
        yield task
    finally:
        task.cancel()


async def _tell_when_ready(engine: Engine, stopping: Stopping) -> None:
    """Report that the process is ready; until it is, report at doubling gaps what it waits for."""
    began = time.monotonic()
    gap_seconds = _FIRST_GAP_SECONDS
    say_at = began + gap_seconds
    while not stopping.is_asked:
        waits_for = await engine.waits_for()
        if not waits_for:
            announce(_ready_text(engine))
            return
        if time.monotonic() >= say_at:
            gap_seconds *= 2
            say_at += gap_seconds
            announce(f"flexrun {_names(engine)} is not ready yet, it goes on trying: {'; '.join(waits_for)}.")
        await asyncio.sleep(min((time.monotonic() - began) / 4 + _LOOK_SECONDS, _LONGEST_LOOK_SECONDS))


async def serve_database(settings: Settings, tell: Callable[[str], None]) -> None:
    """Own the embedded Postgres until SIGTERM or until the parent ends; `tell` is called with its address."""
    from flexrun.embedded.app_role import served_url  # noqa: PLC0415 - for `up` without a database
    from flexrun.embedded.postgres import EmbeddedPostgres  # noqa: PLC0415 - the same

    configure_logs(settings.log_level, settings.log_format)
    identify_process("database", f"{socket.gethostname()}:{os.getpid()}")
    parent = os.getppid()
    stopping = Stopping(settings.drain_seconds)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(stopping.on_exception)
    loop.add_signal_handler(signal.SIGTERM, stopping.ask)
    # The engine stops first: Ctrl-C and a terminal that closes reach every process of the group.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    postgres = EmbeddedPostgres(settings.data, owner_pid=parent)
    try:
        tell(await served_url(await postgres.start()))
    except (EmbeddedPostgresError, DatabaseUnsuitable, psycopg.Error) as error:
        await postgres.stop()
        refuse(f"flexrun cannot start: {explain(error) if isinstance(error, psycopg.Error) else error}")
    asked = asyncio.create_task(stopping.asked())
    while os.getppid() == parent and not asked.done():
        await asyncio.wait({asked}, timeout=_PARENT_SECONDS)
    await postgres.stop()
    if stopping.status:
        raise typer.Exit(stopping.status)


def announce(message: str) -> None:
    """Tell a person at a terminal; where the log is JSON, it is a line of the log."""
    if writes_json():
        structlog.get_logger("flexrun").info(message)
    else:
        say(message)


def refuse(message: str) -> NoReturn:
    """The same for what keeps a process from starting; exits with status 2."""
    if not writes_json():
        stop(message)
    structlog.get_logger("flexrun").error(message)
    raise typer.Exit(EXIT_REFUSED)


def _watchdog(engine: Engine, on_turn: Callable[[], None]) -> Watchdog:
    settings = engine.settings
    config = WatchdogConfig(settings.watchdog_warn_seconds, settings.watchdog_exit_seconds)

    def give_up_leases(blocking: dict[str, Any]) -> None:
        # Other workers need not wait until they expire, and only the work that blocked counts the loss.
        ref = blocking.get("node_id") or blocking.get("ref") or ""
        lapse_now(engine.database_url, engine.worker, engine.supervised.origin, blocking.get("run_id"), ref)
        if engine.journal is not None and blocking.get("run_id"):
            engine.journal.clear()  # the work that blocked is known and its loss counted; all else is not suspect

    return Watchdog(engine.worker, sorted(engine.roles), config, farewell=give_up_leases, on_turn=on_turn)


def _names(engine: Engine) -> str:
    return ", ".join(role for role in ROLES if role in engine.roles)


def _ready_text(engine: Engine) -> str:
    names = _names(engine)
    if engine.server is None:
        return f"flexrun {names} is ready."
    data = "" if engine.settings.database_url else f" (data: {engine.settings.data})"
    return f"flexrun {names} is ready: {engine.server.url}{data}"


@asynccontextmanager
async def running(
    settings: Settings,
    roles: frozenset[Role],
    supervised: Supervised | None = None,
    capabilities: Sequence[Capability] | None = None,
    stopping: Stopping | None = None,
) -> AsyncGenerator[Engine]:
    """An engine; an error at start is printed as a sentence. A start that waits ends when `stopping` is asked."""
    engine = Engine(settings, roles, capabilities, supervised)
    identify_process(",".join(sorted(engine.roles)), engine.worker)
    try:
        await _start(engine, stopping)
    except (EmbeddedPostgresError, DatabaseUnsuitable, ValueError) as error:
        refuse(f"flexrun cannot start: {error}")
    except StoreUnavailable as error:
        refuse(f"flexrun cannot start: {error}")
    except psycopg.Error as error:
        refuse(f"flexrun cannot start: {explain(error)}")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            refuse(f"flexrun cannot start: {settings.host}:{settings.port} is taken; choose another --port")
        refuse(f"flexrun cannot start: {error}")
    try:
        yield engine
    finally:
        await engine.__aexit__(None, None, None)


async def _start(engine: Engine, stopping: Stopping | None) -> None:
    """Start the engine, which may have to wait for its database. Raises typer.Exit where it is to stop meanwhile."""
    task = asyncio.current_task()
    if stopping is None or task is None:
        await engine.__aenter__()
        return
    asked = asyncio.create_task(stopping.asked())

    def cut_short(done: asyncio.Task[None]) -> None:
        if not done.cancelled():
            task.cancel()

    asked.add_done_callback(cut_short)
    try:
        await engine.__aenter__()
    except asyncio.CancelledError:
        if not stopping.is_asked:
            raise
        task.uncancel()
        raise typer.Exit(stopping.status) from None
    finally:
        asked.remove_done_callback(cut_short)
        asked.cancel()


async def run_demo(file: Path, as_json: bool) -> None:
    """Run one envelope on an engine with temporary data, and show its frames."""
    configure_logs("warning")
    began = time.monotonic()
    try:
        envelope = await asyncio.to_thread(file.read_bytes)
    except OSError as error:
        stop(f"Cannot read {file}: {error.strerror}")
    with tempfile.TemporaryDirectory(prefix="flexrun-demo-", ignore_cleanup_errors=True) as folder:
        # The real database, tokens and broker may be in the environment: a demo must not touch them.
        settings = IsolatedSettings(port=0, data=Path(folder))
        say("Starting flexrun with an embedded Postgres …", "dim")
        async with running(settings, frozenset(ROLES)) as engine:
            if engine.server is None:
                raise RuntimeError("an engine with a gateway has a server")
            say(f"Ready at {engine.server.url} after {time.monotonic() - began:.1f} s.\n", "dim")
            settings = settings.with_flags(url=engine.server.url)
            async with open_client(settings) as client:
                await show_run(client, await client.start_run(envelope), as_json)
