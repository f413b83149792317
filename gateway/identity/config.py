"""The issuer whose tokens count, and what their claims mean here."""

from __future__ import annotations

from pydantic import Field
from pydantic.dataclasses import dataclass

from outbound.json_fetch import may_be_fetched
from schemas.config import Period, Seconds
from schemas.signatures import DEFAULT_ALGORITHMS, Algorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcConfig:
    """How tokens of an OpenID Connect issuer are checked. Claims are named by paths, `realm_access.roles`."""

    issuer: str
    """As its discovery document and each token's `iss` have it, to the letter."""

    audience: tuple[str, ...] = Field(min_length=1)
    """A token must be meant for one of these."""

    algorithms: tuple[Algorithm, ...] = DEFAULT_ALGORITHMS
    leeway_seconds: Seconds = 30.0
    """By how much the issuer's clock may differ from ours."""

    name_claims: tuple[str, ...] = ("preferred_username", "sub")
    """The first of these that a token has is its holder's name."""

    role_claims: tuple[str, ...] = ("realm_access.roles", "roles")
    """Their values are the holder's roles."""

    scope_claims: tuple[str, ...] = ("scope", "scp", "permissions")
    """Their values may be scopes."""

    scope_prefix: str = "flexrun:"
    """What a role or a value of `scope_claims` begins with that stands for a scope: `flexrun:runs:read`."""

    tenant_claim: str | None = None
    """Its value is the tenant, and a token without one is refused; None: all are of the default tenant."""

    allow_private: bool = False
    """Whether the issuer may have an address that is not public."""

    keys_fresh_seconds: Period = 300.0
    """How often its keys are fetched."""

    keys_gap_seconds: Period = 10.0
    """How long after one fetch a token with an unknown key may begin another."""

    keys_keep_seconds: Period = 3_600.0
    """How long fetched keys count while the issuer is away."""

    def __post_init__(self) -> None:
        if not may_be_fetched(self.issuer) or "?" in self.issuer or "#" in self.issuer:
            raise ValueError(
                "the issuer must be an https address without query, as its tokens have it in iss; http counts on this"
                " machine only"
            )
