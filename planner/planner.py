"""What a planner is: an envelope and the registered capabilities in, a PlanGraph or a reasoned refusal out."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from schemas.refusal import MAX_PROBLEMS

JsonObject = dict[str, Any]

RETRYABLE_CODES = frozenset({"capability_missing"})
"""Refusals that may pass: the worker that serves the capability may only be starting."""


@dataclass(frozen=True, slots=True)
class PlanContext:
    """What a planner may know beside the envelope.

    `feedback` is what was said against the output of the plan before this one. `facets` are the registered ones that
    are not shipped, as `schemas.facets.pinned_facets` writes them. `disabled` capabilities (descriptors) may not be
    used; a refusal says what they would give. The house forbids capabilities (ids, or beginnings
    of ids with `*` behind them) and more nodes than `max_nodes`. `rejected` are the plans that people have rejected
    before anything of them was started: `{capabilities, operator, words}` each. A run that is planned again has `tried`
    capabilities that it does not use again, and a `ground`: completed nodes that a plan may have as they are (see
    `runs.replans.ground_of`).
    """

    run_id: str = ""
    attempt: int = 1
    feedback: str | None = None
    facets: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    disabled: Sequence[JsonObject] = ()
    forbidden: Sequence[str] = ()
    max_nodes: int | None = None
    rejected: Sequence[JsonObject] = ()
    tried: Sequence[str] = ()
    ground: JsonObject | None = None

    @property
    def done(self) -> frozenset[str]:
        """The ids of the completed nodes."""
        return frozenset(each["id"] for each in (self.ground or {}).get("nodes", ()))


class PlanRefused(Exception):
    """There is no plan; `diagnostics` ([{code, message, path}]) says why and what would help.

    It is never empty, and has at most `MAX_PROBLEMS` entries. `planning`: see CheckedPlan.
    """

    planning: JsonObject | None = None

    def __init__(self, diagnostics: Iterable[JsonObject]) -> None:
        self.diagnostics = list(islice(diagnostics, MAX_PROBLEMS))
        if not self.diagnostics:
            msg = "a refusal names at least one reason"
            raise ValueError(msg)
        super().__init__("; ".join(str(each.get("message")) for each in self.diagnostics))

    @property
    def retryable(self) -> bool:
        """Whether trying again later may help without the caller changing anything."""
        return all(each.get("code") in RETRYABLE_CODES for each in self.diagnostics)


class PlanFaulty(PlanRefused):
    """There is a plan, and it cannot be run: the planner is at fault, and the envelope is not."""


@dataclass(frozen=True, slots=True)
class CheckedPlan:
    """A plan that has been through `planner.checking.plan_faults` already.

    `planning` says how it was planned, where a language model was to propose it (`schemas.planning`).
    """

    plan: JsonObject
    planning: JsonObject | None = None


def diagnostic(code: str, message: str, path: str = "") -> JsonObject:
    """One reason; `path` is a JSON pointer into the envelope, or empty."""
    return {"code": code, "message": message, "path": path}


class Planner(Protocol):
    """Makes plans. An `instant` one answers within a second or two, so that its claim needs no lease."""

    name: str
    instant: bool

    def plan(
        self, envelope: JsonObject, capabilities: Sequence[JsonObject], context: PlanContext
    ) -> JsonObject | Awaitable[JsonObject | CheckedPlan]:
        """A PlanGraph in wire form for `envelope`, from these capability descriptors (wire form).

        Long computation belongs into a sandbox: see `planner.sandboxed`.

        Raises PlanRefused; any other exception is a fault of the planner, and planning is attempted again.
        """
        ...
