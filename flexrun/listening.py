"""The address of the gateway, bound before anything else is started: an address in use costs nothing then."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flexrun.settings import Settings


class ListenRefused(ValueError):
    """The gateway cannot listen there; the text says where and why."""


def bind(settings: Settings) -> socket.socket:
    """The socket of the gateway, bound and not listening yet. Raises ListenRefused."""
    try:
        return _bound(settings.host, settings.port)
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        if error.errno == errno.EADDRINUSE:
            raise ListenRefused(f"{place} is taken; choose another --port") from error
        raise ListenRefused(f"it cannot listen on {place}: {error.strerror or error}") from error


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
    except OSError:
        listening.close()
        raise
    return listening
