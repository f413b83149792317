"""Connections to addresses from callers: resolved in separate threads, checked at the moment they are opened."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from schemas.addresses import is_public

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""What `socket.getaddrinfo` says of one address."""

_DNS_CACHE_SECONDS = 10


class ReceiverRefused(OSError):
    """A host that resolves to this machine, this network or a reserved address."""

    def __init__(self, address: str, permission: str) -> None:
        super().__init__(f"{address} is not a public address; {permission} allows it")
        self.address = address


WEBHOOKS_PERMISSION = "FLEXRUN_WEBHOOK_ALLOW_PRIVATE=true"
CAPABILITIES_PERMISSION = "allowPrivate in its home, or FLEXRUN_CAPABILITY_ALLOW_PRIVATE=true,"


def guarded_connector(
    resolver: AbstractResolver,
    *,
    allow_private: bool,
    permission: str = WEBHOOKS_PERMISSION,
    keep_alive: bool = True,
) -> TCPConnector:
    """A connector that opens no connection to an address that is not public, by any name or literal.

    `permission` is what the error of a refused address says would allow it. It checks the address that a socket is
    made for, so a name that resolves differently the second time gains nothing.
    """
    return TCPConnector(
        limit=0,
        force_close=not keep_alive,
        resolver=resolver,
        ttl_dns_cache=_DNS_CACHE_SECONDS,
        socket_factory=None if allow_private else partial(_public_socket, permission),
    )


def guarded_session(
    resolver: AbstractResolver, *, allow_private: bool, permission: str, keep_alive: bool
) -> ClientSession:
    """A session over `guarded_connector` that asks for plain JSON. It keeps no cookies and unpacks nothing.

    It has no time limit of its own.
    """
    return ClientSession(
        connector=guarded_connector(
            resolver, allow_private=allow_private, permission=permission, keep_alive=keep_alive
        ),
        timeout=ClientTimeout(total=None),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        headers={
            "User-Agent": "flexrun",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        },
    )


def _public_socket(permission: str, info: AddressInfo) -> socket.socket:
    family, kind, protocol, _, address = info
    host = str(address[0])
    if not is_public(host):
        raise ReceiverRefused(host, permission)
    return socket.socket(family, kind, protocol)


class ThreadResolver(AbstractResolver):
    """getaddrinfo in threads of its own: names whose servers are silent must not hold up the loop's few threads."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="webhook-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses of a host. Raises OSError."""
        look_up = partial(socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=found_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found_family, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Wait for no thread: one that asks a silent server ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
