"""Tokens of the API: what they may do (scopes), and how one is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator

from schemas.base import NOT_BLANK, Model, flaw, refused

Scope = Literal[
    "runs:start",
    "runs:read",
    "runs:payload",
    "runs:control",
    "hitl:respond",
    "capabilities:write",
    "webhooks:manage",
    "links:make",
    "audit:read",
    "work:claim",
    "admin",
]
"""What a token lets its holder do. `admin` includes all others.

`runs:payload` opens nothing by itself: it shows what runs hold (inputs, outputs, proposals, the envelope) in the
answers that other scopes open.
"""

SCOPES: tuple[Scope, ...] = get_args(Scope)

OldScope = Literal["runs:write", "webhooks:write"]
"""Names of earlier releases, which stand for what they meant there."""

OLD_SCOPES: Mapping[str, tuple[Scope, ...]] = MappingProxyType(
    {
        "runs:write": ("runs:start", "runs:control", "runs:payload"),
        "webhooks:write": ("webhooks:manage", "runs:payload"),
    }
)

ACCESS_MARK = "@"
"""How a role that opens something begins where it stands among the roles that rules of runs name: `@viewer`."""

TOKEN_PREFIX = "flx_"  # noqa: S105 - how every token begins
MAX_TOKEN_SECONDS = 10 * 366 * 86_400.0

PersonName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NOT_BLANK)]
RoleName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NOT_BLANK)]


class TokenBody(Model):
    """The body of `POST /api/v1/flex/tokens`: whose token it is to be, and what it is good for.

    `roles` are those that the rules of runs name, such as `legal`, and with a `@` in front those of FLEXRUN_ROLES, such
    as `@viewer`, which open what their scopes do. Without `expiresInSeconds` it does not expire.
    """

    name: PersonName
    scopes: Annotated[
        list[Scope | OldScope],
        Field(default_factory=list[Scope | OldScope], max_length=len(SCOPES) + len(OLD_SCOPES)),
    ]
    roles: Annotated[list[RoleName], Field(default_factory=list[str], max_length=50)]
    description: Annotated[str, StringConstraints(max_length=500)] | None = None
    expires_in_seconds: Annotated[float, Field(gt=0, le=MAX_TOKEN_SECONDS, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _opens_something(self) -> Self:
        if not self.scopes and not access_roles(self.roles):
            message = "Give it a scope, or a role that has some, such as @viewer among its roles."
            raise refused(flaw("missing", message, "scopes"))
        return self


def scopes_meant(names: Iterable[str]) -> frozenset[Scope]:
    """The scopes that these names are, or stood for in an earlier release; a name that is neither is passed over."""
    meant = set[Scope]()
    for name in names:
        if name in OLD_SCOPES:
            meant.update(OLD_SCOPES[name])
        elif name in SCOPES:
            meant.add(name)
    return frozenset(meant)


def access_roles(roles: Iterable[str]) -> list[str]:
    """The roles that open something, without their mark."""
    return [role.removeprefix(ACCESS_MARK) for role in roles if role.startswith(ACCESS_MARK)]


def rule_roles(roles: Iterable[str]) -> tuple[str, ...]:
    """The roles that the rules of runs may name: those without the mark."""
    return tuple(role for role in roles if not role.startswith(ACCESS_MARK))
