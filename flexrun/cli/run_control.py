"""`flexrun runs abort|pause|resume|retry|fork|set-priority`: commands to one run, or to many."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flexrun.api import API
from flexrun.cli.context import (
    CommandContext,
    Document,
    DryRunFlag,
    JsonFlag,
    OperatorFlag,
    ReasonFlag,
    TokenFlag,
    UrlFlag,
    YesFlag,
    given,
    in_path,
    read_json,
    words,
)
from flexrun.cli.run_bulk import Chosen, FilterFlag, RunsArgument, to_many
from flexrun.cli.run_page import reused_lines
from flexrun.cli.shared import stop

if TYPE_CHECKING:
    from flexrun.client import GatewayClient

_FROM = "the first node that runs again; without it, those that are not completed"
_PRIORITIES = ("normal", "high")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    examples = {
        abort: "flexrun runs abort --filter client=acme --filter older-than=2d --dry-run",
        pause: "flexrun runs pause RUN --reason 'wrong audience'",
        resume: "flexrun runs resume --filter label=launch --yes",
        retry: "flexrun runs retry --filter status=failed --filter error=capability_failed --yes",
        fork: "flexrun runs fork RUN --from review --inputs changed.json",
        set_priority: "flexrun runs set-priority high RUN --reason 'the launch is today'",
    }
    for command, example in examples.items():
        app.command(epilog=f"Example: {example}")(command)


def _command(verb: str, says: str) -> Callable[..., None]:
    """A command that tells the gateway nothing but why, and by whom."""

    def command(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
        runs: RunsArgument = None,
        filters: FilterFlag = None,
        dry_run: DryRunFlag = False,
        yes: YesFlag = False,
        reason: ReasonFlag = None,
        operator: OperatorFlag = None,
        url: UrlFlag = None,
        token: TokenFlag = None,
        as_json: JsonFlag = False,
    ) -> None:
        chosen = Chosen.of(runs, filters, dry_run, yes)
        _control(CommandContext(url, token, as_json), verb, chosen, {"reason": reason, "operator": operator})

    command.__name__, command.__doc__ = verb, says
    return command


abort = _command("abort", "End runs now; what works on them is cancelled.")
pause = _command("pause", "Start nothing new in runs; what is being worked on may finish.")
resume = _command("resume", "Go on with runs that were paused.")
retry = _command(
    "retry", "A new run for each that begins at its failed nodes. Asked again, it is the same new run."
)


def fork(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    runs: RunsArgument = None,
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
    filters: FilterFlag = None,
    dry_run: DryRunFlag = False,
    yes: YesFlag = False,
    reason: ReasonFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """A new run for each that keeps what it completed before a node, with what you change."""
    chosen = Chosen.of(runs, filters, dry_run, yes)
    body: Document = {"fromNodeId": from_node, "reason": reason, "operator": operator}
    files = {"inputs": inputs, "policies": policies, "nodes": nodes, "plan": plan, "outputContract": contract}
    for key, file in files.items():
        if file is not None:
            body[key] = read_json(file)
    _control(CommandContext(url, token, as_json), "fork", chosen, body)


def set_priority(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    priority: Annotated[str, typer.Argument(metavar="PRIORITY", help="high, or normal")],
    runs: RunsArgument = None,
    filters: FilterFlag = None,
    dry_run: DryRunFlag = False,
    yes: YesFlag = False,
    reason: ReasonFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Have what waits of runs go before other work (high), or take its turn again (normal)."""
    if priority not in _PRIORITIES:
        stop(f"A priority is one of {', '.join(_PRIORITIES)}.")
    chosen = Chosen.of(runs, filters, dry_run, yes)
    body = {"priority": priority, "reason": reason, "operator": operator}
    _control(CommandContext(url, token, as_json), "set-priority", chosen, body)


_PATHS = {"set-priority": "priority"}


def _control(context: CommandContext, verb: str, chosen: Chosen, body: Document) -> None:
    """To one run: the gateway's answer. To many: a report."""

    async def send(client: GatewayClient, run: str) -> Document:
        return await client.call("POST", f"{API}/runs/{in_path(run)}/{_PATHS.get(verb, verb)}", given(body))

    if chosen.one is None:
        to_many(context, verb, chosen, send)
        return
    run = chosen.one
    context.show(context.ask(lambda client: send(client, run)), lambda answer: _answered(context, answer))


def _answered(context: CommandContext, answer: Document) -> list[Any]:
    shown: list[Any] = [words(f"run {answer['runId']} is {answer['status']}")]
    if "priority" in answer:
        shown = [words(f"run {answer['runId']} has priority {answer['priority']}")]
    if "origin" in answer:
        shown += [words(line) for line in reused_lines(answer.get("reuse"))]
        shown.append(words(f"follow it: {context.command('attach', answer['runId'])}", "dim"))
    return shown
