"""An MCP server whose only tool does as it is told: `python -m tests.support.told_mcp FOLDER`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from tests.support.told import Told

told = Told(Path(sys.argv[1]))
server = MCPServer("told")


@server.tool()
async def obey(objective: str = "") -> dict[str, Any]:
    """Do what the next act says."""
    secret = os.environ.get("SERVER_SECRET")
    act = told.take({"objective": objective}, secret)
    if act.hangs:
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            told.note("cancelled")
            raise
    if act.error is not None:
        raise ToolError(f"{act.error} {secret if act.quotes else ''}")
    return act.output


if __name__ == "__main__":
    server.run()
