"""`flexrun runs export`: a run as one file."""

from __future__ import annotations

import sys
import zlib
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import orjson
import typer

from flexrun.api import API
from flexrun.cli.context import CommandContext, Document, JsonFlag, TokenFlag, UrlFlag, in_path
from flexrun.cli.shared import EXIT_CANNOT_TELL, stop
from schemas.visible import visible

if TYPE_CHECKING:
    from flexrun.client import GatewayClient

_EXAMPLE = "Example: flexrun runs export RUN --out run.jsonl.gz"
_HEADER_BYTES = 64 * 1024


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(name="export", epilog=_EXAMPLE)(export)


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="the run's id")],
    out: Annotated[
        str | None, typer.Option("--out", help="the file; - is standard output (RUN.jsonl.gz)")
    ] = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the whole history of a run to one file, which tools/verify_run.py verifies without flexrun."""
    context = CommandContext(url, token, as_json)
    path = f"{API}/runs/{in_path(run)}/export"
    if out == "-":
        context.ask(lambda client: _download(client, path, sys.stdout.buffer))
        return
    target = Path(out or f"{run}.jsonl.gz")
    unfinished = target.with_name(target.name + ".part")
    try:
        with unfinished.open("wb") as file:
            header = context.ask(lambda client: _download(client, path, file))
        unfinished.replace(target)
    except OSError as error:
        stop(f"Cannot write {visible(str(target))}: {error.strerror}")
    finally:
        unfinished.unlink(missing_ok=True)
    answer = {**header, "file": str(target), "bytes": target.stat().st_size}
    context.show(answer, lambda found: f"{found['events']} events in {found['file']}")


async def _download(client: GatewayClient, path: str, file: BinaryIO) -> Document:
    """Write the answer to `file`; the header of it. Ends the command where the answer is not whole."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    begin, lines = b"", 0
    async with aclosing(client.download(path)) as pieces:
        async for piece in pieces:
            file.write(piece)
            text = unpacker.decompress(piece)
            lines += text.count(b"\n")
            if b"\n" not in begin:
                begin += text[:_HEADER_BYTES]
    header: dict[str, Any] = orjson.loads(begin.partition(b"\n")[0])
    if not unpacker.eof or lines != header["events"] + 1:
        stop(
            f"The answer has {lines - 1} of {header['events']} events: try again, then flexrun db verify",
            EXIT_CANNOT_TELL,
        )
    return header
