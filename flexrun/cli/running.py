"""Running an engine from the command line. Apart from the commands, because importing an engine takes its time."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import typer

from eventstore.errors import DatabaseUnsuitable, StoreUnavailable, explain
from eventstore.leases import lapse_now
from flexrun.cli.follow import show_run
from flexrun.cli.shared import open_client, say, stop
from flexrun.embedded import EmbeddedPostgresError
from flexrun.engine import Engine, Supervised
from flexrun.faults import EXIT_STOP_OVERRUN, LAST_SECONDS, Stopping, end_after
from flexrun.logs import configure_logs
from flexrun.roles import ROLES, Role
from flexrun.settings import IsolatedSettings, Settings
from flexrun.watchdog import Watchdog, WatchdogConfig

if TYPE_CHECKING:
    from executor.capability import Capability

_PARENT_SECONDS = 0.5


async def serve_roles(
    settings: Settings,
    roles: frozenset[Role],
    supervised: Supervised | None = None,
    on_turn: Callable[[], None] = lambda: None,
    capabilities: Sequence[Capability] | None = None,
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, then stop in good order. Raises typer.Exit after a fault.

    `capabilities` are what an executor can do, the stubs by default; `on_turn` is called while the event loop turns.
    """
    configure_logs(settings.log_level, settings.log_format)
    stopping = Stopping(settings.drain_seconds)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(stopping.on_exception)
    # A terminal that closes sends SIGHUP, and so do some operators: work in progress is not to be lost by either.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.ask, number)
    async with running(settings, roles, supervised, capabilities) as engine:
        with _watchdog(engine, on_turn):
            say(_ready_text(engine))
            await stopping.asked()
        if not (stopping.interrupted or stopping.status):
            engine.give_notice()
        seconds = settings.stop_notice_seconds + settings.drain_seconds + LAST_SECONDS
        end_after(seconds, stopping.status or EXIT_STOP_OVERRUN)
        say("Stopping: open streams end, work under way is finished or handed on.")
    if stopping.status:
        raise typer.Exit(stopping.status)


async def serve_database(settings: Settings, tell: Callable[[str], None]) -> None:
    """Own the embedded Postgres until SIGTERM, or until the parent is gone; `tell` gets its address."""
    from flexrun.embedded.postgres import EmbeddedPostgres  # noqa: PLC0415 - for `up` without a database

    configure_logs(settings.log_level, settings.log_format)
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
        tell(await postgres.start())
    except EmbeddedPostgresError as error:
        stop(f"flexrun cannot start: {error}")
    asked = asyncio.create_task(stopping.asked())
    while os.getppid() == parent and not asked.done():
        await asyncio.wait({asked}, timeout=_PARENT_SECONDS)
    await postgres.stop()
    if stopping.status:
        raise typer.Exit(stopping.status)


def _watchdog(engine: Engine, on_turn: Callable[[], None]) -> Watchdog:
    settings = engine.settings
    config = WatchdogConfig(settings.watchdog_warn_seconds, settings.watchdog_exit_seconds)

    def give_up_leases(blocking: dict[str, Any]) -> None:
        # Nobody has to wait for them to run out, and only what blocked is charged with the loss.
        ref = blocking.get("node_id") or blocking.get("ref") or ""
        lapse_now(engine.database_url, engine.worker, engine.supervised.origin, blocking.get("run_id"), ref)

    return Watchdog(engine.worker, sorted(engine.roles), config, farewell=give_up_leases, on_turn=on_turn)


def _ready_text(engine: Engine) -> str:
    names = ", ".join(role for role in ROLES if role in engine.roles)
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
) -> AsyncGenerator[Engine]:
    """An engine, with what goes wrong at start told as a sentence."""
    engine = Engine(settings, roles, capabilities, supervised)
    try:
        await engine.__aenter__()
    except (EmbeddedPostgresError, DatabaseUnsuitable, ValueError) as error:
        stop(f"flexrun cannot start: {error}")
    except StoreUnavailable as error:
        stop(f"flexrun cannot start: {error}")
    except psycopg.Error as error:
        stop(f"flexrun cannot start: {explain(error)}")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            stop(f"flexrun cannot start: {settings.host}:{settings.port} is taken; choose another --port")
        stop(f"flexrun cannot start: {error}")
    try:
        yield engine
    finally:
        await engine.__aexit__(None, None, None)


async def run_demo(file: Path, as_json: bool) -> None:
    """An engine on data that is thrown away, one run, and its frames."""
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
