"""The home `mcp`: a tool of an MCP server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from executor.capability import Capability, CapabilityContext, CapabilityError
from executor.homes.mcp_server import McpServer
from executor.homes.mcp_tools import Tool, arguments_for, check_unchanged
from executor.homes.parts import HomeParts
from executor.remote import Connect
from runs.event import Json
from schemas.capability import CapabilityDescriptor
from schemas.clean_text import clean_text
from schemas.homes import McpHome
from schemas.redaction import redact
from telemetry.tracing import current, outgoing

if TYPE_CHECKING:
    from executor.homes.mcp_connection import Connection

_LIST_SECONDS = 30.0
"""After so long the tools are asked for again before a call: not every server says that they have changed."""

_MARGIN_SECONDS = 0.25
"""How long before the end of the attempt a call is given up, so that the server hears of it and the error is ours."""


def open_mcp_home(parts: HomeParts) -> Connect:
    """What makes capabilities of descriptors with an `McpHome`; those of one server share its session."""
    servers: dict[str, McpServer] = {}

    def connect(descriptor: CapabilityDescriptor) -> Capability:
        home = cast("McpHome", descriptor.home)
        key = home.model_dump_json(exclude={"tool"})
        if key not in servers:
            servers[key] = McpServer(home)
            parts.stack.push_async_callback(servers[key].close)
        return McpCapability(descriptor, servers[key], permitted=_permitted(home, parts))

    return connect


def _permitted(home: McpHome, parts: HomeParts) -> bool:
    return home.command is None or parts.mcp_commands.permits(home.command)


class McpCapability:
    """One registered tool."""

    def __init__(self, descriptor: CapabilityDescriptor, server: McpServer, *, permitted: bool) -> None:
        self._descriptor = descriptor
        self._server = server
        self._tool = cast("McpHome", descriptor.home).tool
        self._permitted = permitted

    @property
    def descriptor(self) -> CapabilityDescriptor:
        """The descriptor as it was registered."""
        return self._descriptor

    async def run(self, context: CapabilityContext) -> Json:
        """What the tool gives: its structured content, else `{"text"}`. Raises CapabilityError."""
        if not self._permitted:
            raise CapabilityError(
                "mcp_command_not_allowed",
                f"this executor may not start {self._server.name}: FLEXRUN_MCP_COMMANDS does not name its command",
                retryable=False,
            )
        for last in (False, True):
            connection = await self._server.connection()
            try:
                return await self._call(connection, context)
            except _NotReached:
                connection.ended.set()
                if last:
                    text = f"the MCP server {self._server.name} ended twice"
                    raise CapabilityError("mcp_server_unavailable", text, endpoint_failed=True) from None
        raise AssertionError  # the loop returns or raises

    async def _call(self, connection: Connection, context: CapabilityContext) -> Json:
        from executor.homes.mcp_connection import MCPError  # noqa: PLC0415 - imported when there is a connection

        tool = await self._current_tool(connection)
        arguments = arguments_for(context.bundle, tool.input_schema)
        if connection.ended.is_set():
            raise _NotReached
        try:
            with outgoing("call tool", current.get(), {"gen_ai.tool.name": self._tool}) as span:
                traceparent = span.traceparent if span is not None else None
                result = await connection.call(self._tool, arguments, _seconds(context), traceparent)
        except MCPError as error:
            raise self._failure(error, connection) from None
        except ValueError as error:
            text = clean_text(redact(f"the tool's result is none: {error}"), 1_000)
            raise CapabilityError("mcp_result_invalid", text, retryable=self._may_run_again) from None
        return self._output(result, tool)

    async def _current_tool(self, connection: Connection) -> Tool:
        """The tool as the server has it now, the same as was registered. Raises CapabilityError, _NotReached."""
        from executor.homes.mcp_connection import MCPError  # noqa: PLC0415 - as above

        if connection.changed or time.monotonic() - connection.listed_at > _LIST_SECONDS:
            try:
                await connection.list_tools()
            except MCPError:
                raise _NotReached from None
        tool = connection.tools.get(self._tool)
        check_unchanged(self._descriptor, tool, self._tool)
        return cast("Tool", tool)

    @property
    def _may_run_again(self) -> bool:
        return self._descriptor.idempotent

    def _failure(self, error: Any, connection: Connection) -> Exception:
        """What a failed call comes to. Where the tool may have run, it runs again only if that does no harm."""
        from executor.homes import mcp_connection as codes  # noqa: PLC0415 - as above

        text = clean_text(redact(str(error)), 1_000)
        if error.code == codes.INVALID_REQUEST and "session terminated" in text.lower():
            return _NotReached()  # the server was started again, and knows nothing of this session
        if error.code == codes.CONNECTION_CLOSED:
            connection.ended.set()
            return self._unknown(
                "mcp_server_lost", f"the MCP server {self._server.name} ended during the call"
            )
        if error.code == codes.REQUEST_TIMEOUT:
            return self._unknown("mcp_timeout", f"the tool {self._tool} took longer than its attempt")
        if error.code == codes.INVALID_PARAMS:
            return CapabilityError("mcp_arguments_invalid", text, retryable=False)
        return CapabilityError("mcp_call_failed", text, retryable=self._may_run_again)

    def _unknown(self, code: str, text: str) -> CapabilityError:
        if self._may_run_again:
            return CapabilityError(code, text)
        return CapabilityError(
            "outcome_unknown", f"{text}; it may have run, and is not idempotent", retryable=False
        )

    def _output(self, result: Any, tool: Tool) -> Json:
        text = "\n".join(_texts(result.content))
        if result.is_error:
            message = clean_text(redact(text or "the tool reports an error and says nothing"), 1_500)
            raise CapabilityError("mcp_tool_error", message, retryable=self._may_run_again)
        if tool.output_schema is not None:
            if result.structured_content is None:
                text = f"the tool {self._tool} has an output schema and gave no structured content"
                raise CapabilityError("mcp_result_invalid", text, retryable=self._may_run_again)
            return result.structured_content
        return {"text": text}


class _NotReached(Exception):
    """The call has not reached the server: another connection may be tried."""


def _seconds(context: CapabilityContext) -> float | None:
    left = context.remaining_seconds()
    return None if left is None else max(0.05, left - _MARGIN_SECONDS)


def _texts(content: Any) -> list[str]:
    """The texts of a result, also of text resources in it; pictures and sounds have none."""
    found: list[str] = []
    for block in content:
        text = getattr(block, "text", None) or getattr(getattr(block, "resource", None), "text", None)
        if isinstance(text, str):
            found.append(text)
    return found
