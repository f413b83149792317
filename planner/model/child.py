"""Writing the prompt and checking a proposal, on the child's side of the sandbox. See `planner.model.planner`."""

from __future__ import annotations

from typing import Any

import orjson

from planner.child import MAX_PLAN_BYTES
from planner.derive.planner import Statement, state
from planner.derive.world import wanted_of
from planner.listed import Listed
from planner.model.accept import Acceptance
from planner.model.prompt import write_prompt
from planner.model.proposal import ProposalRefused, read_proposal
from planner.planner import PlanRefused, diagnostic
from planner.search.problem import reachable_facets
from sandbox.errors import InputRefused

_listed = Listed()


def ask(argument: dict[str, Any], blob: bytes) -> str:
    """The prompt for `{"envelope"}` and a context; `blob` is what is registered.

    Raises InputRefused (`{"diagnostics": […]}`) where no plan can exist, so that no model need be asked.
    """
    try:
        stated = _stated(argument, blob)
    except PlanRefused as refused:
        raise InputRefused({"diagnostics": refused.diagnostics}) from None
    derivation, world, goal = stated.derivation, stated.world, stated.goal
    wanted, free = wanted_of(goal)
    reachable = reachable_facets([*world.makers, *free], derivation.given)
    if not wanted or any(each not in reachable for each in (*wanted, *world.required())):
        message = "What the contract asks for cannot be made of what is registered."
        raise InputRefused({"diagnostics": [diagnostic("contract_unmet", message, "/outputContract")]})
    return write_prompt(derivation, world, goal)


def accept(argument: dict[str, Any], blob: bytes) -> bytes:
    """The PlanGraph (JSON) of the proposal in `{"text"}`. Raises InputRefused (`{"diagnostics": […]}`)."""
    try:
        each = _stated(argument, blob)
        proposal = read_proposal(argument["text"])
        plan = Acceptance(each.derivation, each.world, each.goal, each.shaped, proposal).plan()
    except (PlanRefused, ProposalRefused) as refused:
        raise InputRefused({"diagnostics": refused.diagnostics}) from None
    text = orjson.dumps(plan)
    if len(text) > MAX_PLAN_BYTES:
        message = f"The plan would take {len(text):,} bytes; at most {MAX_PLAN_BYTES:,} can be kept."
        raise InputRefused({"diagnostics": [diagnostic("plan_too_complex", message)]})
    return text


def _stated(argument: dict[str, Any], blob: bytes) -> Statement:
    _listed.read(blob)
    descriptors = {str(each.get("id")): each for each in _listed.capabilities}
    return state(argument["envelope"], descriptors, _listed.context(argument))
