"""Gathering every reason for a refusal before refusing: a caller should not have to correct one mistake at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from planner.contract import Contract
from planner.planner import JsonObject, PlanRefused, diagnostic
from planner.text import as_list

Result = TypeVar("Result")


class Findings:
    """The diagnostics found so far."""

    def __init__(self) -> None:
        self.diagnostics: list[JsonObject] = []

    def gather(self, check: Callable[[], Result]) -> Result | None:
        """What `check` returns; None, and its diagnostics kept, where it refuses."""
        try:
            return check()
        except PlanRefused as refused:
            self.diagnostics += refused.diagnostics
            return None


def check_facets(
    contract: Contract, descriptors: Mapping[str, JsonObject], used: Iterable[str] | None = None
) -> None:
    """Raises PlanRefused for each facet that no capability gives (of `used`, where a scenario says which it uses)."""
    given = {name: _giver(name, descriptors, used) for name in contract.facets}
    refused = [
        diagnostic("facet_unavailable", _no_giver(name, descriptors), f"/outputContract/facets/{index}")
        for index, name in enumerate(contract.facets)
        if given[name] is None
    ]
    if refused:
        raise PlanRefused(refused)


def _giver(name: str, descriptors: Mapping[str, JsonObject], used: Iterable[str] | None) -> str | None:
    considered = descriptors if used is None else [each for each in used if each in descriptors]
    return next((each for each in considered if name in as_list(descriptors[each].get("facetsOut"))), None)


def _no_giver(name: str, descriptors: Mapping[str, JsonObject]) -> str:
    elsewhere = _giver(name, descriptors, None)
    if elsewhere is not None:
        return f"The facet {name!r} is given by {elsewhere}, which has no part in plans of this kind."
    return no_giver(
        name, {str(facet) for each in descriptors.values() for facet in as_list(each.get("facetsOut"))}
    )


def no_giver(name: str, given: Iterable[str]) -> str:
    """Why a facet cannot be had that no capability gives; those that are `given` are named."""
    known = ", ".join(sorted(given)) or "none"
    return f"No registered capability gives the facet {name!r}. Those given are: {known}."


def check_capabilities(required: Iterable[str], descriptors: Mapping[str, JsonObject]) -> None:
    """Raises PlanRefused for each capability that a plan needs and no worker has registered."""
    missing = [
        diagnostic("capability_missing", f"No worker has registered the capability {capability_id}.")
        for capability_id in required
        if capability_id not in descriptors
    ]
    if missing:
        raise PlanRefused(missing)
