"""`python -m bench`: measure, with a progress line on standard error, then print tables or JSON."""

from __future__ import annotations

import asyncio
import logging
import resource
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.engines import KINDS, EngineFailed, EngineKind
from bench.load_process import ClientFailed
from bench.machine import BUSY_LOAD, Neighbours, describe_machine
from bench.measures import MEASURES
from bench.report import as_document, print_tables
from bench.services import started_services
from bench.sizes import FULL, QUICK, Sizes
from bench.steps import Done, count_steps, run_steps
from flexrun.logs import configure_logs

_errors = Console(stderr=True)
_INTERRUPTED = 130


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="a third of the time, rougher figures")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON on standard output in place of tables")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", help=f"one of {', '.join(MEASURES)}; again for more")
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option("--engine", help=f"one of {', '.join(kind.name for kind in KINDS)}; again for more"),
    ] = None,
) -> None:
    """Measure flexrun on this machine: private Postgres and RabbitMQ, a fresh database for each engine."""
    measures = _chosen("--only", only, MEASURES)
    names = _chosen("--engine", engine, tuple(kind.name for kind in KINDS))
    kinds = [kind for kind in KINDS if kind.name in names]
    configure_logs("warning")
    logging.getLogger("aiormq").setLevel(logging.ERROR)
    _raise_file_limit()
    machine = describe_machine()
    if machine["load_before"] > BUSY_LOAD:
        _errors.print(
            f"Others are busy here (load {machine['load_before']}): the figures share the machine with them."
        )
    neighbours = Neighbours()
    results: list[Done] = []
    code = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_measure(kinds, measures, QUICK if quick else FULL, machine, results))
    except KeyboardInterrupt:
        _errors.print("Interrupted; what was measured so far:")
        code = _INTERRUPTED
    except (ClientFailed, EngineFailed, RuntimeError, TimeoutError) as error:
        _errors.print(
            f"A measure failed; what was measured before it: {error or type(error).__name__}", markup=False
        )
        code = 1
    machine["others_cpu_percent"] = neighbours.percent()
    document = as_document(machine, " ".join(["python -m bench", *sys.argv[1:]]), results)
    if as_json:
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    elif results:
        console = Console(width=None if sys.stdout.isatty() else 140)
        print_tables(console, document)
        console.print(f"Other processes used {machine['others_cpu_percent']} % of the machine meanwhile.")
    raise typer.Exit(code)


async def _measure(
    kinds: list[EngineKind],
    measures: list[str],
    sizes: Sizes,
    machine: dict[str, Any],
    results: list[Done],
) -> None:
    """Add to `results` what is done as it is done, so that an interrupted run keeps it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="flexrun-bench-", ignore_cleanup_errors=True) as folder,
        Progress(*columns, console=_errors, transient=True) as progress,
    ):
        _open_to_servers(Path(folder))
        task = progress.add_task("starting Postgres and RabbitMQ", total=count_steps(kinds, measures, sizes))

        def announce(what: str) -> None:
            progress.update(task, description=what)
            if not _errors.is_terminal:
                _errors.print(what, highlight=False)

        rabbit = any(kind.broker == "rabbitmq" for kind in kinds) and measures != ["append"]
        async with started_services(Path(folder), rabbit=rabbit) as services:
            machine["postgres"] = services.postgres_version
            if rabbit and services.amqp_url is None:
                _errors.print("There is no RabbitMQ on this machine: only the Postgres broker is measured.")
                kinds = [kind for kind in kinds if kind.broker == "postgres"]
            async for done in run_steps(kinds, measures, sizes, services, announce):
                results.append(done)
                progress.advance(task)


def _open_to_servers(folder: Path) -> None:
    """As root, the servers run as another account, which has to pass through."""
    folder.chmod(0o755)


def _chosen(flag: str, given: list[str] | None, allowed: tuple[str, ...]) -> list[str]:
    unknown = sorted(set(given or ()) - set(allowed))
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(allowed)}", param_hint=flag)
    return [name for name in allowed if not given or name in given]


def _raise_file_limit() -> None:
    """Thousands of streams are open at a time, here and in the engine, which inherits this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    typer.run(bench)
