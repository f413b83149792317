"""Planning, on the child's side of the sandbox. See `planner.sandboxed`, which is the only caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from planner.checking import plan_faults
from planner.planner import JsonObject, PlanContext, PlanRefused, diagnostic
from planner.skeleton import SkeletonPlanner
from sandbox.errors import InputRefused

MAX_PLAN_BYTES = 4 * 1024 * 1024
"""A plan is stored with its run and sent to its readers."""

_planner = SkeletonPlanner()


@dataclass(slots=True)
class _Listed:
    """The capabilities of the last call: the next one has the same, mostly."""

    text: bytes = b"[]"
    capabilities: Sequence[JsonObject] = ()

    def of(self, text: bytes) -> Sequence[JsonObject]:
        if text != self.text:
            self.text, self.capabilities = text, orjson.loads(text)
        return self.capabilities


_listed = _Listed()


def plan(argument: dict[str, Any], blob: bytes) -> bytes:
    """The plan (JSON) for `{"envelope", "run_id", "attempt", "feedback"}`; `blob` is the list of capabilities as JSON.

    Raises InputRefused with `{"diagnostics": [...], "faulty": bool}`; `faulty` says that the plan is at fault, and
    not the envelope.
    """
    capabilities = _listed.of(blob)
    context = PlanContext(argument["run_id"], argument["attempt"], argument["feedback"])
    try:
        made = _planner.plan(argument["envelope"], capabilities, context)
    except PlanRefused as refused:
        raise _refusal(refused.diagnostics, faulty=False) from None
    if faults := plan_faults(made, capabilities):
        raise _refusal(faults, faulty=True)
    text = orjson.dumps(made)
    if len(text) > MAX_PLAN_BYTES:
        message = f"The plan would take {len(text):,} bytes; at most {MAX_PLAN_BYTES:,} can be kept."
        raise _refusal([diagnostic("plan_too_complex", message)], faulty=False)
    return text


def _refusal(diagnostics: list[JsonObject], *, faulty: bool) -> InputRefused:
    return InputRefused({"diagnostics": diagnostics, "faulty": faulty})
