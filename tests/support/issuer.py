"""An OpenID Connect issuer on a real socket, with real keys, that signs whatever a test wants signed."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

AUDIENCE = "flexrun"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class SigningKey:
    """A private key and how it is published."""

    key_id: str | None
    algorithm: str
    private: Any = field(repr=False)

    @property
    def jwk(self) -> dict[str, Any]:
        made = get_default_algorithms()[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        named = {"kid": self.key_id} if self.key_id is not None else {}
        return {**made, "use": "sig", "alg": self.algorithm, **named}


@cache
def signing_key(key_id: str | None = "first", algorithm: str = "RS256", bits: int = 2048) -> SigningKey:
    """The same key for the same arguments, since making one takes long."""
    if algorithm.startswith(("RS", "PS")):
        return SigningKey(key_id, algorithm, rsa.generate_private_key(65537, bits))
    if algorithm.startswith("ES"):
        curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
        return SigningKey(key_id, algorithm, ec.generate_private_key(curves[algorithm]))
    return SigningKey(key_id, algorithm, ed25519.Ed25519PrivateKey.generate())


@dataclass
class Issuer:
    """What it publishes and how it answers can be changed at any time; `asked` counts requests by path."""

    url: str = ""
    keys: list[SigningKey] = field(default_factory=lambda: [signing_key()])
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    asked: dict[str, int] = field(default_factory=dict[str, int])

    def token(
        self,
        key: SigningKey | None = None,
        header: dict[str, Any] | None = None,
        *,
        life_seconds: float = 300,
        **claims: Any,
    ) -> str:
        """A token of this issuer; a claim that is None is left out."""
        key = key or self.keys[0]
        now = int(time.time())
        whole: dict[str, Any] = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "id-of-ada",
            "preferred_username": "ada",
            "iat": now,
            "exp": int(now + life_seconds),
            "realm_access": {"roles": ["legal", "flexrun:runs:read", "flexrun:runs:write"]},
            **claims,
        }
        whole = {name: value for name, value in whole.items() if value is not None}
        headers = {"kid": key.key_id, **(header or {})} if key.key_id is not None else header
        return jwt.encode(whole, key.private, key.algorithm, headers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.path] = self.asked.get(request.path, 0) + 1
        if request.path in self.answers:
            return await self.answers[request.path](request)
        if request.path == "/.well-known/openid-configuration":
            return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
        if request.path == "/keys":
            return web.json_response({"keys": [each.jwk for each in self.keys]})
        raise web.HTTPNotFound

    @property
    def fetches(self) -> int:
        """How often its keys were asked for."""
        return self.asked.get("/keys", 0)


@asynccontextmanager
async def issuer() -> AsyncIterator[Issuer]:
    """Serve on a port of 127.0.0.1."""
    made = Issuer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


def assembled(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token as no library makes it."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
