"""`up`, `gateway`, `planner`, `executor`, `demo`: processes of the engine."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flexrun.cli.examples import examples_folder
from flexrun.cli.shared import load_settings, refuse_unknown_settings, run_async, stop
from flexrun.roles import ROLES, Role

if TYPE_CHECKING:
    from flexrun.settings import Settings

HostFlag = Annotated[str | None, typer.Option("--host", help="address to listen on (FLEXRUN_HOST)")]
PortFlag = Annotated[
    int | None, typer.Option("--port", help="port to listen on; 0 takes a free one (FLEXRUN_PORT)")
]
DataFlag = Annotated[
    str | None, typer.Option("--data", help="folder of the embedded Postgres (FLEXRUN_DATA)")
]
DatabaseFlag = Annotated[
    str | None,
    typer.Option("--database", help="Postgres to use instead of the embedded one (FLEXRUN_DATABASE_URL)"),
]
SharedDatabaseFlag = Annotated[
    str | None,
    typer.Option("--database", help="the Postgres that all processes share (FLEXRUN_DATABASE_URL)"),
]
BrokerFlag = Annotated[
    str | None, typer.Option("--broker", help="postgres, or amqp://… (FLEXRUN_BROKER_URL)")
]
LogFlag = Annotated[
    str | None, typer.Option("--log-level", help="debug, info, warning or error (FLEXRUN_LOG_LEVEL)")
]
HealthFlag = Annotated[
    int | None,
    typer.Option("--health-port", help="serve /healthz and /readyz on this port (FLEXRUN_HEALTH_PORT)"),
]

TlsCertFlag = Annotated[
    Path | None,
    typer.Option("--tls-cert", metavar="FILE", help="speak TLS with this certificate (FLEXRUN_TLS_CERT)"),
]
TlsKeyFlag = Annotated[
    Path | None, typer.Option("--tls-key", metavar="FILE", help="and this key (FLEXRUN_TLS_KEY)")
]
TlsClientCaFlag = Annotated[
    Path | None,
    typer.Option(
        "--tls-client-ca",
        metavar="FILE",
        help="certificates of these authorities name callers (FLEXRUN_TLS_CLIENT_CA)",
    ),
]

LoadFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--load",
        metavar="MODULE",
        help="a Python module with capabilities, package.module or ./file.py; again for more (FLEXRUN_LOAD)",
    ),
]

CapabilitiesFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--capabilities",
        metavar="PATH",
        help="a file or folder of descriptors, YAML or JSON; again for more (FLEXRUN_CAPABILITIES)",
    ),
]

WorkerFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--worker",
        metavar="FILE",
        help="a Python file with capabilities, run by a worker beside the engine and again when it changes;"
        " again for more (FLEXRUN_WORKER)",
    ),
]

SETTINGS = "More settings (slots, leases, tokens, …) are FLEXRUN_* variables: flexrun settings"
DEMO_ENVELOPE = examples_folder() / "linkedin-variants.json"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(epilog=SETTINGS)(up)
    app.command()(demo)
    app.command(epilog=SETTINGS)(gateway)
    app.command(epilog=SETTINGS)(planner)
    app.command(epilog=SETTINGS)(executor)


def up(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    host: HostFlag = None,
    port: PortFlag = None,
    data: DataFlag = None,
    database: DatabaseFlag = None,
    broker: BrokerFlag = None,
    load: LoadFlag = None,
    capabilities: CapabilitiesFlag = None,
    worker: WorkerFlag = None,
    tls_cert: TlsCertFlag = None,
    tls_key: TlsKeyFlag = None,
    tls_client_ca: TlsClientCaFlag = None,
    health_port: HealthFlag = None,
    log_level: LogFlag = None,
) -> None:
    """Run the whole engine, supervised, on an embedded Postgres unless told otherwise."""
    settings = _settings(
        host=host,
        port=port,
        data=data,
        database=database,
        broker=broker,
        load=load,
        capabilities=capabilities,
        worker=worker,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        health_port=health_port,
        log_level=log_level,
    )
    raise typer.Exit(_supervise(settings))


def gateway(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    host: HostFlag = None,
    port: PortFlag = None,
    database: SharedDatabaseFlag = None,
    broker: BrokerFlag = None,
    capabilities: CapabilitiesFlag = None,
    tls_cert: TlsCertFlag = None,
    tls_key: TlsKeyFlag = None,
    tls_client_ca: TlsClientCaFlag = None,
    health_port: HealthFlag = None,
    log_level: LogFlag = None,
) -> None:
    """Run a gateway: HTTP in, Server-Sent Events out."""
    settings = _settings(
        host=host,
        port=port,
        database=database,
        broker=broker,
        capabilities=capabilities,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        health_port=health_port,
        log_level=log_level,
    )
    _serve_role("gateway", settings)


def planner(
    database: SharedDatabaseFlag = None,
    broker: BrokerFlag = None,
    health_port: HealthFlag = None,
    log_level: LogFlag = None,
) -> None:
    """Run a planner worker."""
    settings = _settings(database=database, broker=broker, health_port=health_port, log_level=log_level)
    _serve_role("planner", settings)


def executor(
    database: SharedDatabaseFlag = None,
    broker: BrokerFlag = None,
    load: LoadFlag = None,
    capabilities: CapabilitiesFlag = None,
    health_port: HealthFlag = None,
    log_level: LogFlag = None,
) -> None:
    """Run an executor worker."""
    settings = _settings(
        database=database,
        broker=broker,
        load=load,
        capabilities=capabilities,
        health_port=health_port,
        log_level=log_level,
    )
    _serve_role("executor", settings)


def demo(
    file: Annotated[
        Path, typer.Argument(help="the envelope to run", show_default="the example linkedin-variants")
    ] = DEMO_ENVELOPE,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON frame per line")] = False,
) -> None:
    """Start an engine of its own, run one envelope from start to output, and stop.

    It uses no setting of the environment: its database is a temporary one.
    """
    from flexrun.cli.running import run_demo  # noqa: PLC0415 - see _run

    run_async(run_demo(file, as_json))


def _settings(**flags: Any) -> Settings:
    names = {"database": "database_url", "broker": "broker_url"}
    refuse_unknown_settings()
    return load_settings(**{names.get(name, name): value for name, value in flags.items()})


def _serve_role(role: Role, settings: Settings) -> None:
    if settings.database_url is None:
        stop(
            f"A {role} of its own needs a database that the other processes use too:"
            " --database postgresql://… or FLEXRUN_DATABASE_URL.\nFor everything in one process: flexrun up"
        )
    _run(settings, frozenset({role}))


def _run(settings: Settings, roles: frozenset[Role]) -> None:
    # Imported here: an engine takes a third of a second, and commands that only ask a gateway need none of it.
    from flexrun.cli.running import serve_roles  # noqa: PLC0415 - see above

    run_async(serve_roles(settings, roles))


def _supervise(settings: Settings) -> int:
    """Run the engine in a child process, and the embedded Postgres in another; the exit status."""
    from flexrun.fallback import FallbackServer  # noqa: PLC0415 - for `up` alone
    from flexrun.listening import ListenRefused, bind  # noqa: PLC0415 - the same
    from flexrun.supervisor import Line, Supervisor  # noqa: PLC0415 - the same

    try:
        listening = bind(settings)
    except ListenRefused as error:
        stop(f"flexrun cannot start: {error}")

    def engine(line: Line) -> None:
        from flexrun.cli.running import serve_roles  # noqa: PLC0415 - in the child, while the database starts
        from flexrun.engine import Supervised  # noqa: PLC0415 - the same
        from flexrun.reloading import valid_again  # noqa: PLC0415 - the same

        now = valid_again(settings) if line.predecessor is not None else settings
        database_url = line.address() if settings.database_url is None else None
        supervised = Supervised(
            line.origin, line.predecessor, database_url, listening, line.take_socket, line.memory
        )
        run_async(serve_roles(now, frozenset(ROLES), supervised, line.beat))

    def database(tell: Callable[[str], None]) -> None:
        from flexrun.cli.running import serve_database  # noqa: PLC0415 - see above

        listening.close()
        run_async(serve_database(settings, tell))

    def say(event: str, **fields: object) -> None:
        import structlog  # noqa: PLC0415 - only a supervisor that has something to say needs it

        from flexrun.logs import configure_logs, identify_process  # noqa: PLC0415 - the same

        configure_logs(settings.log_level, settings.log_format)
        identify_process("supervisor", f"{socket.gethostname()}:{os.getpid()}")
        structlog.get_logger("flexrun").error(event, **fields)

    owner = database if settings.database_url is None else None
    fallback = FallbackServer(listening, tuple(settings.cors_origins), tls=settings.tls_cert is not None)
    stalled_seconds, silent_seconds = settings.watchdog_warn_seconds, settings.watchdog_exit_seconds
    return Supervisor(engine, owner, stalled_seconds, silent_seconds, say, fallback).run()
