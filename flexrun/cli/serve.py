"""`up`, `gateway`, `planner`, `executor`, `demo`: processes of the engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flexrun.cli.shared import load_settings, run_async, stop
from flexrun.roles import ROLES, Role

if TYPE_CHECKING:
    from flexrun.settings import Settings

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
    _run(settings, frozenset(ROLES))


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
    from flexrun.cli.running import run_demo  # noqa: PLC0415 - see _run

    run_async(run_demo(file, as_json))


def _settings(**flags: Any) -> Settings:
    names = {"database": "database_url", "broker": "broker_url"}
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
