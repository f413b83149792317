"""The TaskEnvelope: what a caller wants done, with what, under which rules, and in which shape."""

from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, StringConstraints, Tag

from schemas.base import (
    CorrelationId,
    Duration,
    JsonSchema,
    Model,
    Note,
    OpenModel,
    Reference,
    Text,
    flaw,
    refused,
)
from schemas.budget import Budget
from schemas.explain import TAG_MARK
from schemas.goals import MAX_GOALS, GoalCondition
from schemas.hitl_policy import HitlPolicy
from schemas.parsing import parse_document
from schemas.policies import Policies
from schemas.refusal import DocumentRefused
from schemas.runtime_policies import RuntimePolicy

__all__ = [
    "CONTRACT_MODES",
    "Constraints",
    "EnvelopeRefused",
    "FacetsContract",
    "FreeformContract",
    "HitlPolicy",
    "JsonSchemaContract",
    "Metadata",
    "OutputContract",
    "Policies",
    "RuntimePolicy",
    "TaskEnvelope",
    "parse_envelope",
]

CONTRACT_MODES = ("json_schema", "freeform", "facets")


class EnvelopeRefused(DocumentRefused):
    """A body that is not a TaskEnvelope; `problems` says where and why, each with a JSON pointer."""


class Constraints(Model):
    """Limits of the run itself. `variantCount` is read by the planner, which says what it takes."""

    thread_id: Reference | None = None
    resume_run_id: Reference | None = None
    requires_hitl_approval: bool | None = None
    deadline_seconds: Duration | None = None
    variant_count: Any = None
    budget: Budget | None = None


class Metadata(OpenModel):
    """Whose run this is, for lists and logs; other keys are kept."""

    client_id: Reference | None = None
    brand_id: Reference | None = None
    campaign_id: Reference | None = None
    correlation_id: CorrelationId | None = None
    run_label: Reference | None = None


class JsonSchemaContract(Model):
    """The output must be accepted by `schema`; the mode may be left out when the schema is there."""

    mode: Literal["json_schema"] = "json_schema"
    schema_: JsonSchema
    hints: dict[str, Any] | None = None
    example: Any = None


class FreeformContract(Model):
    """The output is whatever the instructions describe."""

    mode: Literal["freeform"]
    instructions: Text
    expected_format: Annotated[str, StringConstraints(min_length=1, max_length=1_000)] | None = None
    example: Any = None


def _unique(names: list[str]) -> list[str]:
    seen: set[str] = set()
    repeated = [index for index, name in enumerate(names) if name in seen or seen.add(name)]
    if repeated:
        raise refused(*(flaw("not_unique", "This facet is named twice.", index) for index in repeated))
    return names


class FacetsContract(Model):
    """The output is an object with one key for each named facet."""

    mode: Literal["facets"]
    facets: Annotated[
        list[Reference],
        Field(min_length=1, max_length=50, json_schema_extra={"uniqueItems": True}),
        AfterValidator(_unique),
    ]


def _mode_of(contract: dict[str, Any]) -> Any:
    return contract.get("mode", "json_schema" if "schema" in contract else None)


def _known_mode(contract: Any) -> Any:
    if not isinstance(contract, dict):
        return contract
    keys = cast("dict[str, Any]", contract)
    if _mode_of(keys) in CONTRACT_MODES:
        return keys
    known = ", ".join(CONTRACT_MODES)
    if "mode" in keys:
        raise refused(flaw("unknown_mode", f"There is no such mode; use one of {known}.", "mode"))
    raise refused(flaw("missing", f"Say one of {known}; only beside a schema may it be left out.", "mode"))


def _tag(contract: Any) -> str | None:
    if isinstance(contract, dict):
        return TAG_MARK + _mode_of(cast("dict[str, Any]", contract))
    if isinstance(contract, JsonSchemaContract | FreeformContract | FacetsContract):
        return TAG_MARK + contract.mode
    return None


OutputContract = Annotated[
    Annotated[JsonSchemaContract, Tag(TAG_MARK + "json_schema")]
    | Annotated[FreeformContract, Tag(TAG_MARK + "freeform")]
    | Annotated[FacetsContract, Tag(TAG_MARK + "facets")],
    Discriminator(_tag),
    BeforeValidator(_known_mode),
]


class TaskEnvelope(Model):
    """One task: `objective` and `outputContract` are required, all else has a harmless default."""

    objective: Text
    inputs: dict[str, Any] = Field(default_factory=dict[str, Any])
    constraints: Constraints = Field(default_factory=Constraints)
    policies: Policies = Field(default_factory=Policies)
    special_instructions: Annotated[list[Note], Field(max_length=100)] = Field(default_factory=list[str])
    metadata: Metadata = Field(default_factory=Metadata)
    goal_condition: Annotated[list[GoalCondition], Field(max_length=MAX_GOALS)] = Field(
        default_factory=list[GoalCondition]
    )
    output_contract: OutputContract

    @property
    def approval_required(self) -> bool:
        """Whether a person must approve the composed output; constraints and policies may both ask for it."""
        return bool(self.constraints.requires_hitl_approval or self.policies.approval_required)

    def to_wire(self) -> dict[str, Any]:
        """The document as it was sent: unknown keys kept, defaults not added."""
        return self.model_dump(by_alias=True, exclude_unset=True)


def parse_envelope(raw: bytes) -> TaskEnvelope:
    """Parse a request body; raises EnvelopeRefused with a JSON pointer to everything that is wrong in it."""
    try:
        return parse_document(TaskEnvelope, raw)
    except DocumentRefused as refusal:
        raise EnvelopeRefused(refusal.problems, refusal.omitted) from None
