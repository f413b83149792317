"""Calls of a gateway: of one of several, with pauses that grow while none answers."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, cast

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

API = "/api/v1/flex"
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
ANSWER_SECONDS = 30.0
_HTTP_OK, _HTTP_REDIRECT = 200, 300


class GatewayError(Exception):
    """A gateway has refused a call. `code` is the problem's, `errors` are the places that are wrong."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(problem.get("detail") or f"HTTP {status}")
        self.status = status
        self.code = str(problem.get("code") or f"http_{status}")
        self.errors: list[dict[str, Any]] = list(problem.get("errors") or ())

    def __str__(self) -> str:
        places = "".join(f"\n  {each.get('pointer')}: {each.get('message')}" for each in self.errors[:10])
        return f"{self.code}: {self.args[0]}{places}"


class GatewayUnreachable(Exception):
    """No gateway answers, or the answer was cut off."""


def pause_seconds(failures: int) -> float:
    """The pause after so many failures in a row: it doubles, and no two callers pause alike."""
    longest = min(FIRST_PAUSE_SECONDS * 2 ** min(failures, 10), LONGEST_PAUSE_SECONDS)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads load, hides nothing


def problem_of(body: bytes) -> Mapping[str, Any]:
    """The problem document that an answer has; {} where it is none."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def is_passing(status: int) -> bool:
    """Whether the same call may succeed a little later."""
    return status in (408, 425, 429, 502, 503, 504)


def headers_of(token: str | None) -> dict[str, str]:
    """What every call sends."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def addresses(url: str | Sequence[str]) -> list[str]:
    """The gateways' addresses, without a slash at their end. Raises ValueError where there is none."""
    urls = [url] if isinstance(url, str) else list(url)
    found = [each.rstrip("/") for each in urls if each.strip()]
    if not found:
        raise ValueError("name at least one gateway, such as http://127.0.0.1:8080")
    return found


class Gateways:
    """One connection pool over all gateways. What one cannot answer now is asked of the next."""

    def __init__(self, url: str | Sequence[str], token: str | None = None) -> None:
        self._urls = addresses(url)
        self._turn = 0
        self._token = token
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> ClientSession:
        """Made where it is first used: it belongs to the event loop that runs then."""
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=0),
                headers=headers_of(self._token),
                timeout=ClientTimeout(total=ANSWER_SECONDS),
                trust_env=True,
            )
        return self._session

    @property
    def url(self) -> str:
        """The gateway that is asked now."""
        return self._urls[self._turn % len(self._urls)]

    def next(self) -> None:
        """Ask another one from now on."""
        self._turn += 1

    async def post(
        self,
        path: str,
        body: Any,
        *,
        headers: Mapping[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Any:
        """POST once; see `call`."""
        return await self.call("POST", path, body, headers=headers, seconds=seconds)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Any:
        """Call once; the JSON of the answer. Raises GatewayError, GatewayUnreachable, ValueError (not JSON)."""
        raw = _encoded(body)
        try:
            async with self.session.request(
                method,
                self.url + path,
                data=raw,
                headers=headers,
                timeout=ClientTimeout(total=seconds),
                allow_redirects=False,
            ) as answer:
                status, content = answer.status, await answer.read()
            if _HTTP_OK <= status < _HTTP_REDIRECT:
                return json.loads(content)
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            at = self.url
            self.next()
            raise GatewayUnreachable(f"{at} does not answer: {error!r}") from error
        if is_passing(status):
            self.next()
        raise GatewayError(status, problem_of(content))

    async def post_patiently(
        self, path: str, body: Any, *, give_up_seconds: float, headers: Mapping[str, str] | None = None
    ) -> Any:
        """`post`, again for so long while no gateway can take it."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + give_up_seconds
        failures = 0
        while True:
            try:
                return await self.post(path, body, headers=headers)
            except (GatewayError, GatewayUnreachable) as error:
                passing = isinstance(error, GatewayUnreachable) or is_passing(error.status)
                if not passing or loop.time() >= give_up_at:
                    raise
            await asyncio.sleep(pause_seconds(failures))
            failures += 1


def _encoded(body: Any) -> bytes | None:
    if body is None:
        return None
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
