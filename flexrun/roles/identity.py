"""Who may call beside those with tokens of our own: the part of a gateway that settings name an issuer for."""

from __future__ import annotations

from flexrun.settings import Settings
from gateway.auth import Tokens
from gateway.identity.certificates import Certificates
from gateway.identity.config import OidcConfig
from gateway.identity.issuer_keys import IssuerKeys
from gateway.identity.oidc import Oidc
from gateway.roles import Roles
from gateway.tls import ServerTls, TlsFiles, TlsRefused


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


def tokens_of(settings: Settings) -> Tokens:
    """Those who may call by a token of these settings, or by a certificate.

    Raises TokensInvalid, RolesInvalid, CertificatesInvalid.
    """
    roles = Roles.parse(settings.roles)
    tokens = Tokens.parse(settings.tokens.get_secret_value() if settings.tokens else None, roles)
    if settings.certificates is not None:
        tokens.certificates = Certificates.parse(
            settings.certificates,
            roles,
            name_in=settings.certificate_name,
            header=settings.certificate_header,
        )
    return tokens


def tls_of(settings: Settings) -> ServerTls | None:
    """What the gateway's port speaks TLS with; None where it speaks plain HTTP. Raises TlsRefused."""
    files = _tls_files(settings)
    return ServerTls(files) if files is not None else None


def read_again(tls: ServerTls | None, settings: Settings) -> bool:
    """Have connections from now on see the certificate of these settings; whether that is another one.

    Raises TlsRefused.
    """
    files = _tls_files(settings)
    if tls is None and files is None:
        return False
    if tls is None or files is None:
        raise TlsRefused("whether the gateway speaks TLS cannot change while it runs; start it again")
    return tls.reload(files)


def _tls_files(settings: Settings) -> TlsFiles | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return TlsFiles(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
