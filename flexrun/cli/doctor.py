"""`flexrun doctor`: what is not well, seen from this machine without a gateway."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from flexrun.cli.context import JsonFlag, given, print_json, words
from flexrun.cli.shared import EXIT_NO, load_settings, run_async

if TYPE_CHECKING:
    from flexrun.doctor.findings import Finding

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(doctor)


def doctor(
    database: Annotated[
        str | None, typer.Option("--database", help="the database (FLEXRUN_DATABASE_URL)")
    ] = None,
    broker: Annotated[
        str | None, typer.Option("--broker", help="postgres, or amqp://… (FLEXRUN_BROKER_URL)")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="what is well, too")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Look at settings, certificates, database, broker, clocks, versions, workers, lag, locks and disk; say what to do.

    It asks the database and the broker themselves, with the settings of the servers, and takes 15 seconds at most.
    Exits with 1 where there is a problem.

    Example: flexrun doctor --database postgresql://flexrun@db.example/flexrun --json
    """
    from flexrun.doctor.look import look, worst  # noqa: PLC0415 - it imports the drivers, which is slow

    settings = load_settings(database_url=database, broker_url=broker)
    findings = run_async(look(settings))
    status = worst(findings)
    if as_json:
        print_json(_document(findings, status))
    else:
        _print(findings, every)
    if status == "problem":
        raise typer.Exit(EXIT_NO)


def _document(findings: list[Finding], status: str) -> dict[str, Any]:
    levels = [each.level for each in findings]
    return {
        "status": status,
        "problems": levels.count("problem"),
        "warnings": levels.count("warning"),
        "findings": [given(asdict(each)) for each in findings],
    }


def _print(findings: list[Finding], every: bool) -> None:
    console = Console()
    shown = [each for each in findings if every or each.level != "ok"]
    for each in shown:
        console.print(words(f"{each.level}: {each.area}, {each.check}: {each.seen}", _STYLES[each.level]))
        if each.advice:
            console.print(words(f"    {each.advice}"))
    well = sum(each.level == "ok" for each in findings)
    console.print(words(f"{len(findings) - well} to look at, {well} well", "bold"))
