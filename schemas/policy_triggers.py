"""When a runtime policy is fired: the kinds of trigger, and the events of before, which mean what they meant."""

from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from schemas.base import AS_SENT, Model, NodeId, Reference, flaw, refused, wire_name
from schemas.conditions import AnyCondition
from schemas.explain import TAG_MARK
from schemas.plan import CapabilityId
from schemas.policy_words import check_member, check_word, tag_of, word_or_object
from schemas.vocabulary import EventType, NodeKind, TriggerKind, WatchedEvent

MAX_MILLISECONDS = 366 * 24 * 3600 * 1000

Milliseconds = Annotated[int, Field(ge=1, le=MAX_MILLISECONDS)]

_ABOUT_THE_PLAN = ("plan_generated", "plan_updated")
_KINDS: tuple[TriggerKind, ...] = get_args(TriggerKind)
_OLD_EVENTS: tuple[WatchedEvent, ...] = get_args(WatchedEvent)
_KIND_OF: dict[WatchedEvent, TriggerKind] = {
    "plan_generated": "onPlan",
    "plan_updated": "onPlan",
    "node_complete": "onNodeComplete",
    "node_error": "onNodeError",
    "validation_error": "onValidationFail",
}
EVENTS_OF: dict[TriggerKind, tuple[EventType, ...]] = {
    "onStart": ("start",),
    "onPlan": ("plan_generated", "plan_updated"),
    "onNodeStart": ("node_start",),
    "onNodeComplete": ("node_complete",),
    "onNodeError": ("node_error",),
    "onValidationFail": ("validation_error",),
    "onMetricBelow": ("node_complete",),
    "onTimeout": (),
    "onBudget": (),
    "manual": (),
}
"""The events that each kind of trigger watches; the others are not fired by an event."""


class Selector(Model):
    """Only what concerns such a node; all that is given must fit. `facet`: one whose output has this property."""

    node_id: NodeId | None = None
    kind: NodeKind | None = None
    capability_id: CapabilityId | None = None
    facet: Reference | None = None

    @property
    def any_node(self) -> bool:
        return all(each is None for each in (self.node_id, self.kind, self.capability_id, self.facet))


NO_SELECTOR = Selector()


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


class _Conditional(Model):
    condition: AnyCondition | None = None


class _AboutNodes(_Conditional):
    selector: Selector | None = None


class OnStart(_Conditional):
    """The run was accepted; it has no plan yet."""

    kind: Literal["onStart"]


class OnPlan(_Conditional):
    """A plan is in force: the first one, or one that replaces another."""

    kind: Literal["onPlan"]


class OnNodeStart(_AboutNodes):
    """An attempt of a node begins."""

    kind: Literal["onNodeStart"]


class OnNodeComplete(_AboutNodes):
    """A node has an output."""

    kind: Literal["onNodeComplete"]


class OnNodeError(_AboutNodes):
    """An attempt of a node failed. After the last one, the policy comes before the node's fallback."""

    kind: Literal["onNodeError"]


class OnValidationFail(_AboutNodes):
    """An output broke its contract: a node's, or the composed one."""

    kind: Literal["onValidationFail"]


class OnTimeout(_AboutNodes):
    """`ms` milliseconds have passed since the run began; with a selector, since the attempt of such a node began."""

    kind: Literal["onTimeout"]
    ms: Milliseconds


class OnMetricBelow(_AboutNodes):
    """A node has an output whose number `metric` (`metrics.METRIC`, or `METRIC` itself) is below `threshold`."""

    kind: Literal["onMetricBelow"]
    metric: Reference
    threshold: Annotated[float, Field(allow_inf_nan=False), AS_SENT]


class OnBudget(_Conditional):
    """A limit of `constraints.budget` is reached."""

    kind: Literal["onBudget"]


class Manual(_AboutNodes):
    """An operator fires it: `POST …/policies/{policyId}/trigger`."""

    kind: Literal["manual"]


_LEGACY = {
    "start": "onStart",
    "run_start": "onStart",
    "on_start": "onStart",
    "plan": "onPlan",
    "on_plan": "onPlan",
    "node_start": "onNodeStart",
    "on_node_start": "onNodeStart",
    "on_node_complete": "onNodeComplete",
    "node_failed": "onNodeError",
    "on_node_error": "onNodeError",
    "validation_failed": "onValidationFail",
    "on_validation_fail": "onValidationFail",
    "timeout": "onTimeout",
    "on_timeout": "onTimeout",
    "metric_below": "onMetricBelow",
    "on_metric_below": "onMetricBelow",
    "budget": "onBudget",
    "on_budget": "onBudget",
}
_WITH_FIELDS = {"onTimeout": "ms", "onMetricBelow": "metric"}
"""Kinds whose word alone does not say all."""


