"""The addresses that a webhook may not have."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

from schemas.addresses import is_public
from schemas.refusal import DocumentRefused, FieldProblem

_RESOLVE_SECONDS = 3.0


async def refuse_private(url: str) -> None:
    """Raise DocumentRefused for a URL whose host is not on the public internet, as far as can be told now.

    A name that does not resolve is let through. What counts is the check of each connection, when it is made.
    """
    parts = urlsplit(url)
    look_up = asyncio.get_running_loop().getaddrinfo(
        parts.hostname, parts.port or 443, type=socket.SOCK_STREAM
    )
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS):
            found = await look_up
    except (OSError, TimeoutError, UnicodeError):
        return
    private = [str(address[0]) for *_, address in found if not is_public(str(address[0]))]
    if private:
        message = (
            f"This leads to {private[0]}, which is not a public address;"
            " FLEXRUN_WEBHOOK_ALLOW_PRIVATE=true allows such receivers."
        )
        raise DocumentRefused([FieldProblem("address_refused", "/url", message)])
