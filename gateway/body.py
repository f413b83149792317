"""Reading a request's body: bounded in size and in time."""

from __future__ import annotations

import asyncio
from typing import BinaryIO

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.web_exceptions import HTTPRequestEntityTooLarge

from gateway.config import GatewayConfig
from gateway.problems import ProblemError

BODY_BYTES = web.RequestKey("body_bytes", int)
"""How long the body of a request was."""


async def read_body(request: web.Request, config: GatewayConfig, limit_bytes: int | None = None) -> bytes:
    """The body, of any content type. Raises ProblemError: too large (413), too slow (408) or broken (400).

    `limit_bytes` is for bodies that may be larger than others.
    A length that is announced is judged before anything is read; without one, reading stops at the limit. What is
    still on its way then is thrown away for `linger_seconds`, so that the client gets to read the answer.
    """
    asked = request
    limit = config.body_limit_bytes if limit_bytes is None else limit_bytes
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    if limit > config.body_limit_bytes:
        request = request.clone(client_max_size=limit)
    try:
        await _ask_for_body(request)
        async with asyncio.timeout(config.body_seconds):
            body = await request.read()
            asked[BODY_BYTES] = len(body)
            return body
    except HTTPRequestEntityTooLarge:
        raise _too_large(limit) from None
    except TimeoutError:
        detail = f"The body did not arrive within {config.body_seconds:g} s."
        raise ProblemError(408, "body_too_slow", detail, close=True) from None
    except web.RequestPayloadError as error:
        raise ProblemError(400, "body_broken", f"The body cannot be read: {error}", close=True) from None


async def spool_body(
    request: web.Request, config: GatewayConfig, file: BinaryIO, *, limit_bytes: int, seconds: float
) -> None:
    """Write the body to `file` as it comes. Raises ProblemError as `read_body` does, and OSError.

    It may take `seconds` in all, and each piece as long as a whole body of others.
    """
    if (request.content_length or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    received = 0
    try:
        await _ask_for_body(request)
        async with asyncio.timeout(seconds):
            while piece := await asyncio.wait_for(request.content.readany(), config.body_seconds):
                received += len(piece)
                if received > limit_bytes:
                    raise _too_large(limit_bytes)
                await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(file.flush)
    except TimeoutError:
        detail = (
            f"The body did not arrive within {seconds:g} s, or nothing of it for {config.body_seconds:g} s."
        )
        raise ProblemError(408, "body_too_slow", detail, close=True) from None
    except web.RequestPayloadError as error:
        raise ProblemError(400, "body_broken", f"The body cannot be read: {error}", close=True) from None


async def expect_continue(request: web.Request) -> None:
    """Answer `Expect: 100-continue` when the body is read and not before: one that is refused is never sent."""


async def _ask_for_body(request: web.Request) -> None:
    expects = request.headers.get("Expect", "").lower() == "100-continue"
    if expects and request.version == HttpVersion11 and not request.content.is_eof():
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # aiohttp counts it as the body of the answer otherwise.
        request.writer.output_size = 0


def refuse_codings(request: web.Request) -> None:
    """Raise ProblemError (415) for a body that would have to be unpacked: a few bytes may become any number."""
    codings = [
        *_codings(request, hdrs.CONTENT_ENCODING, plain="identity"),
        *_codings(request, hdrs.TRANSFER_ENCODING, plain="chunked"),
    ]
    if codings:
        detail = (
            f"Bodies are taken as they are, without a content coding; not as {', '.join(codings)[:100]!r}."
        )
        headers = {"Accept-Encoding": "identity"}
        raise ProblemError(415, "coding_unsupported", detail, headers=headers, close=True)


def _codings(request: web.Request, header: str, *, plain: str) -> list[str]:
    named = [
        each.strip().lower() for value in request.headers.getall(header, []) for each in value.split(",")
    ]
    return [each for each in named if each not in ("", plain)]


def close_unread(request: web.Request, response: web.StreamResponse) -> None:
    """Close the connection behind an answer that was given without reading the whole body."""
    if not request.content.at_eof():
        response.force_close()
        response.headers[hdrs.CONNECTION] = "close"


def _too_large(limit_bytes: int) -> ProblemError:
    detail = f"The body is larger than {limit_bytes} bytes; send the address of large material instead."
    return ProblemError(413, "body_too_large", detail, close=True)
