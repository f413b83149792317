"""`flexrun work …`: outstanding work, who has it, and giving it back."""

from __future__ import annotations

from typing import Annotated

import typer

from flexrun.api import API
from flexrun.cli.bulk import collect, operate
from flexrun.cli.context import (
    CommandContext,
    Document,
    DryRunFlag,
    JsonFlag,
    OperatorFlag,
    ReasonFlag,
    RunFilter,
    TokenFlag,
    UrlFlag,
    YesFlag,
    facts,
    given,
    heading,
    in_path,
    short_time,
    table,
    words,
)
from flexrun.cli.shared import stop

app = typer.Typer(help="Outstanding work: what is due, who has it, and giving it back.", no_args_is_help=True)

_HELD = ("claimed", "running", "parked")
"""What is released where no state is named."""

QueueFilter = Annotated[str | None, typer.Option("--queue", help="only of this queue")]
KindFilter = Annotated[
    str | None, typer.Option("--kind", help="only plan, node, output, deadline, request_expiry, …")
]
WorkerFilter = Annotated[
    str | None, typer.Option("--worker", help="only what this worker, or this process, has")
]
StateFilter = Annotated[
    str | None,
    typer.Option("--state", help="only due, later, claimed, running, parked, callback or timer"),
]


@app.command(name="list")
def list_work(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    run: RunFilter = None,
    queue: QueueFilter = None,
    kind: KindFilter = None,
    worker: WorkerFilter = None,
    state: StateFilter = None,
    cursor: Annotated[str | None, typer.Option("--cursor", help="the nextCursor of the page before")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="how many, at most")] = 50,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """What is due or will be, who has it until when, and whether anybody is there to take it; the oldest first.

    Example: flexrun work list --state running --worker host:4711:1f2e3d4c
    """
    context = CommandContext(url, token, as_json)
    query = {
        "runId": run,
        "queue": queue,
        "kind": kind,
        "worker": worker,
        "state": state,
        "cursor": cursor,
        "limit": limit,
    }
    context.show(context.get(f"{API}/work", query), _listed)


@app.command()
def show(
    work: Annotated[str, typer.Argument(metavar="WORK", help="the work's id, RUN:KIND:REF")],
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """One piece of work: who has it, who could take it, and which workers were lost over it.

    Example: flexrun work show 01a2037d-c782-7554-9225-a4beccda594b:node:draft-a
    """
    context = CommandContext(url, token, as_json)
    context.show(context.get(f"{API}/work/{in_path(work)}"), _shown)


@app.command()
def release(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    work: Annotated[list[str] | None, typer.Argument(metavar="[WORK]…", help="ids, RUN:KIND:REF")] = None,
    run: RunFilter = None,
    queue: QueueFilter = None,
    kind: KindFilter = None,
    worker: WorkerFilter = None,
    state: Annotated[
        str | None, typer.Option("--state", help="only claimed, running, parked or callback")
    ] = None,
    dry_run: DryRunFlag = False,
    yes: YesFlag = False,
    reason: ReasonFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """End leases now, so that other workers take the work; what the old ones still report is refused as stale.

    Exits with 1 where some were refused.

    Example: flexrun work release --worker host:4711:1f2e3d4c --yes --reason "it hangs"
    """
    wanted = given({"runId": run, "queue": queue, "kind": kind, "worker": worker, "state": state})
    if bool(work) == bool(wanted):
        stop("Which work? Either ids, or one or more of --run, --queue, --kind, --worker, --state.")
    more = given({"reason": reason, "operator": operator})
    context = CommandContext(url, token, as_json)
    ids = list(work) if work else _held(context, wanted)
    operate(
        context, f"{API}/work/release", "workIds", ids, verb="release", dry_run=dry_run, yes=yes, more=more
    )


def _held(context: CommandContext, wanted: Document) -> list[str]:
    states = [wanted["state"]] if "state" in wanted else _HELD
    return [
        each
        for state in states
        for each in collect(context, f"{API}/work", {**wanted, "state": state}, "work", "workId")
    ]


def _listed(answer: Document) -> object:
    rows = [
        (
            each["workId"],
            each["state"],
            each["queue"] if each["queue"] != "timer" else "",
            short_time(each["dueAt"]),
            each.get("worker", ""),
            short_time(each.get("leaseUntil")),
            _says(each),
        )
        for each in answer["work"]
    ]
    columns = ("work", "state", "queue", "due", "worker", "until", "says")
    shown: list[object] = [table(columns, rows, empty="There is no such outstanding work.")]
    if "nextCursor" in answer:
        shown.append(words(f"There are more: --cursor {answer['nextCursor']}", "dim"))
    return shown


def _says(item: Document) -> str:
    """What keeps it, the trouble first."""
    said: list[str] = []
    if item.get("served") is False:
        said.append("nobody is there who serves it")
    if item.get("waitingSeconds") is not None:
        said.append(f"has waited for {item['waitingSeconds']:.0f} s")
    if item["failures"]:
        said.append(f"failed {item['failures']} times")
    if item["losses"]:
        said.append(f"lost {len(item['losses'])} workers")
    return "; ".join(said)


def _shown(item: Document) -> object:
    capability = " ".join(filter(None, (item.get("capabilityId"), item.get("capabilityVersion"))))
    lines = {
        "work": item["workId"],
        "state": item["state"],
        "run is": item["runStatus"],
        "capability": capability,
        "queue": item["queue"],
        "attempt": item["attempt"],
        "due": short_time(item["dueAt"]),
        "worker": item.get("worker"),
        "lease until": short_time(item.get("leaseUntil")),
        "says": _says(item),
    }
    rows = [
        (each["worker"], each["role"], each["status"], "has it" if each["hasIt"] else "could take it")
        for each in item["servers"]
    ]
    who = table(("worker", "role", "status", "says"), rows, empty="Nobody is there who serves it.")
    return [facts(lines), heading("Who serves it"), who]
