"""`flexrun hitl links …`: list approval links, and revoke one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flexrun.cli.context import (
    CommandContext,
    Document,
    JsonFlag,
    LimitFlag,
    RunFilter,
    TokenFlag,
    UrlFlag,
    in_path,
    short_time,
    table,
    words,
)

app = typer.Typer(help="Links to requests: list, revoke.", no_args_is_help=True)


@app.command(name="list")
def list_links(
    run: RunFilter = None,
    request: Annotated[str | None, typer.Option("--request", help="only of this request")] = None,
    limit: LimitFlag = 50,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Links, newest first, without their addresses."""
    context = CommandContext(url, token, as_json)
    query = {"runId": run, "requestId": request, "limit": limit}
    context.show(context.get("/api/hitl/links", query), _listed)


@app.command()
def revoke(
    link: Annotated[str, typer.Argument(metavar="LINK", help="the link's id, as the list has it")],
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Take a link back: it decides nothing from now on."""
    context = CommandContext(url, token, as_json)
    answer = context.post(f"/api/hitl/links/{in_path(link)}/revoke", {})
    context.show(answer, lambda shown: words(f"link {shown['linkId']} is {shown['status']}"))


def _listed(answer: Document) -> Any:
    rows = [
        (each["linkId"], short_time(each["createdAt"]), each["status"], each["for"], each["requestId"])
        for each in answer["links"]
    ]
    shown: list[Any] = [
        table(("link", "created", "status", "for", "request"), rows, empty="There are no links.")
    ]
    if "nextCursor" in answer:
        shown.append(words("There are more: --limit, or a filter.", "dim"))
    return shown
