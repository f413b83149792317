"""The name of the operator that a body claims."""

from __future__ import annotations

from typing import Any


def operator_text(operator: str | dict[str, Any] | None) -> str | None:
    """The name that a body claims: a text, or the `id` (or `displayName`) of an object."""
    if isinstance(operator, dict):
        name: Any = operator.get("id") or operator.get("displayName")
        return str(name)[:200] if name else None
    return operator
