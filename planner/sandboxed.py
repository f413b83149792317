"""The skeleton planner in a child process: a contract that is too much for it costs one child, and ends its run."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from planner.listed import ListedText, context_argument
from planner.planner import CheckedPlan, JsonObject, PlanContext, PlanFaulty, PlanRefused, diagnostic
from sandbox.errors import InputRefused, SandboxCrashed, SandboxTimedOut
from sandbox.sandbox import Sandbox

PLAN_SECONDS = 1.0
"""CPU time for one plan; a usual one takes less than a millisecond."""

_FUNCTION = "planner.child:plan"
_PLANS_ANEW = 3
"""How many times as long the search for another plan than the rejected ones may take."""


class SandboxedPlanner:
    """Plans as `SkeletonPlanner` does, and checks the plan, both in a child of `sandbox`.

    It is instant all the same: it answers within its deadline, so that claim and result can be one append.
    """

    name = "skeleton"
    instant = True

    def __init__(self, sandbox: Sandbox, deadline_seconds: float = PLAN_SECONDS) -> None:
        self._sandbox = sandbox
        self._deadline_seconds = deadline_seconds
        self._registered = ListedText()

    async def plan(
        self, envelope: JsonObject, capabilities: Sequence[JsonObject], context: PlanContext
    ) -> CheckedPlan:
        """A plan that has been checked. Raises PlanRefused, also where planning takes too much; PlanFaulty."""
        argument = {"envelope": envelope, **context_argument(context)}
        try:
            text: bytes = await self._sandbox.call(
                _FUNCTION,
                argument,
                self._registered.of(capabilities, context),
                deadline_seconds=self._deadline_seconds * (_PLANS_ANEW if context.rejected else 1),
            )
        except InputRefused as refusal:
            error = PlanFaulty if refusal.data["faulty"] else PlanRefused
            raise error(refusal.data["diagnostics"]) from None
        except SandboxTimedOut:
            raise _too_complex(f"Planning took more than {self._deadline_seconds:g} s of CPU time.") from None
        except SandboxCrashed:
            raise _too_complex("Planning needed more memory or stack than there is for it.") from None
        return CheckedPlan(orjson.loads(text))


def _too_complex(message: str) -> PlanRefused:
    return PlanRefused(
        [diagnostic("plan_too_complex", f"{message} Make the contract or the inputs smaller.")]
    )
