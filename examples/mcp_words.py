"""A small MCP server over standard input and output, for docs/capabilities/mcp.md."""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel

server = MCPServer("words")


class WordCount(BaseModel):
    """What count_words gives: its output schema is made of this."""

    words: int
    longest: str


@server.tool()
def count_words(text: str) -> WordCount:
    """Count the words of a text, and find the longest."""
    found = text.split()
    return WordCount(words=len(found), longest=max(found, key=len, default=""))


@server.tool(structured_output=False)
def shout(text: str) -> str:
    """The text in capitals."""
    return text.upper()


if __name__ == "__main__":
    server.run()
