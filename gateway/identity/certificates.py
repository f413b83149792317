"""Callers whom a certificate names: that of their own connection, or one that a trusted proxy says it has seen.

`FLEXRUN_CERTIFICATES` says whom: `ada=@operator,legal;spiffe://acme/reports=runs:read`. Its roles are those of
`FLEXRUN_TOKENS`: with a `@` in front, or named like a scope, they open something; the others are for the rules of runs.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from aiohttp import web
from cryptography.x509 import Name
from cryptography.x509.oid import NameOID

from gateway.errors import ProxyNotTrusted, TokenRefused
from gateway.identity.address import Proxies, peer_of
from gateway.roles import Roles
from gateway.scopes import Caller
from runs.commands import Actor
from schemas.tokens import Scope, access_roles, rule_roles, scopes_meant

NameIn = Literal["cn", "dns", "email", "uri"]
"""Where a certificate has its caller's name: in the subject, or in a subject alternative name of that kind."""

MAX_PEOPLE = 1_000
MAX_NAME_CHARS = 200
_KINDS: Mapping[NameIn, str] = {"dns": "DNS", "email": "email", "uri": "URI"}


class CertificatesInvalid(ValueError):
    """`FLEXRUN_CERTIFICATES` cannot be read; the text says why."""


class Certificates:
    """Who is known by a certificate. `header` is where trusted proxies say the name; None: they do not."""

    def __init__(
        self, people: Mapping[str, tuple[str, ...]], *, name_in: NameIn = "cn", header: str | None = None
    ) -> None:
        self.people = people
        self._name_in: NameIn = name_in
        self._header = header

    @classmethod
    def parse(
        cls, text: str, roles: Roles, *, name_in: NameIn = "cn", header: str | None = None
    ) -> Certificates:
        """Read `name=role1,role2;name2=role1`. Raises CertificatesInvalid."""
        people: dict[str, tuple[str, ...]] = {}
        for number, entry in enumerate(filter(None, (part.strip() for part in text.split(";"))), start=1):
            name, equals, listed = entry.rpartition("=")
            found = tuple(role.strip() for role in listed.split(",") if role.strip())
            if not equals or not name.strip() or not found or len(name) > MAX_NAME_CHARS:
                raise CertificatesInvalid(f"FLEXRUN_CERTIFICATES: entry {number} is not name=role1,role2")
            if name.strip() in people:
                raise CertificatesInvalid(f"FLEXRUN_CERTIFICATES: {name.strip()!r} is there twice")
            if unknown := roles.unknown(access_roles(found)):
                raise CertificatesInvalid(
                    f"FLEXRUN_CERTIFICATES: {name.strip()!r} has the role @{unknown[0]}, and FLEXRUN_ROLES has"
                    " none of that name"
                )
            people[name.strip()] = found
        if not people or len(people) > MAX_PEOPLE:
            raise CertificatesInvalid(
                f"FLEXRUN_CERTIFICATES names {len(people)} callers; it takes 1 to {MAX_PEOPLE}"
            )
        return cls(people, name_in=name_in, header=header)

    def caller(self, request: web.BaseRequest, proxies: Proxies, roles: Roles) -> Caller | None:
        """Whom the certificate behind a request names; None without one. Raises TokenRefused, ProxyNotTrusted."""
        forwarded = self._forwarded(request, proxies)
        if forwarded is not None:
            proof = CertificateProof(self, forwarded, float("inf"))
        elif peer := cast("Mapping[str, Any] | None", request.get_extra_info("peercert")):
            until = float(ssl.cert_time_to_seconds(peer["notAfter"]))
            proof = CertificateProof(self, _name_of(peer, self._name_in), until)
        else:
            return None
        return self._believed(proof, roles)

    def _believed(self, proof: CertificateProof, roles: Roles) -> Caller:
        scopes = proof.scopes_now(roles)
        if scopes is None:
            shown = proof.name[:MAX_NAME_CHARS]
            raise TokenRefused(f"Your certificate names {shown!r}, who is not known here, or it has ended.")
        actor = Actor(proof.name, rule_roles(self.people[proof.name]), verified=True)
        return Caller(actor, scopes, proof=proof)

    def _forwarded(self, request: web.BaseRequest, proxies: Proxies) -> str | None:
        told = request.headers.getall(self._header, []) if self._header is not None else []
        if not told:
            return None
        if not proxies.trusts(peer_of(request)):
            raise ProxyNotTrusted(
                f"The header {self._header} counts from the proxies of FLEXRUN_TRUSTED_PROXIES only; do not send it."
            )
        if len(told) > 1:
            raise TokenRefused(f"The header {self._header} is there {len(told)} times.")
        text = told[0].strip()
        if not text:
            return None
        return _common_name(text) if self._name_in == "cn" and "=" in text else text


@dataclass(frozen=True, slots=True)
class CertificateProof:
    """That a certificate names somebody: it holds until then, as long as that is somebody who is known."""

    known: Certificates = field(repr=False)
    name: str
    until: float

    def scopes_now(self, roles: Roles) -> frozenset[Scope] | None:
        """What it opens now; None where it would not be accepted."""
        found = self.known.people.get(self.name)
        if found is None or time.time() >= self.until:
            return None
        return scopes_meant(found) | roles.scopes_of(access_roles(found))


def _name_of(peer: Mapping[str, Any], name_in: NameIn) -> str:
    """The one name of that kind. Raises TokenRefused for none, and for several: which one is meant is a guess."""
    if name_in == "cn":
        pairs = [pair for part in peer.get("subject", ()) for pair in part]
        names = [value for kind, value in pairs if kind == "commonName"]
    else:
        names = [value for kind, value in peer.get("subjectAltName", ()) if kind == _KINDS[name_in]]
    if len(names) != 1:
        raise TokenRefused(
            f"Your certificate has {len(names)} names of the kind {name_in!r}; it must have one."
        )
    return cast("str", names[0])


def _common_name(text: str) -> str:
    """The common name of a distinguished name (RFC 4514, `CN=ada,O=Acme`). Raises TokenRefused."""
    try:
        names = Name.from_rfc4514_string(text).get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        raise TokenRefused("The proxy names the certificate in a form that is not understood.") from None
    if len(names) != 1:
        raise TokenRefused(f"The certificate that the proxy names has {len(names)} common names.")
    return str(names[0].value)
