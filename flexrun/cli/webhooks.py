"""`flexrun webhooks …`: the addresses that receive events of runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flexrun.api import API
from flexrun.cli.context import (
    CommandContext,
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
    words,
)

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
    context = CommandContext(url, token, as_json)
    body = given({"url": receiver, "eventTypes": event, "description": description})
    context.show(context.post(f"{API}/webhooks", body), _added)


@app.command(name="list")
def list_webhooks(url: UrlFlag = None, token: TokenFlag = None, as_json: JsonFlag = False) -> None:
    """All webhooks, oldest first, and how much waits for them."""
    context = CommandContext(url, token, as_json)
    context.show(context.get(f"{API}/webhooks"), lambda shown: _listed(context, shown))


@app.command()
def remove(
    webhook: WebhookArgument, url: UrlFlag = None, token: TokenFlag = None, as_json: JsonFlag = False
) -> None:
    """Send nothing more, and forget what waited."""
    context = CommandContext(url, token, as_json)
    context.ask(lambda client: client.call("DELETE", f"{API}/webhooks/{in_path(webhook)}"))
    context.show({"removed": webhook}, lambda _: words(f"removed {webhook}"))


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
    context = CommandContext(url, token, as_json)
    query = {"status": status, "limit": limit}
    context.show(context.get(f"{API}/webhooks/{in_path(webhook)}/deliveries", query), _delivered)


def _added(webhook: Document) -> Any:
    return [
        facts({"webhook": webhook["webhookId"], "secret": webhook["secret"]}),
        words("Keep the secret: it is not shown again.", "dim"),
    ]


def _listed(context: CommandContext, answer: Document) -> Any:
    rows = [
        (each["webhookId"], _state(each), " ".join(each["eventTypes"]), each["url"])
        for each in answer["webhooks"]
    ]
    empty = (
        f"There are no webhooks. Make one: {context.command('webhooks', 'add', 'URL', '--event', 'complete')}"
    )
    return table(("webhook", "state", "events", "url"), rows, empty=empty)


def _state(webhook: Document) -> str:
    said = [webhook.get("disabledReason") or webhook["status"]]
    if webhook["waiting"]:
        said.append(f"{webhook['waiting']} waiting")
    if webhook["givenUp"]:
        said.append(f"{webhook['givenUp']} given up")
    return ", ".join(said)


def _delivered(answer: Document) -> Any:
    rows = [
        (each["runId"], f"{each['eventId']} {each['type']}", each["status"], each["attempts"], _outcome(each))
        for each in answer["deliveries"]
    ]
    empty = "Nothing has happened yet that it asked for."
    shown: list[Any] = [table(("run", "event", "status", "tries", "at last"), rows, empty=empty)]
    if "nextCursor" in answer:
        shown.append(words("There are more: --limit, or --status.", "dim"))
    return shown


def _outcome(delivery: Document) -> str:
    said = delivery.get("error") or short_time(delivery.get("attemptedAt"))
    next_attempt = delivery.get("nextAttemptAt")
    return f"{said}; again at {short_time(next_attempt)}" if delivery["attempts"] and next_attempt else said
