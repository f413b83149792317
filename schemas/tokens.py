"""Tokens of the API: what they may do (scopes), and how one is asked for."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints

from schemas.base import NOT_BLANK, Model

Scope = Literal[
    "runs:read", "runs:write", "hitl:respond", "capabilities:write", "webhooks:write", "work:claim", "admin"
]
"""What a token lets its holder do. `admin` includes all others."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

TOKEN_PREFIX = "flx_"  # noqa: S105 - how every token begins
MAX_TOKEN_SECONDS = 10 * 366 * 86_400.0

PersonName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NOT_BLANK)]
RoleName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NOT_BLANK)]


class TokenBody(Model):
    """The body of `POST /api/v1/flex/tokens`: whose token it is to be, and what it is good for.

    `roles` are those that the rules of runs name, such as `legal`. Without `expiresInSeconds` it does not expire.
    """

    name: PersonName
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]
    roles: Annotated[list[RoleName], Field(default_factory=list[str], max_length=50)]
    description: Annotated[str, StringConstraints(max_length=500)] | None = None
    expires_in_seconds: Annotated[float, Field(gt=0, le=MAX_TOKEN_SECONDS, allow_inf_nan=False)] | None = None
