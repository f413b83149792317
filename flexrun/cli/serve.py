"""`up`, `gateway`, `planner`, `executor`, `demo`: processes of the engine."""

from __future__ import annotations

import asyncio
import errno
import gc
import signal
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer

from eventstore.errors import MigrationRefused, StoreUnavailable
from flexrun.cli.follow import show_run
from flexrun.cli.shared import errors, load_settings, open_client, run_async, stop
from flexrun.embedded import EmbeddedPostgresError
from flexrun.engine import Engine
from flexrun.logs import configure_logs
from flexrun.settings import ROLES, Role, Settings
from gateway.auth import BindRefused, TokensInvalid

HostFlag = Annotated[str | None, typer.Option("--host", help="address to listen on (FLEXRUN_HOST)")]
PortFlag = Annotated[
    int | None, typer.Option("--port", help="port to listen on; 0 takes a free one (FLEXRUN_PORT)")
]
DataFlag = Annotated[
    Path | None, typer.Option("--data", help="folder of the embedded Postgres (FLEXRUN_DATA)")
]
DatabaseFlag = Annotated[
    str | None,
    typer.Option("--database", help="Postgres to use instead of the embedded one (FLEXRUN_DATABASE_URL)"),
]
BrokerFlag = Annotated[
    str | None, typer.Option("--broker", help="postgres, or amqp://… (FLEXRUN_BROKER_URL)")
]
LogFlag = Annotated[
    str | None, typer.Option("--log-level", help="debug, info, warning or error (FLEXRUN_LOG_LEVEL)")
]

DEMO_ENVELOPE = Path(__file__).parents[2] / "examples" / "linkedin-variants.json"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(up)
    app.command()(demo)
    app.command()(gateway)
    app.command()(planner)
    app.command()(executor)


def up(
    host: HostFlag = None,
    port: PortFlag = None,
    data: DataFlag = None,
    database: DatabaseFlag = None,
    broker: BrokerFlag = None,
    log_level: LogFlag = None,
) -> None:
    """Run the whole engine in one process, on an embedded Postgres unless told otherwise."""
    settings = _settings(
        host=host, port=port, data=data, database=database, broker=broker, log_level=log_level
    )
    run_async(_serve(settings, frozenset(ROLES)))


def gateway(
    host: HostFlag = None,
    port: PortFlag = None,
    database: DatabaseFlag = None,
    broker: BrokerFlag = None,
    log_level: LogFlag = None,
) -> None:
    """Run a gateway: HTTP in, Server-Sent Events out."""
    settings = _settings(host=host, port=port, database=database, broker=broker, log_level=log_level)
    _serve_role("gateway", settings)


def planner(database: DatabaseFlag = None, broker: BrokerFlag = None, log_level: LogFlag = None) -> None:
    """Run a planner worker."""
    _serve_role("planner", _settings(database=database, broker=broker, log_level=log_level))


def executor(database: DatabaseFlag = None, broker: BrokerFlag = None, log_level: LogFlag = None) -> None:
    """Run an executor worker."""
    _serve_role("executor", _settings(database=database, broker=broker, log_level=log_level))


def demo(
    file: Annotated[Path, typer.Argument(help="the envelope to run")] = DEMO_ENVELOPE,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON frame per line")] = False,
) -> None:
    """Start an engine of its own, run one envelope from start to output, and stop."""
    configure_logs("warning")
    run_async(_demo(file, as_json))


def _settings(**flags: Any) -> Settings:
    names = {"database": "database_url", "broker": "broker_url"}
    settings = load_settings(**{names.get(name, name): value for name, value in flags.items()})
    configure_logs(settings.log_level, settings.log_format)
    return settings


def _serve_role(role: Role, settings: Settings) -> None:
    if settings.database_url is None:
        stop(
            f"A {role} of its own needs a database that the other processes use too:"
            " --database postgresql://… or FLEXRUN_DATABASE_URL.\nFor everything in one process: flexrun up"
        )
    run_async(_serve(settings, frozenset({role})))


async def _serve(settings: Settings, roles: frozenset[Role]) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with _running(settings, roles) as engine:
        _spare_the_collector()
        errors.print(_ready_text(engine), highlight=False, markup=False, soft_wrap=True)
        await stopped.wait()
        errors.print("Stopping: open streams end, work under way is finished or handed on.", markup=False)


def _spare_the_collector() -> None:
    """Runs leave next to no cycles behind (measured: three objects each), and what is alive now stays alive.

    Looking for them after every 700 objects, as Python does by default, costs a busy process a twentieth of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _ready_text(engine: Engine) -> str:
    names = ", ".join(role for role in ROLES if role in engine.roles)
    if engine.server is None:
        return f"flexrun {names} is ready."
    data = "" if engine.settings.database_url else f" (data: {engine.settings.data})"
    return f"flexrun {names} is ready: {engine.server.url}{data}"


@asynccontextmanager
async def _running(settings: Settings, roles: frozenset[Role]) -> AsyncGenerator[Engine]:
    """An engine, with what goes wrong at start told as a sentence."""
    engine = Engine(settings, roles)
    try:
        await engine.__aenter__()
    except (EmbeddedPostgresError, MigrationRefused, BindRefused, TokensInvalid, ValueError) as error:
        stop(f"flexrun cannot start: {error}")
    except (StoreUnavailable, psycopg.Error) as error:
        stop(f"flexrun cannot start: the database does not answer as it should: {error}")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            stop(f"flexrun cannot start: {settings.host}:{settings.port} is taken; choose another --port")
        stop(f"flexrun cannot start: {error}")
    try:
        yield engine
    finally:
        await engine.__aexit__(None, None, None)


async def _demo(file: Path, as_json: bool) -> None:
    began = time.monotonic()
    try:
        envelope = await asyncio.to_thread(file.read_bytes)
    except OSError as error:
        stop(f"Cannot read {file}: {error.strerror}")
    with tempfile.TemporaryDirectory(prefix="flexrun-demo-", ignore_cleanup_errors=True) as folder:
        settings = load_settings(port=0, host="127.0.0.1", data=Path(folder))
        errors.print("Starting flexrun with an embedded Postgres …", style="dim")
        async with _running(settings, frozenset(ROLES)) as engine:
            if engine.server is None:
                raise RuntimeError("an engine with a gateway has a server")
            errors.print(
                f"Ready at {engine.server.url} after {time.monotonic() - began:.1f} s.\n", style="dim"
            )
            settings = settings.with_flags(url=engine.server.url)
            async with open_client(settings) as client:
                await show_run(client, await client.start_run(envelope), as_json)
