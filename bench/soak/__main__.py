"""`python -m bench.soak`: kills processes, broker and database under load, and checks every promise afterwards."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import orjson
import typer
import uvloop
from rich.console import Console

from bench.soak.house import RabbitMissing
from bench.soak.soak import FaultUnknown, Plan, Soak
from flexrun.logs import configure_logs
from tests.support.processes import ProcessFailed

BROKERS = ("postgres", "rabbitmq")

_errors = Console(stderr=True)
_BROKEN = 1
_CANNOT = 2
_INTERRUPTED = 130


def main(
    seconds: Annotated[float, typer.Option(min=0, help="how long customers are served")] = 120.0,
    broker: Annotated[str, typer.Option(help="postgres or rabbitmq")] = "rabbitmq",
    seed: Annotated[int | None, typer.Option(help="for the same faults and orders again")] = None,
    customers: Annotated[int, typer.Option(min=1, help="how many order at the same time")] = 12,
    fault: Annotated[list[str] | None, typer.Option(help="only these, such as 'kill executor'")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the summary as JSON")] = False,
) -> None:
    """Serve customers, harm the engine, judge. Ctrl-C ends the soak early, and still judges; twice leaves at once."""
    if broker not in BROKERS:
        raise typer.BadParameter(f"one of {', '.join(BROKERS)}", param_hint="--broker")
    configure_logs("warning")
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    plan = Plan(
        broker=broker,
        seconds=seconds,
        seed=secrets.randbelow(10**9) if seed is None else seed,
        customers=customers,
        faults=tuple(fault or ()),
    )
    _errors.print(
        f"soak: {seconds:g} s on {broker}, seed {plan.seed} (--seed {plan.seed} for the same again)"
    )
    try:
        with (
            tempfile.TemporaryDirectory(prefix="flexrun-soak-", ignore_cleanup_errors=True) as folder,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            summary = runner.run(_soak(plan, Path(folder)))
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise typer.Exit(_INTERRUPTED) from None
    except (RabbitMissing, FaultUnknown, ProcessFailed) as error:
        _errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(_CANNOT) from None
    _print(summary, as_json)
    if summary["breaches"]:
        raise typer.Exit(_BROKEN)


async def _soak(plan: Plan, folder: Path) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    began = monotonic()
    with _errors.status("starting") as status:

        def show(what: str) -> None:
            line = f"{monotonic() - began:6.1f} s  {len(soak.ledger.read)} runs read  {what}"
            status.update(line)
            if not _errors.is_terminal:
                _errors.print(line, markup=False, highlight=False)

        soak = Soak(plan, folder, show)
        soaking = asyncio.ensure_future(soak.run())

        def interrupt() -> None:
            if soak.stopping.is_set():
                soaking.cancel()
            soak.stopping.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        ticking = asyncio.create_task(_tick(soak, began, status.update if _errors.is_terminal else None))
        try:
            return await soaking
        finally:
            ticking.cancel()


async def _tick(soak: Soak, began: float, update: Any) -> None:
    """Keep the progress line alive between faults."""
    while update is not None:
        await asyncio.sleep(1)
        done = soak.faults.done.total() if soak.faults else 0
        update(f"{monotonic() - began:6.1f} s  {len(soak.ledger.read)} runs read  {done} faults")


def _print(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(orjson.dumps(summary, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    out = Console(soft_wrap=True, highlight=False)
    for name, value in summary.items():
        if name not in ("breaches", "lastWords"):
            out.print(f"{name:<14} {value}", markup=False)
    for breach in summary["breaches"]:
        out.print(f"BROKEN  {breach}", style="red", markup=False)
    if summary["breaches"]:
        out.print(f"Last words:\n{summary['lastWords']}", markup=False)
    else:
        out.print("Every promise was kept.")


if __name__ == "__main__":
    typer.run(main)
