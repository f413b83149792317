"""`flexrun runs …`: list, show and control runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flexrun.api import API
from flexrun.cli import run_diff, run_events, run_export, run_list, run_replay
from flexrun.cli.context import (
    CommandContext,
    Document,
    JsonFlag,
    OperatorFlag,
    ReasonFlag,
    TokenFlag,
    UrlFlag,
    in_path,
    read_json,
    words,
)
from flexrun.cli.run_page import reused_lines, run_page

app = typer.Typer(help="Runs: find, show, replay and control them.", no_args_is_help=True)

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="the run's id")]
_FROM = "the first node that runs again; without it, those that are not completed"


run_list.register(app)
run_events.register(app)
run_replay.register(app)
run_diff.register(app)
run_export.register(app)


@app.command()
def show(run: RunArgument, url: UrlFlag = None, token: TokenFlag = None, as_json: JsonFlag = False) -> None:
    """One run: its nodes, what it waits for, its output, and the runs that were made from it."""
    context = CommandContext(url, token, as_json)
    context.show(context.get(f"{API}/runs/{in_path(run)}"), run_page)


@app.command()
def abort(
    run: RunArgument,
    reason: ReasonFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """End a run now; what works on it is cancelled."""
    _control(CommandContext(url, token, as_json), run, "abort", reason, operator)


@app.command()
def pause(
    run: RunArgument,
    reason: ReasonFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Start nothing new in a run; what is being worked on may finish."""
    _control(CommandContext(url, token, as_json), run, "pause", reason, operator)


@app.command()
def resume(
    run: RunArgument,
    reason: ReasonFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Go on with a run that was paused."""
    _control(CommandContext(url, token, as_json), run, "resume", reason, operator)


@app.command()
def retry(
    run: RunArgument,
    reason: ReasonFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """A new run that begins at the failed nodes of this one. Asked again, it is the same new run."""
    context = CommandContext(url, token, as_json)
    body = {"reason": reason, "operator": operator}
    context.show(
        context.post(f"{API}/runs/{in_path(run)}/retry", body), lambda shown: _forked(context, shown)
    )


@app.command()
def fork(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    run: RunArgument,
    from_node: Annotated[str | None, typer.Option("--from", help=_FROM)] = None,
    inputs: Annotated[str | None, typer.Option(help="JSON file to lay over the inputs; -: stdin")] = None,
    policies: Annotated[str | None, typer.Option(help="JSON file to lay over the policies; -: stdin")] = None,
    nodes: Annotated[
        str | None, typer.Option(help="JSON file with the nodes that replace those not kept")
    ] = None,
    plan: Annotated[
        str | None, typer.Option(help="JSON file with a whole plan in the place of this one")
    ] = None,
    contract: Annotated[
        str | None, typer.Option(help="JSON file with another output contract; it is planned anew")
    ] = None,
    reason: ReasonFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """A new run that keeps what this one completed before a node, with what you change."""
    body: Document = {"fromNodeId": from_node, "reason": reason, "operator": operator}
    files = {"inputs": inputs, "policies": policies, "nodes": nodes, "plan": plan, "outputContract": contract}
    for key, file in files.items():
        if file is not None:
            body[key] = read_json(file)
    context = CommandContext(url, token, as_json)
    context.show(context.post(f"{API}/runs/{in_path(run)}/fork", body), lambda shown: _forked(context, shown))


def _control(context: CommandContext, run: str, verb: str, reason: str | None, operator: str | None) -> None:
    body = {"reason": reason, "operator": operator}
    answer = context.post(f"{API}/runs/{in_path(run)}/{verb}", body)
    context.show(answer, lambda shown: words(f"run {shown['runId']} is {shown['status']}"))


def _forked(context: CommandContext, answer: Document) -> Any:
    reuse = [words(line) for line in reused_lines(answer.get("reuse"))]
    return [
        words(f"run {answer['runId']} is {answer['status']}"),
        *reuse,
        words(f"follow it: {context.command('attach', answer['runId'])}", "dim"),
    ]
