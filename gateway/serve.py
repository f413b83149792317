"""Listening on a socket."""

from __future__ import annotations

import resource
import socket
from dataclasses import dataclass

from aiohttp import web

from gateway.auth import check_bind, check_origins
from gateway.deps import GATEWAY
from gateway.protocol import Runner

_LISTEN_BACKLOG = 1_024
_KEEP_ALIVE_SECONDS = 75.0
"""Longer than a reverse proxy keeps its end open, short enough that connections nobody uses are given back."""

_OPEN_FILES = 65_536


@dataclass(slots=True)
class Server:
    """A gateway that listens. `url` has the port that was really taken."""

    runner: Runner
    url: str

    async def close(self) -> None:
        """Stop listening, end the open streams, let other requests and everything that writes come to its end."""
        await self.runner.cleanup()


async def serve(
    app: web.Application,
    host: str,
    port: int,
    *,
    reuse_port: bool = False,
    listening: socket.socket | None = None,
) -> Server:
    """Listen on `host` and `port` (0: any free one), or on `listening`, which is bound to them already.

    Raises BindRefused, or OSError where the address is taken.
    """
    gateway = app[GATEWAY]
    check_bind(host, gateway.deps.tokens)
    check_origins(gateway.config.cors_origins, gateway.deps.tokens)
    _allow_many_connections()
    runner = Runner(
        app,
        access_log=None,
        auto_decompress=False,
        lingering_time=gateway.config.linger_seconds,
        shutdown_seconds=gateway.config.shutdown_seconds,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
    )
    await runner.setup()
    try:
        site = (
            web.SockSite(runner, listening, backlog=_LISTEN_BACKLOG)
            if listening is not None
            else web.TCPSite(runner, host, port, backlog=_LISTEN_BACKLOG, reuse_port=reuse_port or None)
        )
        await site.start()
    except BaseException:
        await runner.cleanup()
        raise
    return Server(runner, _url(host, runner))


def _allow_many_connections() -> None:
    """Many systems allow a process 1,024 open files, and every open stream is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _url(host: str, runner: Runner) -> str:
    address: tuple[str, int] = runner.addresses[0]
    return f"http://[{host}]:{address[1]}" if ":" in host else f"http://{host}:{address[1]}"
