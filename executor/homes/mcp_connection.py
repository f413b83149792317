"""One connection to an MCP server through the official SDK: over pipes to a process, or streamable HTTP.

Imported at the first use only: the SDK takes long to import. A connection is opened and closed by one task, since the
SDK's cancel scopes belong to the task that enters them; calls come from any task.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, cast

import anyio
import httpx2
import mcp_types as types
from mcp.client.client import Client
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.exceptions import MCPError

from executor.homes.mcp_tools import Tool
from outbound.bounded import BoundedTransport
from outbound.env_secrets import EnvSecrets
from runs.event import JsonObject
from sandbox.environment import child_environment
from schemas.homes import McpHome

START_SECONDS = 30.0
"""How long a server may take to start and to list its tools."""

MAX_MESSAGE_BYTES = 2 * 1024 * 1024
_MAX_PAGES = 50
_TAIL_BYTES = 2_000

CONNECTION_CLOSED, REQUEST_TIMEOUT = types.CONNECTION_CLOSED, types.REQUEST_TIMEOUT
INVALID_PARAMS, INVALID_REQUEST = types.INVALID_PARAMS, types.INVALID_REQUEST

__all__ = ["Connection", "MCPError", "connection"]


class Connection:
    """A server that answers. `ended` is set when it does not any more; `changed` when it says that its tools did."""

    def __init__(self, ended: asyncio.Event) -> None:
        self.ended = ended
        self.changed = False
        self.tools: dict[str, Tool] = {}
        self.listed_at = 0.0
        self.session: ClientSession

    async def hear(self, message: object) -> None:
        """From the SDK: a notification of the server, or a fault of the connection."""
        if isinstance(message, types.ToolListChangedNotification):
            self.changed = True

    async def listen(self, client: Client) -> None:
        """Hear from a newer server that its tools have changed; older ones say so without being asked."""
        with suppress(ListenNotSupportedError, SubscriptionLost, MCPError, TimeoutError):
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    self.changed = True

    async def list_tools(self) -> None:
        """Ask for the tools, page by page. Raises MCPError."""
        self.changed = False
        tools: dict[str, Tool] = {}
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            params = types.PaginatedRequestParams(cursor=cursor) if cursor else None
            page = await self.session.list_tools(params=params)
            for each in page.tools:
                tools[each.name] = Tool(
                    each.name, each.description or "", each.input_schema, each.output_schema
                )
            cursor = page.next_cursor
            if cursor is None:
                break
        self.tools, self.listed_at = tools, time.monotonic()

    async def call(
        self, tool: str, arguments: JsonObject, seconds: float | None, traceparent: str | None = None
    ) -> types.CallToolResult:
        """The tool's result, as it is: its output is checked where it costs nobody else time.

        `traceparent` is the span of the call: a server finds it in `_meta`, where its own spans go on from it.
        A call that is cancelled or takes longer is cancelled at the server. Raises MCPError.
        """
        params = types.CallToolRequestParams(name=tool, arguments=arguments)
        if traceparent is not None:
            params.meta = cast("Any", {"traceparent": traceparent})
        return await self.session.send_request(
            types.CallToolRequest(params=params), types.CallToolResult, request_read_timeout_seconds=seconds
        )


@asynccontextmanager
async def connection(home: McpHome, tail: list[str] | None = None) -> AsyncGenerator[Connection]:
    """A server that has started and listed its tools. Raises what a broken one may, SecretMissing, TimeoutError.

    What it wrote to its standard error last is put into `tail`, once it has ended.
    """
    opened = Connection(asyncio.Event())
    async with AsyncExitStack() as stack:
        async with asyncio.timeout(START_SECONDS):
            transport = _http(home) if home.url is not None else _stdio(home, [] if tail is None else tail)
            watched = _watched(transport, opened.ended)
            client = Client(cast("Any", watched), message_handler=opened.hear, cache=None)
            opened.session = (await stack.enter_async_context(client)).session
            await opened.list_tools()
        listening = await stack.enter_async_context(anyio.create_task_group())
        listening.start_soon(opened.listen, client)
        try:
            yield opened
        finally:
            opened.ended.set()
            listening.cancel_scope.cancel()


@asynccontextmanager
async def _watched(transport: Any, ended: asyncio.Event) -> AsyncGenerator[tuple[Any, Any]]:
    """The transport; `ended` is set when the server has closed it, which the SDK tells nobody who is not calling."""
    async with transport as (read, write), anyio.create_task_group() as group:
        send, receive = anyio.create_memory_object_stream[Any](0)

        async def pump() -> None:
            try:
                async with send:
                    async for message in read:
                        await send.send(message)
            finally:
                ended.set()

        group.start_soon(pump)
        try:
            yield receive, write
        finally:
            group.cancel_scope.cancel()


@asynccontextmanager
async def _stdio(home: McpHome, tail: list[str]) -> AsyncGenerator[tuple[Any, Any]]:
    """A process with an environment of its own: a few common variables, and what the home names."""
    secrets = EnvSecrets()
    words = [secrets.resolve(word) for word in home.command or []]
    environment = child_environment(**secrets.resolve_all(home.env))
    parameters = StdioServerParameters(command=words[0], args=words[1:], env=environment)
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as errors:
        os.set_blocking(reader, False)
        drain = _Drain(errors.fileno())
        try:
            async with AsyncExitStack() as stack:
                with os.fdopen(writer, "w", encoding="utf-8") as log:
                    streams = await stack.enter_async_context(stdio_client(parameters, errlog=log))
                yield streams
        finally:
            tail.append(secrets.clean(drain.close()).decode("utf-8", "replace"))


class _Drain:
    """Reads what a server writes to its standard error, so that it never waits for a reader; keeps the last of it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._tail = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            read = os.read(self._descriptor, 65_536)
        except BlockingIOError:
            return
        except OSError:
            read = b""
        if not read:
            self._loop.remove_reader(self._descriptor)
        self._tail = (self._tail + read)[-_TAIL_BYTES:]

    def close(self) -> bytes:
        """Stop reading; what was read last."""
        self._read()
        self._loop.remove_reader(self._descriptor)
        return self._tail


@asynccontextmanager
async def _http(home: McpHome) -> AsyncGenerator[tuple[Any, Any]]:
    """Streamable HTTP, with the headers that the home names."""
    headers: Mapping[str, str] = EnvSecrets().resolve_all(home.headers)
    client = httpx2.AsyncClient(
        headers=dict(headers),
        transport=BoundedTransport(MAX_MESSAGE_BYTES),
        timeout=httpx2.Timeout(START_SECONDS, read=None),
        follow_redirects=False,
        trust_env=False,
    )
    async with (
        client,
        streamable_http_client(
            home.url or "", http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES
        ) as streams,
    ):
        yield streams
