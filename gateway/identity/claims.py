"""What the claims of a token mean here: a name, roles, scopes, and a tenant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, cast

from gateway.errors import TokenRefused
from gateway.identity.config import OidcConfig
from gateway.roles import Roles
from runs.commands import Actor
from schemas.tenant import DEFAULT_TENANT, is_tenant_name
from schemas.tokens import Scope, rule_roles, scopes_meant

MAX_VALUES = 200
"""So many roles of a token count, and so many of its scopes: the first ones."""

MAX_CHARS = 200


def actor_of(claims: Mapping[str, Any], config: OidcConfig) -> Actor:
    """Whose token it is, with the roles that the rules of runs know. Raises TokenRefused for one without a name."""
    for path in config.name_claims:
        name = claim_at(claims, path)
        if isinstance(name, str) and name.strip() and len(name) <= MAX_CHARS and "\0" not in name:
            return Actor(name.strip(), tuple(dict.fromkeys(_in_rules(claims, config))), verified=True)
    raise TokenRefused(f"The token names nobody: it has none of the claims {', '.join(config.name_claims)}.")


def _in_rules(claims: Mapping[str, Any], config: OidcConfig) -> Iterator[str]:
    """The roles that the rules of runs may name: those that open nothing here."""
    for role in rule_roles(_values(claims, config.role_claims)):
        if not (config.scope_prefix and role.startswith(config.scope_prefix)):
            yield role


def access_of(claims: Mapping[str, Any], config: OidcConfig) -> frozenset[str]:
    """The names of scopes and of roles that open something: what begins with the prefix, without it."""
    values = _values(claims, (*config.role_claims, *config.scope_claims))
    prefix = config.scope_prefix
    return frozenset(value.removeprefix(prefix) for value in values if value.startswith(prefix))


def scopes_of(access: Collection[str], roles: Roles) -> frozenset[Scope]:
    """What these names open, where roles open this."""
    return scopes_meant(access) | roles.scopes_of(access)


def tenant_of(claims: Mapping[str, Any], config: OidcConfig) -> str:
    """The tenant that the token is for. Raises TokenRefused where it has to name one and does not."""
    if config.tenant_claim is None:
        return DEFAULT_TENANT
    tenant = claim_at(claims, config.tenant_claim)
    if not isinstance(tenant, str) or not is_tenant_name(tenant):
        raise TokenRefused(f"The token names no tenant in its claim {config.tenant_claim}.")
    return tenant


def claim_at(claims: Any, path: str) -> Any:
    """The value at a path; None where there is none.

    Names of claims may have dots in them (`https://acme.example/roles`), so each dot may be a step, or not.
    """
    if not isinstance(claims, dict):
        return None
    members = cast("dict[str, Any]", claims)
    if path in members:
        return members[path]
    for place, each in enumerate(path):
        if each == "." and path[:place] in members:
            found = claim_at(members[path[:place]], path[place + 1 :])
            if found is not None:
                return found
    return None


def _values(claims: Mapping[str, Any], paths: Iterable[str]) -> Iterator[str]:
    """The texts in a list, or between blanks (as `scope` has them), of all these claims."""
    for path in paths:
        value: Any = claim_at(claims, path)
        parts = value.split() if isinstance(value, str) else value
        if isinstance(parts, list):
            for part in cast("list[Any]", parts)[:MAX_VALUES]:
                if isinstance(part, str) and part.strip() and len(part) <= MAX_CHARS and "\0" not in part:
                    yield part.strip()
