"""An MCP server over standard input and output for `bench.dispatch`: its tool says when it began and when it ended."""

from __future__ import annotations

import time

from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel

server = MCPServer("clock")


class Times(BaseModel):
    """Seconds since 1970."""

    began: float
    ended: float


@server.tool()
def note() -> Times:
    """When this began and ended."""
    began = time.time()
    return Times(began=began, ended=time.time())


if __name__ == "__main__":
    server.run()
