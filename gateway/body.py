"""Reading a request's body: bounded in size and in time."""

from __future__ import annotations

import asyncio

from aiohttp import HttpVersion11, web
from aiohttp.web_exceptions import HTTPRequestEntityTooLarge

from gateway.config import GatewayConfig
from gateway.problems import ProblemError


async def read_body(request: web.Request, config: GatewayConfig) -> bytes:
    """The body, whatever its content type says. Raises ProblemError: too large (413), too slow (408) or broken (400).

    A length that is announced is judged before anything is read; without one, reading stops at the limit. aiohttp
    then takes in what is still on its way for a while, so that the client gets to read the answer.
    """
    if (request.content_length or 0) > config.body_limit_bytes:
        raise _too_large(config)
    try:
        async with asyncio.timeout(config.body_seconds):
            return await request.read()
    except HTTPRequestEntityTooLarge:
        raise _too_large(config) from None
    except TimeoutError:
        detail = f"The body did not arrive within {config.body_seconds:g} s."
        raise ProblemError(408, "body_too_slow", detail, close=True) from None
    except web.RequestPayloadError as error:
        raise ProblemError(400, "body_broken", f"The body cannot be read: {error}", close=True) from None


async def expect_continue(request: web.Request) -> None:
    """Answer `Expect: 100-continue`, unless the body would be refused for its length: then it is never sent."""
    if request.version != HttpVersion11 or request.headers.get("Expect", "").lower() != "100-continue":
        return
    if (request.content_length or 0) <= request.client_max_size:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # aiohttp counts it as the body of the answer otherwise.
        request.writer.output_size = 0


def _too_large(config: GatewayConfig) -> ProblemError:
    detail = f"The body is larger than {config.body_limit_bytes} bytes; send the address of large material instead."
    return ProblemError(413, "body_too_large", detail, close=True)
