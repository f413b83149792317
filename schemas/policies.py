"""Policies: how the work of a run is to be done, and who decides when a person must.

What is written here is what the rules of a run read (`runs.stored_policies`): a rule that is accepted is a rule that is
understood. Every model is closed but `Policies` itself, whose other keys are handed to the capabilities; among those,
none is taken that looks like a misspelt or misplaced rule.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Self, cast

from pydantic import Field, model_validator

from schemas.base import MAX_OTHER_KEYS, OpenModel, TextOrObject, flaw, json_type, refused, wire_name
from schemas.conditions import MAX_CONDITIONS
from schemas.hitl_policy import HitlPolicy
from schemas.plan import MaxAttempts
from schemas.runtime_policies import RuntimePolicy
from schemas.spelling import misspelling_of
from schemas.vocabulary import Fallback, ReplanTrouble

MAX_ASKING_POLICIES = 10
"""How many policies of an envelope may ask people: each of them may make a request of every event that it watches."""

APPROVAL_KEY = "requiresHitlApproval"

REPLAN_ON: tuple[ReplanTrouble, ...] = ("capability_gone",)
"""Trouble that has a run planned again where its envelope does not say: without it, the node would wait for ever."""

_PLANNER_SCHEMA: dict[str, Any] = {
    "properties": {"directives": {"properties": {APPROVAL_KEY: {"type": ["boolean", "null"]}}}}
}


def approval_directive(planner: Any) -> Any:
    """`directives.requiresHitlApproval` of `policies.planner` as it was sent; None where it is not there."""
    directives: Any = cast("dict[str, Any]", planner).get("directives") if isinstance(planner, dict) else None
    if not isinstance(directives, dict):
        return None
    return cast("dict[str, Any]", directives).get(APPROVAL_KEY)


class Policies(OpenModel):
    """How the work is to be done; keys other than these are kept and handed to the capabilities."""

    planner: Annotated[TextOrObject | None, Field(json_schema_extra=_PLANNER_SCHEMA)] = None
    runtime: Annotated[list[RuntimePolicy], Field(max_length=100)] = Field(
        default_factory=list[RuntimePolicy]
    )
    requires_hitl_approval: bool | None = None
    hitl: HitlPolicy | None = None
    max_attempts: MaxAttempts | None = None
    fallback: Fallback | None = None
    human_review: bool | None = None
    replan_on: Annotated[list[ReplanTrouble], Field(max_length=3)] = Field(
        default_factory=lambda: [*REPLAN_ON]
    )

    @classmethod
    def objection(cls, key: str) -> str | None:
        """Refuses what is nearly a rule, and what is a rule elsewhere."""
        meant = misspelling_of(key, (wire_name(name) for name in cls.model_fields))
        if meant is not None:
            return f"Unknown key; did you mean {meant!r}?"
        for word, place in _ELSEWHERE.items():
            if key == word or misspelling_of(key, (word,)):
                return f"Here this would not be obeyed; did you mean {word!r} in {place}?"
        return None

    @property
    def approval_required(self) -> bool:
        """Whether a person approves the output: said here, or in `planner.directives`."""
        return bool(self.requires_hitl_approval or approval_directive(self.planner))

    def approval_rules(self) -> Iterator[tuple[tuple[str | int, ...], HitlPolicy]]:
        """All rules under which people may be asked, each with its place below `policies`."""
        yield ("hitl",), self.hitl or HitlPolicy()
        for place, rules in self.action_rules():
            yield place, rules.over(self.hitl)

    def action_rules(self) -> Iterator[tuple[tuple[str | int, ...], HitlPolicy]]:
        """The rules of runtime policies that ask people, as they were sent."""
        for index, policy in enumerate(self.runtime):
            if policy.asks is not None and policy.asks.hitl is not None:
                yield ("runtime", index, "action", "hitl"), policy.asks.hitl

    @model_validator(mode="after")
    def _directive_is_obeyed(self) -> Self:
        place = ("planner", "directives")
        asked = approval_directive(self.planner)
        if asked is not None and not isinstance(asked, bool):
            message = f"This must be a boolean, not {json_type(asked)}."
            raise refused(flaw("wrong_type", message, *place, APPROVAL_KEY))
        directives: Any = self.planner.get("directives") if isinstance(self.planner, dict) else None
        keys = (
            list(cast("dict[str, Any]", directives))[:MAX_OTHER_KEYS] if isinstance(directives, dict) else []
        )
        message = f"Unknown key; did you mean {APPROVAL_KEY!r}?"
        found = [
            flaw("unknown_key", message, *place, key) for key in keys if misspelling_of(key, (APPROVAL_KEY,))
        ]
        if found:
            raise refused(*found)
        return self

    @model_validator(mode="after")
    def _asks_by_few_policies(self) -> Self:
        asking = [index for index, policy in enumerate(self.runtime) if policy.asks is not None]
        if len(asking) > MAX_ASKING_POLICIES:
            message = f"At most {MAX_ASKING_POLICIES} policies may ask people."
            raise refused(flaw("too_long", message, "runtime", asking[MAX_ASKING_POLICIES]))
        conditional = [index for index, each in enumerate(self.runtime) if each.watched.condition is not None]
        if len(conditional) > MAX_CONDITIONS:
            message = f"At most {MAX_CONDITIONS} policies may have a condition."
            raise refused(flaw("too_long", message, "runtime", conditional[MAX_CONDITIONS]))
        return self

    @model_validator(mode="after")
    def _asks_by_complete_rules(self) -> Self:
        found = [
            flaw("unknown_key", "This is obeyed in policies.hitl only.", *place, "plan")
            for place, rules in self.action_rules()
            if "plan" in rules.model_fields_set
        ]
        found += [
            flaw("missing", "Say to whom, by a role or a name.", *place, "escalateTo")
            for place, rules in self.approval_rules()
            if rules.on_expiry == "escalate" and rules.escalate_to is None
        ]
        if found:
            raise refused(*found)
        return self


_ELSEWHERE = {
    **{wire_name(name): "policies.hitl" for name in HitlPolicy.model_fields if name != "urgency"},
    "deadlineSeconds": "constraints",
}
"""Rules that do nothing among the keys of `policies`. An `urgency` may well be a capability's own."""
