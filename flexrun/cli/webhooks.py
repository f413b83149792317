"""`flexrun webhooks …`: who is told of what happens in runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from flexrun.cli.asking import (
    Desk,
    Document,
    JsonFlag,
    LimitFlag,
    TokenFlag,
    UrlFlag,
    facts,
    given,
    in_path,
    short_time,
    table,
)
from flexrun.client import API

app = typer.Typer(help="Who is told of what happens: add, list, remove, deliveries.", no_args_is_help=True)

WebhookArgument = Annotated[str, typer.Argument(metavar="WEBHOOK", help="the webhook's id")]


@app.command()
def add(
    receiver: Annotated[str, typer.Argument(metavar="URL", help="where to post the events")],
    event: Annotated[
        list[str], typer.Option("--event", help="an event type, such as complete; again for more")
    ],
    description: Annotated[str | None, typer.Option("--description", help="what it is for")] = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Send events from now on. The secret is shown this once: its receiver checks signatures with it."""
    desk = Desk(url, token, as_json)
    body = given({"url": receiver, "eventTypes": event, "description": description})
    desk.show(desk.post(f"{API}/webhooks", body), _added)


@app.command(name="list")
def list_webhooks(url: UrlFlag = None, token: TokenFlag = None, as_json: JsonFlag = False) -> None:
    """All webhooks, oldest first, and how much waits for them."""
    desk = Desk(url, token, as_json)
    desk.show(desk.get(f"{API}/webhooks"), _listed)


@app.command()
def remove(
    webhook: WebhookArgument, url: UrlFlag = None, token: TokenFlag = None, as_json: JsonFlag = False
) -> None:
    """Send nothing more, and forget what waited."""
    desk = Desk(url, token, as_json)
    desk.ask(lambda client: client.call("DELETE", f"{API}/webhooks/{in_path(webhook)}"))
    desk.show({"removed": webhook}, lambda _: Text(f"removed {webhook}"))


@app.command()
def deliveries(
    webhook: WebhookArgument,
    status: Annotated[
        str | None, typer.Option("--status", help="only pending, delivered or given_up ones")
    ] = None,
    limit: LimitFlag = 50,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """What became of the events for one webhook, newest runs first."""
    desk = Desk(url, token, as_json)
    query = {"status": status, "limit": limit}
    desk.show(desk.get(f"{API}/webhooks/{in_path(webhook)}/deliveries", query), _delivered)


def _added(webhook: Document) -> Any:
    return [
        facts({"webhook": webhook["webhookId"], "secret": webhook["secret"]}),
        Text("Keep the secret: it is not shown again.", style="dim"),
    ]


def _listed(answer: Document) -> Any:
    columns = ("webhook", "status", "waiting", "given up", "events", "url")
    rows = [
        (
            each["webhookId"],
            each.get("disabledReason") or each["status"],
            each["waiting"],
            each["givenUp"],
            " ".join(each["eventTypes"]),
            each["url"],
        )
        for each in answer["webhooks"]
    ]
    return table(columns, rows, empty="Nobody is told of anything: flexrun webhooks add URL --event complete")


def _delivered(answer: Document) -> Any:
    columns = ("run", "event", "status", "attempts", "last attempt", "next attempt", "reason")
    rows = [
        (
            each["runId"],
            f"{each['eventId']} {each['type']}",
            each["status"],
            each["attempts"],
            short_time(each.get("attemptedAt")),
            short_time(each.get("nextAttemptAt")),
            each.get("error"),
        )
        for each in answer["deliveries"]
    ]
    shown: list[Any] = [table(columns, rows, empty="Nothing has happened yet that it asked for.")]
    if "nextCursor" in answer:
        shown.append(Text("There are more: --limit, or --status.", style="dim"))
    return shown
