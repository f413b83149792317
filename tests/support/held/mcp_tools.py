"""An MCP server over standard input and output with one tool: `python -m tests.support.held.mcp_tools`."""

from __future__ import annotations

import anyio.to_thread
from mcp.server.mcpserver import MCPServer

from tests.support.held.facets import Text
from tests.support.held.steps import Steps

server = MCPServer("held")


@server.tool()
async def measure(text: str) -> Text:
    """Wait without keeping the server from answering."""
    given = await anyio.to_thread.run_sync(
        Steps.from_environment().take, "tool", text, abandon_on_cancel=True
    )
    return Text.model_validate(given)


if __name__ == "__main__":
    server.run()
