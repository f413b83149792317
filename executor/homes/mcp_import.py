"""What an MCP server offers, asked for outside of any run: its tools, as descriptors to be registered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from executor.homes.mcp_connection import connection
from executor.homes.mcp_tools import Tool, tool_descriptor
from runs.event import JsonObject
from schemas.homes import McpHome
from schemas.parsing import validate_document


@dataclass(frozen=True, slots=True)
class Wishes:
    """How tools are registered: as `name.tool`; `only` are the tools to take, all where none is named.

    `takes` and `gives` are facets, for one tool: then plans can be made with it.
    """

    name: str
    version: str
    only: Sequence[str] = ()
    takes: Sequence[str] = ()
    gives: Sequence[str] = ()
    idempotent: bool = False


async def list_tools(home: JsonObject, tail: list[str] | None = None) -> list[Tool]:
    """The tools of a server. Raises DocumentRefused for no home, and what a server that does not work may."""
    checked = validate_document(McpHome, {**home, "type": "mcp", "tool": "any"})
    async with connection(checked, tail) as opened:
        return list(opened.tools.values())


def descriptors(tools: Sequence[Tool], home: JsonObject, wishes: Wishes) -> list[JsonObject]:
    """The tools that are wanted, as descriptors. Raises LookupError for a tool that there is not."""
    named = {tool.name: tool for tool in tools}
    missing = [name for name in wishes.only if name not in named]
    if missing:
        raise LookupError(f"the server has no tool {', '.join(missing)}, but {', '.join(sorted(named))}")
    chosen = [named[name] for name in wishes.only] or list(tools)
    facets = {"facetsIn": list(wishes.takes), "facetsOut": list(wishes.gives)}
    return [
        {
            **tool_descriptor(tool, home, wishes.name, wishes.version, idempotent=wishes.idempotent),
            **{key: names for key, names in facets.items() if names},
        }
        for tool in chosen
    ]
