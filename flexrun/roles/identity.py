"""Who may call beside those with tokens of our own: the part of a gateway that settings name an issuer for."""

from __future__ import annotations

from flexrun.settings import Settings
from gateway.identity.config import OidcConfig
from gateway.identity.issuer_keys import IssuerKeys
from gateway.identity.oidc import Oidc


def oidc_of(settings: Settings) -> Oidc | None:
    """What checks the issuer's tokens; None where no issuer is set. Raises ValueError."""
    if settings.oidc_issuer is None:
        return None
    config = OidcConfig(
        issuer=settings.oidc_issuer,
        audience=tuple(settings.oidc_audience),
        algorithms=tuple(settings.oidc_algorithms),
        leeway_seconds=settings.oidc_leeway_seconds,
        keys_keep_seconds=settings.oidc_keys_keep_seconds,
        name_claims=tuple(settings.oidc_name_claims),
        role_claims=tuple(settings.oidc_role_claims),
        scope_claims=tuple(settings.oidc_scope_claims),
        scope_prefix=settings.oidc_scope_prefix,
        tenant_claim=settings.oidc_tenant_claim,
        allow_private=settings.oidc_allow_private,
    )
    return Oidc(config, IssuerKeys(config))
