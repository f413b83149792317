"""`flexrun policies`: runtime policies of a run that are fired by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from flexrun.api import API
from flexrun.cli.context import (
    CommandContext,
    JsonFlag,
    OperatorFlag,
    ReasonFlag,
    TokenFlag,
    UrlFlag,
    in_path,
    words,
)
from flexrun.cli.runs import RunArgument

app = typer.Typer(help="Runtime policies: fire one by hand.", no_args_is_help=True)


@app.callback()
def _policies() -> None:
    """Runtime policies: fire one by hand."""


@app.command()
def trigger(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    run: RunArgument,
    policy: Annotated[str, typer.Argument(help="the policy's id in the envelope")],
    node: Annotated[str | None, typer.Option(help="the node that the policy is to be about")] = None,
    reason: ReasonFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Fire a policy whose trigger is manual."""
    context = CommandContext(url, token, as_json)
    body = {"reason": reason, "operator": operator, "nodeId": node}
    answer = context.post(f"{API}/runs/{in_path(run)}/policies/{in_path(policy)}/trigger", body)
    context.show(answer, lambda shown: words(f"run {shown['runId']} is {shown['status']}"))
