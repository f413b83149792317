"""Roles that open something: named sets of scopes, built in or from `FLEXRUN_ROLES`.

Two ways to write them: `support=runs:read,runs:control;reader=runs:read`, or JSON such as
`{"support": ["runs:read", "runs:control"]}`. One that is named like a role that is built in takes its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

import orjson

from schemas.tokens import OLD_SCOPES, SCOPES, Scope, scopes_meant

BUILT_IN: Mapping[str, tuple[Scope, ...]] = MappingProxyType(
    {
        "viewer": ("runs:read",),
        "operator": ("runs:read", "runs:control"),
        "developer": (
            "runs:start",
            "runs:read",
            "runs:payload",
            "runs:control",
            "capabilities:write",
            "webhooks:manage",
        ),
        "approver": ("runs:read", "runs:payload", "hitl:respond", "links:make"),
        "worker": ("work:claim",),
        "auditor": ("runs:read", "audit:read"),
        "admin": ("admin",),
    }
)
"""The roles that are there without a setting."""

MAX_ROLES = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class RolesInvalid(ValueError):
    """`FLEXRUN_ROLES` cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles that open something, each with its scopes."""

    scopes: Mapping[str, frozenset[Scope]] = field(
        default_factory=lambda: {name: frozenset(scopes) for name, scopes in BUILT_IN.items()}
    )

    @classmethod
    def parse(cls, text: str | None) -> Roles:
        """Those that are built in, and those of the setting in either of its forms. Raises RolesInvalid."""
        stripped = (text or "").strip()
        named = dict(_from_json(stripped) if stripped.startswith("{") else _from_text(stripped))
        if len(named) > MAX_ROLES:
            raise RolesInvalid(f"FLEXRUN_ROLES has {len(named)} roles; at most {MAX_ROLES} are taken")
        return cls({**cls().scopes, **{name: _scopes(name, scopes) for name, scopes in named.items()}})

    def scopes_of(self, names: Iterable[str]) -> frozenset[Scope]:
        """What these roles open together; one that is not known opens nothing."""
        return frozenset[Scope]().union(*(self.scopes.get(name, frozenset()) for name in names))

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Those of the names that are no roles here."""
        return [name for name in names if name not in self.scopes]

    def text(self) -> str:
        """All of them as the setting writes them."""
        return ";".join(f"{name}={','.join(in_order(scopes))}" for name, scopes in self.scopes.items())


def in_order(scopes: Iterable[Scope]) -> list[Scope]:
    """Scopes in the order in which they are documented."""
    return sorted(scopes, key=SCOPES.index)


def _scopes(name: str, scopes: list[str]) -> frozenset[Scope]:
    if not _NAME.fullmatch(name):
        raise RolesInvalid(
            f"FLEXRUN_ROLES: {name[:100]!r} is no name of a role: 1 to 100 letters, digits and _ . -"
        )
    for scope in scopes:
        if scope not in SCOPES and scope not in OLD_SCOPES:
            raise RolesInvalid(
                f"FLEXRUN_ROLES: the role {name!r} has {scope[:100]!r}, which is no scope; there are"
                f" {', '.join(SCOPES)}"
            )
    if not scopes:
        raise RolesInvalid(f"FLEXRUN_ROLES: the role {name!r} has no scopes")
    return scopes_meant(scopes)


def _from_text(text: str) -> Iterator[tuple[str, list[str]]]:
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(";"))), start=1):
        name, equals, scopes = entry.partition("=")
        if not equals:
            raise RolesInvalid(f"FLEXRUN_ROLES: entry {number} is not name=scope1,scope2")
        yield name.strip(), [scope.strip() for scope in scopes.split(",") if scope.strip()]


def _from_json(text: str) -> Iterator[tuple[str, list[str]]]:
    try:
        entries: dict[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RolesInvalid(f"FLEXRUN_ROLES starts like JSON and is none (character {error.pos})") from None
    for name, scopes in entries.items():
        if not isinstance(scopes, list) or not all(
            isinstance(each, str) for each in cast("list[object]", scopes)
        ):
            raise RolesInvalid(f"FLEXRUN_ROLES: the role {name[:100]!r} is no list of scopes")
        yield name, cast("list[str]", scopes)
