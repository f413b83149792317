"""What says who calls: the gateway's certificate and how long it lasts, and the issuer of tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flexrun.doctor.findings import Finding, ok, problem, warning
from flexrun.roles.identity import oidc_of, tls_of, tokens_of
from flexrun.settings import Settings
from gateway.identity.address import Proxies
from gateway.identity.oidc import Oidc
from gateway.tls import TlsRefused, not_after

SOON = timedelta(days=14)
_MEND = "mend it: a gateway does not start like that"


async def look_at_identity(settings: Settings) -> list[Finding]:
    """What there is to say of TLS, certificates and the issuer; nothing where none of them is set."""
    found = [*_tokens(settings), *await asyncio.to_thread(lambda: list(_certificates(settings)))]
    try:
        oidc = oidc_of(settings)
    except ValueError:
        seen = f"FLEXRUN_OIDC_ISSUER is {settings.oidc_issuer}, which is no https address of an issuer"
        return [*found, problem("identity", "issuer", seen, _MEND)]
    return [*found, await _issuer(oidc)] if oidc is not None else found


def _tokens(settings: Settings) -> Iterator[Finding]:
    """Who may call by these settings cannot be read."""
    try:
        tokens_of(settings)
        Proxies(settings.trusted_proxies)
    except ValueError as refused:
        yield problem("identity", "callers", str(refused), _MEND)


def _certificates(settings: Settings) -> Iterator[Finding]:
    try:
        if tls_of(settings) is None or settings.tls_cert is None:
            return
        yield _lasts("certificate", settings.tls_cert)
        if settings.tls_client_ca is not None:
            yield _lasts("authorities of clients", settings.tls_client_ca)
    except TlsRefused as refused:
        yield problem("identity", "certificate", str(refused), _MEND)


def _lasts(check: str, file: Path) -> Finding:
    ends = not_after(file)
    left = ends - datetime.now(UTC)
    seen = f"{file} lasts until {ends:%Y-%m-%d %H:%M} UTC"
    advice = (
        "replace it, and have gateways read it again: SIGHUP (other authorities of clients take a restart)"
    )
    if left <= timedelta(0):
        return problem("identity", check, f"{file} has ended: {ends:%Y-%m-%d %H:%M} UTC", advice)
    return warning("identity", check, seen, advice) if left < SOON else ok("identity", check, seen)


async def _issuer(oidc: Oidc) -> Finding:
    issuer = oidc.config.issuer
    try:
        number = await oidc.keys.look()
    finally:
        await oidc.keys.close()
    if oidc.keys.trouble is not None:
        advice = (
            "its tokens are answered 503 once the keys that gateways have are too old: look at the issuer"
        )
        return problem("identity", "issuer", oidc.keys.trouble, advice)
    if not number:
        seen = f"{issuer} publishes no key for {', '.join(oidc.config.algorithms)}"
        return problem("identity", "issuer", seen, "set FLEXRUN_OIDC_ALGORITHMS to what it signs with")
    return ok("identity", "issuer", f"{issuer} publishes {number} keys that can be used")
