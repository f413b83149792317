"""Policies: how the work of a run is to be done, and who decides when a person must.

What is written here is what the rules of a run read (`runs.stored_policies`): a rule that is accepted is a rule that is
understood. Every model is closed but `Policies` itself, whose other keys are handed to the capabilities; among those,
none is taken that looks like a misspelt or misplaced rule.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Self, cast

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from schemas.base import (
    MAX_OTHER_KEYS,
    Duration,
    Model,
    NodeId,
    OpenModel,
    Reference,
    Text,
    TextOrObject,
    flaw,
    json_type,
    refused,
    wire_name,
)
from schemas.explain import TAG_MARK
from schemas.plan import CapabilityId, MaxAttempts
from schemas.spelling import misspelling_of
from schemas.vocabulary import (
    ActionType,
    AfterEscalation,
    ExpiryAction,
    Fallback,
    NodeKind,
    RejectAction,
    Urgency,
    WatchedEvent,
)

MAX_APPROVERS = 100
MAX_ASKING_POLICIES = 10
"""How many policies of an envelope may ask people: each of them may make a request of every event that it watches."""

APPROVAL_KEY = "requiresHitlApproval"

_ABOUT_THE_PLAN = ("plan_generated", "plan_updated")


class HitlPolicy(Model):
    """The rules of every request of the run: who may decide, how many must, and what if no decision comes in time."""

    approvers: Annotated[list[Reference], Field(max_length=MAX_APPROVERS)] = Field(default_factory=list[str])
    quorum: Annotated[int, Field(ge=1, le=100)] = 1
    expires_in_seconds: Duration | None = None
    on_expiry: ExpiryAction = "reject"
    escalate_to: Reference | None = None
    after_escalation: AfterEscalation = "reject"
    on_reject: RejectAction = "fail"
    forbid_submitter: bool = False
    urgency: Urgency = "normal"

    def to_wire(self) -> dict[str, Any]:
        """The rules that were set; what is left out has its default."""
        return self.model_dump(by_alias=True, exclude_unset=True)

    def over(self, base: "HitlPolicy | None") -> "HitlPolicy":
        """These rules laid over those of `base`, key by key."""
        if base is None:
            return self
        fields = base.model_fields_set | self.model_fields_set
        values = {
            name: getattr(self if name in self.model_fields_set else base, name) for name in sorted(fields)
        }
        return HitlPolicy.model_construct(_fields_set=fields, **values)


class Trigger(Model):
    """The event that a policy watches; with `nodeId`, `capabilityId` or `kind`, only that of such a node."""

    event: WatchedEvent
    node_id: NodeId | None = None
    capability_id: CapabilityId | None = None
    kind: NodeKind | None = None

    @model_validator(mode="after")
    def _can_happen(self) -> Self:
        if self.event in _ABOUT_THE_PLAN:
            named = [name for name in ("node_id", "capability_id", "kind") if getattr(self, name) is not None]
            if named:
                message = f"{self.event} is about the whole plan and never about one node."
                raise refused(*(flaw("contradiction", message, wire_name(name)) for name in named))
        return self


class Action(Model):
    """What a policy does: ask people (`hitl`, under rules of its own if need be), end the run, or write a line."""

    type: ActionType
    question: Text | None = None
    hitl: HitlPolicy | None = None

    @model_validator(mode="after")
    def _asks_only_people(self) -> Self:
        useless = [
            name for name in ("question", "hitl") if self.type != "hitl" and getattr(self, name) is not None
        ]
        if useless:
            message = f"An action of type {self.type!r} asks nobody; only type 'hitl' has this."
            raise refused(*(flaw("contradiction", message, name) for name in useless))
        return self


def _word_or_object(value: Any) -> Any:
    if not isinstance(value, str | dict | Model):
        raise refused(flaw("wrong_type", f"This must be a string or an object, not {json_type(value)}."))
    return cast("Any", value)


def _form(value: Any) -> str:
    return TAG_MARK + ("word" if isinstance(value, str) else "object")


AnyTrigger = Annotated[
    Annotated[WatchedEvent, Tag(TAG_MARK + "word")] | Annotated[Trigger, Tag(TAG_MARK + "object")],
    Discriminator(_form),
    BeforeValidator(_word_or_object),
]
AnyAction = Annotated[
    Annotated[ActionType, Tag(TAG_MARK + "word")] | Annotated[Action, Tag(TAG_MARK + "object")],
    Discriminator(_form),
    BeforeValidator(_word_or_object),
]


class RuntimePolicy(Model):
    """A rule that reacts to the run's events: when `trigger` matches one, `action` is taken."""

    id: Reference | None = None
    trigger: AnyTrigger
    action: AnyAction

    @cached_property
    def watched(self) -> Trigger:
        """The trigger, with its short form written out."""
        return self.trigger if isinstance(self.trigger, Trigger) else Trigger(event=self.trigger)

    @cached_property
    def taken(self) -> Action:
        """The action, with its short form written out."""
        return self.action if isinstance(self.action, Action) else Action(type=self.action)

    def to_wire(self) -> dict[str, Any]:
        """The policy as it was sent."""
        return self.model_dump(by_alias=True, exclude_unset=True)


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
        for index, policy in enumerate(self.runtime):
            if policy.taken.hitl is not None:
                yield ("runtime", index, "action", "hitl"), policy.taken.hitl.over(self.hitl)

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
        asking = [index for index, policy in enumerate(self.runtime) if policy.taken.type == "hitl"]
        if len(asking) > MAX_ASKING_POLICIES:
            message = f"At most {MAX_ASKING_POLICIES} policies may ask people."
            raise refused(flaw("too_long", message, "runtime", asking[MAX_ASKING_POLICIES]))
        return self

    @model_validator(mode="after")
    def _escalates_to_somebody(self) -> Self:
        found = [
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