def _is_new(trigger: Any) -> bool:
    """Whether `kind` is a kind of trigger; in the form of before it was a kind of node, and `event` was required."""
    return isinstance(trigger, dict) and "event" not in trigger and "kind" in trigger


def _known(value: Any) -> Any:
    word_or_object(value)
    if isinstance(value, str):
        check_word(value, (*_OLD_EVENTS, *_KINDS), _LEGACY)
        if (needed := _WITH_FIELDS.get(value)) is not None:
            raise refused(flaw("missing", f"This is an object with {needed!r}: {{kind: {value!r}, …}}."))
    elif _is_new(value):
        check_member(cast("dict[str, Any]", value), "kind", _KINDS, _LEGACY)
    return value


def _tag(value: Any) -> str:
    old = isinstance(value, Trigger) or (isinstance(value, dict) and not _is_new(value))
    return TAG_MARK + "event" if old else tag_of(value, "kind")


NewTrigger = (
    OnStart
    | OnPlan
    | OnNodeStart
    | OnNodeComplete
    | OnNodeError
    | OnValidationFail
    | OnTimeout
    | OnMetricBelow
    | OnBudget
    | Manual
)
AnyTrigger = Annotated[
    Annotated[WatchedEvent | TriggerKind, Tag(TAG_MARK + "word")]
    | Annotated[Trigger, Tag(TAG_MARK + "event")]
    | Annotated[OnStart, Tag(TAG_MARK + "onStart")]
    | Annotated[OnPlan, Tag(TAG_MARK + "onPlan")]
    | Annotated[OnNodeStart, Tag(TAG_MARK + "onNodeStart")]
    | Annotated[OnNodeComplete, Tag(TAG_MARK + "onNodeComplete")]
    | Annotated[OnNodeError, Tag(TAG_MARK + "onNodeError")]
    | Annotated[OnValidationFail, Tag(TAG_MARK + "onValidationFail")]
    | Annotated[OnTimeout, Tag(TAG_MARK + "onTimeout")]
    | Annotated[OnMetricBelow, Tag(TAG_MARK + "onMetricBelow")]
    | Annotated[OnBudget, Tag(TAG_MARK + "onBudget")]
    | Annotated[Manual, Tag(TAG_MARK + "manual")],
    Discriminator(_tag),
    BeforeValidator(_known),
]
_MODELS: dict[TriggerKind, type[NewTrigger]] = {
    "onStart": OnStart,
    "onPlan": OnPlan,
    "onNodeStart": OnNodeStart,
    "onNodeComplete": OnNodeComplete,
    "onNodeError": OnNodeError,
    "onValidationFail": OnValidationFail,
    "onBudget": OnBudget,
    "manual": Manual,
}


class Watched:
    """A trigger in its one form, whichever it was sent in: what is watched, for which nodes, under which condition."""

    __slots__ = ("condition", "events", "kind", "selector", "trigger")

    def __init__(self, sent: AnyTrigger) -> None:
        self.trigger, self.events = _normal(sent)
        self.kind: TriggerKind = self.trigger.kind
        self.selector: Selector = getattr(self.trigger, "selector", None) or NO_SELECTOR
        self.condition = self.trigger.condition

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Watched) and self.trigger == other.trigger and self.events == other.events

    __hash__ = None  # type: ignore[assignment] - a condition is no key


def _normal(sent: Any) -> tuple[NewTrigger, tuple[EventType, ...]]:
    if isinstance(sent, Trigger):
        kind = _KIND_OF[sent.event]
        model = _MODELS[kind]
        if kind == "onPlan":
            return model.model_validate({"kind": kind}), (sent.event,)
        places = {"nodeId": sent.node_id, "capabilityId": sent.capability_id, "kind": sent.kind}
        selector = {name: value for name, value in places.items() if value is not None}
        return model.model_validate({"kind": kind, "selector": selector}), (sent.event,)
    if isinstance(sent, str) and sent in _OLD_EVENTS:
        return _normal(Trigger(event=sent))
    if isinstance(sent, str):
        kind = cast(TriggerKind, sent)
        return _MODELS[kind].model_validate({"kind": kind}), EVENTS_OF[kind]
    return sent, EVENTS_OF[sent.kind]
