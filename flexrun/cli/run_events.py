"""`flexrun runs events`: the log of a run, as lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from flexrun.api import API
from flexrun.cli.context import CommandContext, Document, TokenFlag, UrlFlag, in_path, query_text
from flexrun.cli.render import STYLES, describe_frame
from flexrun.cli.run_list import print_line
from schemas.visible import visible

if TYPE_CHECKING:
    from flexrun.client import GatewayClient

PAGE_EVENTS = 1_000

_EXAMPLE = "Example: flexrun runs events RUN --type node_error --type complete --json"
LinesFlag = Annotated[bool, typer.Option("--json", help="one JSON frame per line, as the API has it")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(name="events", epilog=_EXAMPLE)(events)


def events(
    run: Annotated[str, typer.Argument(metavar="RUN", help="the run's id")],
    follow: Annotated[bool, typer.Option("--follow", help="go on until the run is complete")] = False,
    after: Annotated[int, typer.Option("--after", min=0, help="only events after this one")] = 0,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="only events of this type; again for more")
    ] = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: LinesFlag = False,
) -> None:
    """The log of a run: number, time, type, and what it says."""
    context = CommandContext(url, token, as_json)

    async def show(client: GatewayClient) -> None:
        frames = client.frames(in_path(run), after) if follow else stored_frames(client, run, after)
        async for frame in frames:
            if types is None or frame["type"] in types:
                if as_json:
                    print_line(frame)
                else:
                    context.console.print(event_line(frame), soft_wrap=True, highlight=False)

    context.ask(show)


async def stored_frames(client: GatewayClient, run: str, after: int = 0) -> AsyncIterator[Document]:
    """The events that a run has by now, page by page."""
    while True:
        path = f"{API}/runs/{in_path(run)}/events" + query_text({"after": after, "limit": PAGE_EVENTS})
        page: Document = await client.call("GET", path)
        for frame in page["events"]:
            yield frame
        if page["complete"] or len(page["events"]) < PAGE_EVENTS:
            return
        after = page["nextAfter"]


def event_line(frame: Document) -> Text:
    """`   12  2026-11-22 12:00:00.123  node_start  draft: Write the draft`."""
    time = frame["timestamp"][:23].replace("T", " ")
    return Text.assemble(
        (f"{frame['id']:>5}  ", "bold"),
        (f"{time}  ", "dim"),
        (visible(f"{frame['type']:<16}"), STYLES.get(frame["type"], "")),
        "  ",
        visible(describe_frame(frame)),
    )
