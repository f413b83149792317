"""The schema behind a stored contract: what its output is checked against, in each mode of contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.facets import Facet, facets_schema, pinned_facets

FREEFORM_SCHEMA: dict[str, Any] = {"type": "string", "pattern": r"\S"}
"""Freeform output is a text that is not blank."""


FACET_SCHEMAS = "facetSchemas"
"""In a stored contract in mode facets: the registered facets as they were when the run was accepted."""


def with_facets(contract: dict[str, Any], known: Mapping[str, Facet]) -> dict[str, Any]:
    """A contract that a run can keep: a facet that changes later does not change what this run owes."""
    if contract.get("mode") != "facets":
        return contract
    pinned = pinned_facets(contract["facets"], known)
    return {**contract, FACET_SCHEMAS: pinned} if pinned else contract


def effective_schema(contract: dict[str, Any]) -> dict[str, Any] | bool:
    """The schema of an `outputContract` in wire form, which `parse_envelope` has accepted."""
    mode = contract.get("mode", "json_schema")
    if mode == "facets":
        return facets_schema(contract["facets"], contract.get(FACET_SCHEMAS, {}))
    return FREEFORM_SCHEMA if mode == "freeform" else contract["schema"]
