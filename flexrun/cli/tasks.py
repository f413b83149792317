"""`flexrun tasks …`: nodes that wait for a person's work."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flexrun.api import API
from flexrun.cli.context import (
    ClientFilter,
    CommandContext,
    Document,
    JsonFlag,
    LimitFlag,
    NoteFlag,
    OperatorFlag,
    RoleFilter,
    RunFilter,
    ThreadFilter,
    TokenFlag,
    UrlFlag,
    document,
    facts,
    heading,
    in_path,
    read_json,
    short_time,
    table,
    words,
)
from schemas.visible import visible

app = typer.Typer(help="Nodes that people do: list, show, submit, decline.", no_args_is_help=True)

TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="the task's id")]


@app.command(name="list")
def list_tasks(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    run: RunFilter = None,
    thread: ThreadFilter = None,
    client: ClientFilter = None,
    role: RoleFilter = None,
    limit: LimitFlag = 50,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """What waits for a person's work, longest waiting first."""
    query = {"runId": run, "threadId": thread, "clientId": client, "role": role, "limit": limit}
    context = CommandContext(url, token, as_json)
    context.show(context.get(f"{API}/tasks", query), _listed)


@app.command()
def show(task: TaskArgument, url: UrlFlag = None, token: TokenFlag = None, as_json: JsonFlag = False) -> None:
    """One task with all that is known: instructions, inputs, the outputs of the nodes before."""
    context = CommandContext(url, token, as_json)
    context.show(context.get(f"{API}/tasks/{in_path(task)}"), _shown)


@app.command()
def submit(
    task: TaskArgument,
    file: Annotated[str, typer.Argument(help="the output as JSON; - for standard input")],
    note: NoteFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Hand in the output; it must keep the node's contract."""
    # The output may be null, and is sent so; what was not given is left out.
    more = {name: value for name, value in (("note", note), ("operator", operator)) if value is not None}
    body = {"output": read_json(file), **more}
    context = CommandContext(url, token, as_json)
    answer = context.ask(lambda client: client.call("POST", f"{API}/tasks/{in_path(task)}/submit", body))
    context.show(answer, _outcome)


@app.command()
def decline(
    task: TaskArgument,
    reason: Annotated[str, typer.Option("--reason", help="why not, for the log")],
    note: NoteFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Say that you will not do it; what happens then says the node's fallback."""
    context = CommandContext(url, token, as_json)
    body = {"reason": reason, "note": note, "operator": operator}
    context.show(context.post(f"{API}/tasks/{in_path(task)}/decline", body), _outcome)


def _listed(answer: Document) -> Any:
    rows = [(each["taskId"], short_time(each["createdAt"]), each["label"]) for each in answer["tasks"]]
    shown: list[Any] = [table(("task", "since", "what"), rows, empty="Nothing waits for a person's work.")]
    if "nextCursor" in answer:
        shown.append(words("There are more: --limit, or a filter.", "dim"))
    return shown


def _shown(task: Document) -> Any:
    pairs = {
        "task": task["taskId"],
        "run": f"{task['runId']} ({task['runStatus']})",
        "objective": task["objective"],
        "since": short_time(task["createdAt"]),
        "until": short_time(task["expiresAt"]),
        "instructions": "\n".join(map(visible, task["instructions"])),
        "assignees": ", ".join(task["bundle"].get("bundle", {}).get("assignees") or []),
    }
    shown: list[Any] = [words(task["label"], "bold"), facts(pairs)]
    for name in ("inputs", "facets"):
        if task["bundle"].get(name):
            shown += [heading(name), document(task["bundle"][name])]
    dependencies: Document = task["bundle"].get("dependencies") or {}
    for node_id, output in dependencies.items():
        shown += [heading(node_id), document(output)]
    shown += [heading("what the output must be"), document(task.get("outputSchema"))]
    return shown


def _outcome(answer: Document) -> Any:
    return words(f"run {answer['runId']} is {answer['status']}")
