"""One command to many runs: chosen by filters or named, counted and confirmed first, a few at a time, with a report."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from flexrun.api import GatewayProblemError, GatewayUnreachableError
from flexrun.cli.context import CommandContext, Document, heading, table, words
from flexrun.cli.run_filters import FILTERS, pages, parse_filters, run_query
from flexrun.cli.shared import EXIT_NO, ask_first, errors, stop

if TYPE_CHECKING:
    from flexrun.client import GatewayClient

AT_ONCE = 8
"""How many runs are asked for at the same time."""

MAX_RUNS = 100_000
"""How many runs a command takes; more are chosen by narrower filters."""

_SHOWN = 10
_OPEN = ["pending", "planning", "running", "awaiting_hitl", "awaiting_human", "paused"]
_STATUSES: dict[str, list[str]] = {
    "abort": _OPEN,
    "pause": [status for status in _OPEN if status != "paused"],
    "resume": ["paused"],
    "retry": ["failed", "aborted"],
    "erase": ["completed", "failed", "aborted"],
    "set-priority": _OPEN,
}
"""The runs that filters without a status choose for a command: those that it can do something with."""

RunsArgument = Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="ids of runs")]
FilterFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--filter", metavar="NAME=VALUE", help=f"all runs that match; again for more. {', '.join(FILTERS)}"
    ),
]

Send = Callable[["GatewayClient", str], Awaitable[Document]]
"""Sends the command for one run; the gateway's answer."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a command was told about its runs."""

    runs: Sequence[str]
    filters: Sequence[str]
    dry_run: bool
    yes: bool

    @classmethod
    def of(cls, runs: list[str] | None, filters: list[str] | None, dry_run: bool, yes: bool) -> Chosen:
        """From flags; leaves with 2 where they name no run, or name some twice over."""
        if runs and filters:
            stop("Name runs, or choose them by --filter; not both.")
        if not runs and not filters:
            stop("Which run? Name one or more, or choose them by --filter NAME=VALUE.")
        return cls(list(dict.fromkeys(runs or ())), filters or (), dry_run, yes)

    @property
    def one(self) -> str | None:
        """The only run, where it was named."""
        return self.runs[0] if len(self.runs) == 1 and not self.dry_run else None


def to_many(context: CommandContext, verb: str, chosen: Chosen, send: Send) -> None:
    """Choose, count, ask, do, report. Leaves with 1 where some were refused."""
    runs: dict[str, str] = context.ask(lambda client: _choose(client, verb, chosen))
    if chosen.dry_run:
        context.show(_counted(verb, runs), _count_page)
        return
    if not runs:
        context.show(_report(verb, []), _report_page)
        return
    if not chosen.yes:
        ask_first(f"{verb} {_number(len(runs))}")
    results: list[Document] = context.ask(lambda client: _do(client, verb, list(runs), send))
    report = _report(verb, results)
    context.show(report, _report_page)
    if report["refused"]:
        raise typer.Exit(EXIT_NO)


def ask_each(context: CommandContext, verb: str, chosen: Chosen, send: Send) -> list[Document]:
    """What `send` says of each of the chosen runs, for a command that looks before it does anything."""
    runs: dict[str, str] = context.ask(lambda client: _choose(client, verb, chosen))
    return context.ask(lambda client: _do(client, verb, list(runs), send))


async def _choose(client: GatewayClient, verb: str, chosen: Chosen) -> dict[str, str]:
    """Id → status, '' for runs that were named."""
    if chosen.runs:
        return dict.fromkeys(chosen.runs, "")
    filters = parse_filters(chosen.filters)
    if "status" not in filters and "waiting-for" not in filters and verb in _STATUSES:
        filters["status"] = _STATUSES[verb]
        filters.setdefault("imported", False)
    found: dict[str, str] = {}
    async for page in pages(client, run_query(filters)):
        found |= {run["runId"]: run["status"] for run in page["runs"]}
        if len(found) > MAX_RUNS:
            stop(f"More than {MAX_RUNS:,} runs match; choose them by narrower filters.")
    return found


async def _do(client: GatewayClient, verb: str, runs: Sequence[str], send: Send) -> list[Document]:
    """The results, in the order of the runs."""
    slots = asyncio.Semaphore(AT_ONCE)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task(verb, total=len(runs))

        async def one(run: str) -> Document:
            async with slots:
                result = await _result(client, run, send)
            progress.advance(task)
            return result

        return await asyncio.gather(*map(one, runs))


async def _result(client: GatewayClient, run: str, send: Send) -> Document:
    try:
        answer = await send(client, run)
    except GatewayProblemError as problem:
        code = problem.problem.get("code") or str(problem.status)
        return {"runId": run, "done": False, "code": code, "message": str(problem)}
    except GatewayUnreachableError as away:
        return {"runId": run, "done": False, "code": "unreachable", "message": str(away)}
    made = answer["runId"]
    copies = [each["runId"] for each in answer.get("copies", ()) if "erasedAt" not in each]
    return {
        "runId": run,
        "done": True,
        "status": answer["status"],
        **({"newRunId": made} if made != run else {}),
        **({"erasable": answer["erasable"], "erased": "erased" in answer} if "erasable" in answer else {}),
        **({"copies": copies} if copies else {}),
    }


def _counted(verb: str, runs: dict[str, str]) -> Document:
    statuses = Counter(status for status in runs.values() if status)
    return {"command": verb, "matched": len(runs), "byStatus": dict(statuses), "runs": list(runs)}


def _count_page(counted: Document) -> list[Any]:
    shown: list[Any] = [words(f"{counted['command']}: {_number(counted['matched'])}", "bold")]
    shown += [words(f"{status}: {number:,}") for status, number in sorted(counted["byStatus"].items())]
    shown += [words(run, "dim") for run in counted["runs"][:_SHOWN]]
    if counted["matched"] > _SHOWN:
        shown.append(words(f"and {counted['matched'] - _SHOWN:,} more", "dim"))
    return shown


def _report(verb: str, results: list[Document]) -> Document:
    done = sum(1 for each in results if each["done"])
    return {
        "command": verb,
        "matched": len(results),
        "done": done,
        "refused": len(results) - done,
        "results": results,
    }


def _report_page(report: Document) -> list[Any]:
    shown: list[Any] = [words(f"{report['command']}: {report['done']:,} of {_number(report['matched'])}")]
    made = [each["newRunId"] for each in report["results"] if "newRunId" in each]
    shown += [words(f"new run {run}", "dim") for run in made]
    copies = sorted({copy for each in report["results"] for copy in each.get("copies", ())})
    shown += [words(f"made from these, and still with its data: {run}") for run in copies]
    refused = [
        (each["runId"], each["code"], each["message"]) for each in report["results"] if not each["done"]
    ]
    if refused:
        shown += [heading("refused"), table(("run", "code", "what"), refused, empty="")]
    return shown


def _number(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"
