"""What a capability says about itself when it registers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag, model_validator
from pydantic_core import InitErrorDetails

from schemas.base import Duration, JsonSchema, Model, OpenModel, Reference, flaw, json_type, refused
from schemas.explain import TAG_MARK
from schemas.homes import Home, HumanHome, PythonHome, WorkerHome
from schemas.plan import CapabilityId, CapabilityVersion, Label, QueueName, TimeoutSeconds
from schemas.usage import Count, Currency, Seconds
from schemas.vocabulary import AgentType, NodeKind

FacetName = Reference
DEFAULT_VERSION = "1.0.0"
MAX_FACETS = 100


Word = Annotated[str, StringConstraints(pattern=r"^\w{1,100}$")]
NodeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,60}$")]


class FacetInput(Model):
    """A facet that a capability takes: whether it needs it, and whether it takes one or a list of them."""

    name: FacetName
    required: bool = True
    many: bool = False


def _name_or_facet(value: Any) -> Any:
    if not isinstance(value, str | dict | FacetInput):
        message = f"This must be a facet's name, or an object with its name, not {json_type(value)}."
        raise refused(flaw("wrong_type", message))
    return cast("Any", value)


TakenFacet = Annotated[
    Annotated[FacetName, Tag(TAG_MARK + "name")] | Annotated[FacetInput, Tag(TAG_MARK + "facet")],
    Discriminator(lambda value: TAG_MARK + ("name" if isinstance(value, str) else "facet")),
    BeforeValidator(_name_or_facet),
]
"""An entry of `facetsIn`: a name alone is a facet that is needed, once."""


class CostEstimate(Model):
    """What one call is expected to cost: money in millionths of `currency`, tokens, seconds."""

    micros: Count | None = None
    currency: Currency | None = None
    tokens: Count | None = None
    seconds: Seconds | None = None


class Limits(Model):
    """How much of it may run over all processes: attempts at the same time, and starts within sixty seconds."""

    max_concurrent: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class CapabilityDescriptor(OpenModel):
    """One capability: what it does, what it takes and gives, what it costs, and where it runs.

    It takes facets or what `inputSchema` says, and gives facets or what `outputSchema` says. `idempotent` says whether
    an attempt whose outcome is not known may simply run again. A worker that is silent for `heartbeatSeconds` is taken
    for lost.

    Planners read three more: `about` are words, and only where the objective or the inputs have one of them does the
    capability have a part in a plan; `checks` are facets, and a plan that makes one of them has this capability look at
    it; `nodeName` is what a plan calls a node of it, in the place of its id.
    """

    OF_NO_RUN: ClassVar[bool] = True  # see schemas.withheld

    id: CapabilityId
    version: CapabilityVersion = DEFAULT_VERSION
    label: Label
    description: Annotated[str, StringConstraints(max_length=10_000)] = ""
    kind: NodeKind = "execution"
    agent_type: AgentType = "ai"
    facets_in: Annotated[list[TakenFacet], Field(max_length=MAX_FACETS)] = Field(
        default_factory=list[TakenFacet]
    )
    input_schema: JsonSchema | None = None
    facets_out: Annotated[list[FacetName], Field(max_length=MAX_FACETS)] = Field(default_factory=list[str])
    output_schema: JsonSchema | None = None
    cost: CostEstimate | None = None
    limits: Limits | None = None
    timeout_seconds: TimeoutSeconds | None = None
    heartbeat_seconds: Duration | None = None
    idempotent: bool = True
    about: Annotated[list[Word], Field(min_length=1, max_length=100)] | None = None
    checks: Annotated[list[FacetName], Field(min_length=1, max_length=MAX_FACETS)] | None = None
    node_name: NodeName | None = None
    queue: QueueName = "default"
    tags: Annotated[list[Reference], Field(max_length=100)] = Field(default_factory=list[str])
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])
    home: Home = Field(default_factory=PythonHome)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        contradictions = list(self._contradictions())
        if contradictions:
            raise refused(*contradictions)
        return self

    def _contradictions(self) -> Iterator[InitErrorDetails]:
        human = isinstance(self.home, HumanHome)
        if human != (self.agent_type == "human") and "home" in self.model_fields_set:
            yield flaw("contradiction", "The agentType 'human' and the home 'human' belong together.", "home")
        yield from _repeated("facetsIn", [each.name for each in self.inputs])
        yield from _repeated("facetsOut", self.facets_out)

    @property
    def inputs(self) -> list[FacetInput]:
        """`facetsIn` in full."""
        return [FacetInput(name=each) if isinstance(each, str) else each for each in self.facets_in]

    def registered(self) -> dict[str, Any]:
        """The wire form in the registry: without what was left out, with the queue that its work goes to."""
        wire = self.model_dump(by_alias=True, exclude_none=True)
        if isinstance(self.home, WorkerHome):
            wire["queue"] = worker_queue(self.id)
        return wire


def _repeated(key: str, names: Iterable[str]) -> Iterator[InitErrorDetails]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield flaw("repeated", "This facet is named twice.", key, index)
        seen.add(name)


def worker_queue(capability_id: str) -> str:
    """The queue of a capability whose workers ask a gateway for work: each has its own, which no executor serves."""
    return f"{WORKER_QUEUE_PREFIX}{sha256(capability_id.encode()).hexdigest()[:24]}"


WORKER_QUEUE_PREFIX = "remote-"


def version_order(version: str) -> tuple[Any, ...]:
    """A key that sorts versions as https://semver.org/#spec-item-11 does."""
    core, _, pre = version.partition("+")[0].partition("-")
    numbers = [*(int(each) for each in core.split(".")), 0, 0][:3]
    parts = [(0, int(each), "") if each.isdigit() else (1, 0, each) for each in pre.split(".") if pre]
    return (*numbers, not pre, parts)
