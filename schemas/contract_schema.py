"""The schema behind a stored contract: what its output is checked against, in each mode of contract."""

from __future__ import annotations

from typing import Any

from schemas.facets import facets_schema

FREEFORM_SCHEMA: dict[str, Any] = {"type": "string", "pattern": r"\S"}
"""Freeform output is a text that is not blank."""


def effective_schema(contract: dict[str, Any]) -> dict[str, Any] | bool:
    """The schema of an `outputContract` in wire form, which `parse_envelope` has accepted."""
    mode = contract.get("mode", "json_schema")
    if mode == "facets":
        return facets_schema(contract["facets"])
    return FREEFORM_SCHEMA if mode == "freeform" else contract["schema"]
