"""`submit`, `attach` and `demo`: post an envelope and watch its run."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flexrun.api import GatewayUnreachableError
from flexrun.cli.render import make_renderer
from flexrun.cli.shared import EXIT_NO, command, load_settings, open_client, run_async, say, stop
from schemas.visible import visible

if TYPE_CHECKING:
    from flexrun.client import GatewayClient
    from flexrun.settings import Settings

UrlFlag = Annotated[str | None, typer.Option("--url", help="the gateway's address (FLEXRUN_URL)")]
TokenFlag = Annotated[str | None, typer.Option("--token", help="bearer token (FLEXRUN_TOKEN)")]
JsonFlag = Annotated[bool, typer.Option("--json", help="one JSON frame per line, also on a terminal")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(submit)
    app.command()(attach)


def submit(
    file: Annotated[str, typer.Argument(help="a TaskEnvelope as JSON; - for standard input")],
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Post an envelope and follow its run to the output. Ctrl-C detaches; the run goes on."""
    settings = load_settings(url=url, token=token)
    run_async(_submit(settings, read_envelope(file), as_json))


def attach(
    run: Annotated[str, typer.Argument(help="the run's id")],
    url: UrlFlag = None,
    token: TokenFlag = None,
    after: Annotated[int, typer.Option(min=0, help="only frames after this one")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Follow a run from its first frame, or from any other, to its end."""
    run_async(follow_run(load_settings(url=url, token=token), run, as_json, after))


def read_envelope(file: str) -> bytes:
    """The bytes of FILE or of standard input; the gateway validates them."""
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        stop(f"Cannot read {visible(file)}: {error.strerror}")


async def _submit(settings: Settings, envelope: bytes, as_json: bool) -> None:
    async with open_client(settings) as client:
        run_id = await client.start_run(envelope)
        if not as_json and sys.stdout.isatty():
            say(f"run {run_id}", "dim")  # frames for a program have it in each
        await _follow(client, settings, run_id, as_json)


async def follow_run(settings: Settings, run_id: str, as_json: bool, after: int = 0) -> None:
    """Show frames until `complete`; leaves with 1 when the run did not complete."""
    async with open_client(settings) as client:
        await _follow(client, settings, run_id, as_json, after)


async def _follow(
    client: GatewayClient, settings: Settings, run_id: str, as_json: bool, after: int = 0
) -> None:
    try:
        await show_run(client, run_id, as_json, after)
    except (asyncio.CancelledError, GatewayUnreachableError):
        say(f"Detached; the run goes on. Attach again: {command(settings, 'attach', run_id)}")
        raise


async def show_run(client: GatewayClient, run_id: str, as_json: bool, after: int = 0) -> None:
    """`follow_run` for a run that ends when its follower does."""
    renderer = make_renderer(as_json)
    client.on_outage = renderer.gateway_away
    status: str | None = None
    try:
        async for frame in client.frames(run_id, after):
            renderer.show(frame)
            if frame["type"] == "complete":
                status = frame["payload"]["status"]
    finally:
        renderer.close()
    if status not in ("completed", None):
        raise typer.Exit(EXIT_NO)
