"""An MCP server with tools of every kind, for the tests: `python -m tests.support.mcp_server FOLDER [PORT]`.

Over standard input and output, or over streamable HTTP where there is a port. What happened to it is in files of the
folder: `started` has a line for each start with the pid and the environment, `cancelled` one for each call that was
cancelled. Where there is a file `changed`, its tool `shout` takes something else.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel

FOLDER = Path(sys.argv[1])
server = MCPServer("test")


class Loud(BaseModel):
    """What shout gives."""

    text: str
    length: int


@server.tool()
def shout(text: str) -> Loud:
    """The text in capitals."""
    return Loud(text=text.upper(), length=len(text))


@server.tool(structured_output=False, annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=True))
def plain(text: str) -> str:
    """The text, without an output schema."""
    return f"plain {text}"


@server.tool()
def fail(text: str) -> Loud:
    """Fails."""
    raise ToolError(f"cannot do {text}")


@server.tool()
async def wait(seconds: float) -> Loud:
    """Takes its time."""
    note("waiting", str(seconds))
    try:
        await anyio.sleep(seconds)
    except anyio.get_cancelled_exc_class():
        note("cancelled", str(seconds))
        raise
    return Loud(text="waited", length=1)


@server.tool()
def die(text: str) -> Loud:
    """Ends its server, once; then it does what it should."""
    if not (FOLDER / "died").exists():
        note("died", text)
        sys.stderr.write(f"dying with {os.environ.get('SERVER_SECRET')}\n")
        sys.stderr.flush()
        os._exit(3)
    return Loud(text=text, length=len(text))


@server.tool()
async def change(text: str, context: Context[Any, Any]) -> Loud:
    """Changes shout, and says so."""
    (FOLDER / "changed").touch()
    change_shout()
    await context.notify_tools_changed()
    return Loud(text=text, length=1)


def change_shout() -> None:
    """Give shout another parameter."""
    server.remove_tool("shout")

    @server.tool(name="shout")
    def _shout(words: list[str]) -> Loud:
        return Loud(text=" ".join(words), length=len(words))


def note(name: str, text: str) -> None:
    """Add a line to a file of the folder."""
    with (FOLDER / name).open("a", encoding="utf-8") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    note("started", json.dumps([os.getpid(), dict(os.environ)]))
    if (FOLDER / "changed").exists():
        change_shout()
    if len(sys.argv) > 2:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run()
