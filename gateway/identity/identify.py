"""Who sent a request: by its token, or by a certificate. Too many wrong tokens from an address are not looked at."""

from __future__ import annotations

from aiohttp import web

from eventstore.tokens import digest_of
from gateway.auth import ANONYMOUS, bearer_token
from gateway.cors import require_local_caller
from gateway.deps import Gateway
from gateway.errors import TokenMissing, TokenRefused, TooManyWrongTokens
from gateway.identity.oidc import looks_issued
from gateway.scopes import Caller


async def identify(request: web.Request, gateway: Gateway, *, is_open: bool) -> Caller:
    """Who calls. Where the endpoint is open it does not matter who.

    Raises TokenMissing, TokenRefused, TooManyWrongTokens, IdentityUnavailable, ProxyNotTrusted, ProblemError.
    """
    tokens = gateway.deps.tokens
    if not tokens.configured:
        require_local_caller(request, gateway.config.cors_origins)
        return Caller(ANONYMOUS)
    if is_open:
        return Caller(ANONYMOUS, frozenset())
    in_query = request.method in ("GET", "HEAD") and request.path.endswith("/events")
    token = bearer_token(request, in_query=in_query)
    certified = (
        tokens.certificates.caller(request, gateway.proxies, tokens.roles) if tokens.certificates else None
    )
    if token is None and certified is not None:
        return certified
    if token is None:
        raise TokenMissing("Send a token: -H 'Authorization: Bearer …'.")
    known = await _of_token(token, gateway, gateway.proxies.client_of(request))
    if known.token_id is not None and tokens.stored is not None:
        tokens.stored.note_use(known.token_id)
    return known


async def _of_token(token: str, gateway: Gateway, address: str) -> Caller:
    tokens, attempts, digest = gateway.deps.tokens, gateway.wrong_tokens, digest_of(token)
    # A signature cannot be guessed, and each of an issuer's many tokens is new here: those are always looked at.
    if not (tokens.oidc is not None and looks_issued(token)):
        _refuse_guesses(attempts.wait_seconds(address, digest))
    try:
        known = await tokens.identify(token)
    except TokenRefused:
        _refuse_guesses(attempts.note_wrong(address, digest))
        raise
    attempts.note_good(address, digest)
    return known


def _refuse_guesses(wait_seconds: int) -> None:
    if wait_seconds:
        raise TooManyWrongTokens(
            "Too many wrong tokens came from this address. One that was good from there lately still counts.",
            retry_after_seconds=wait_seconds,
        )
