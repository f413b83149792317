"""`flexrun workers`: which processes and workers there are, and whether they take work."""

from __future__ import annotations

from typing import Annotated

import typer

from flexrun.api import API
from flexrun.cli.context import (
    CommandContext,
    Document,
    JsonFlag,
    TokenFlag,
    UrlFlag,
    short_time,
    table,
)

_PAGE = 1000


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(workers)


def workers(
    role: Annotated[
        str | None, typer.Option("--role", help="only gateway, planner, executor or worker")
    ] = None,
    status: Annotated[str | None, typer.Option("--status", help="only ok, deaf or silent")] = None,
    queue: Annotated[str | None, typer.Option("--queue", help="only those that serve this queue")] = None,
    capability: Annotated[
        str | None, typer.Option("--capability", help="only those that run this capability by themselves")
    ] = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Who serves what, how much of it is in flight, and when each last took work.

    "deaf" is heard of, has a free slot, and leaves due work that it serves; "silent" is not heard of for 15 s.

    Example: flexrun workers --status deaf
    """
    context = CommandContext(url, token, as_json)
    query = {"role": role, "status": status, "queue": queue, "capability": capability, "limit": _PAGE}
    context.show({"workers": _all(context, query)}, _listed)


def _all(context: CommandContext, query: Document) -> list[Document]:
    found: list[Document] = []
    cursor: str | None = None
    while True:
        page = context.get(f"{API}/workers", {**query, "cursor": cursor})
        found += page["workers"]
        cursor = page.get("nextCursor")
        if cursor is None:
            return found


def _listed(answer: Document) -> object:
    rows = [
        (
            each["worker"],
            each["role"],
            each["status"],
            each["inFlight"],
            each.get("slots", ""),
            short_time(each.get("lastTakenAt")),
            short_time(each["heardAt"]),
            each.get("version", ""),
            _says(each),
        )
        for each in answer["workers"]
    ]
    columns = ("worker", "role", "status", "in flight", "slots", "last taken", "heard of", "version", "says")
    return table(columns, rows, empty="No worker was heard of.")


def _says(worker: Document) -> str:
    """What else matters, the trouble first."""
    said: list[str] = []
    if worker["status"] == "deaf":
        said.append(f"leaves work that has waited for {worker['waitingSeconds']:.0f} s")
    ahead = worker.get("clockAheadSeconds") or 0.0
    if abs(ahead) >= 1.0:
        said.append(f"its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the database's")
    served = [f"{each['id']} {each['version']}" for each in worker["capabilities"]]
    said.append("serves " + ", ".join(served or worker["queues"]) if served or worker["queues"] else "")
    return "; ".join(filter(None, said))
