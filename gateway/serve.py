"""Listening on a socket."""

from __future__ import annotations

import asyncio
import resource
import socket
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateway.auth import check_bind, check_origins
from gateway.connections import Connections
from gateway.deps import GATEWAY, Gateway
from gateway.protocol import SERVER_NAME, ConnectionLimits, Runner
from gateway.tls import ServerTls

_LISTEN_BACKLOG = 1_024
_KEEP_ALIVE_SECONDS = 75.0
"""Longer than a reverse proxy keeps its end open, short enough that unused connections are closed."""

_OPEN_FILES = 65_536


@dataclass(slots=True)
class GatewayServer:
    """A gateway that listens. `url` has the port that was really taken."""

    runner: Runner
    gateway: Gateway
    url: str

    async def close(self, notice_seconds: float = 0.0) -> None:
        """End the open streams, stop listening, and let requests and writes in progress finish.

        For `notice_seconds` before it stops listening, new requests are answered 503 with `Connection: close`, and
        `/readyz` says that the gateway is stopping: callers and load balancers go elsewhere and are not cut off.
        """
        self.gateway.stop()
        await asyncio.sleep(notice_seconds)
        await self.runner.cleanup()


async def serve(
    app: web.Application,
    host: str,
    port: int,
    *,
    reuse_port: bool = False,
    listening: socket.socket | None = None,
    tls: ServerTls | None = None,
) -> GatewayServer:
    """Listen on `host` and `port` (0: any free one), or on `listening`, which is bound to them already; with `tls`,
    for HTTPS alone.

    Raises BindRefused, or OSError where the address is taken.
    """
    gateway = app[GATEWAY]
    _allow_many_connections()
    connections = Connections(gateway.config.connections_per_address, gateway.proxies)
    runner = Runner(
        app,
        ConnectionLimits(connections, gateway.config.head_seconds),
        access_log=None,
        auto_decompress=False,
        lingering_time=gateway.config.linger_seconds,
        # aiohttp waits this long, cancels the requests that are left, and waits as long again.
        shutdown_seconds=gateway.config.shutdown_seconds / 2,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
    )
    await runner.setup()
    try:
        check_bind(host, gateway.deps.tokens)
        check_origins(gateway.config.cors_origins, gateway.deps.tokens)
        where: dict[str, Any] = (
            {"sock": listening}
            if listening is not None
            else {"host": host, "port": port, "reuse_port": reuse_port or None}
        )
        if tls is not None:
            where |= {"ssl": tls.context, "ssl_handshake_timeout": gateway.config.head_seconds}
        await _Site(runner, where).start()
    except BaseException:
        await runner.cleanup()
        raise
    return GatewayServer(runner, gateway, _url("http" if tls is None else "https", host, runner))


class _Site(web.BaseSite):
    """A listening socket. aiohttp's own say nothing of how long a TLS handshake may take."""

    def __init__(self, runner: Runner, where: dict[str, Any]) -> None:
        super().__init__(runner, backlog=_LISTEN_BACKLOG)
        self._where = where

    @property
    def name(self) -> str:
        return SERVER_NAME

    async def start(self) -> None:
        """Listen from now on. Raises OSError."""
        await super().start()
        server = self._runner.server
        assert server is not None, "the runner is set up"  # noqa: S101 - for pyright
        self._server = await asyncio.get_running_loop().create_server(
            server, backlog=self._backlog, **self._where
        )


def _allow_many_connections() -> None:
    """Many systems allow a process 1,024 open files, and every open stream is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _url(scheme: str, host: str, runner: Runner) -> str:
    address: tuple[str, int] = runner.addresses[0]
    return f"{scheme}://[{host}]:{address[1]}" if ":" in host else f"{scheme}://{host}:{address[1]}"
