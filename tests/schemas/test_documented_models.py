"""docs/envelope.md and docs/events.md have the fields of the models, no others, and examples that the models accept."""

import re
from itertools import chain

import orjson
import pytest
from pydantic import BaseModel

from schemas import payloads
from schemas.base import wire_name
from schemas.budget import Budget
from schemas.envelope import (
    Constraints,
    FacetsContract,
    FreeformContract,
    JsonSchemaContract,
    Metadata,
    TaskEnvelope,
    parse_envelope,
)
from schemas.events import PAYLOADS, FlexEvent, NodeDelta, check_frame
from schemas.goals import GoalCondition
from schemas.hitl import HitlOption
from schemas.hitl_policy import HitlPolicy
from schemas.parsing import validate_document
from schemas.plan import Diagnostic
from schemas.planning import Planning, PlanningTry
from schemas.policies import Policies
from schemas.runtime_policies import RuntimePolicy
from schemas.usage import Usage
from schemas.vocabulary import EVENT_TYPES
from tests.support.markdown import fenced, section, sections
from tests.support.processes import ROOT

ENVELOPE, EVENTS = "docs/envelope.md", "docs/events.md"
_ROW = re.compile(r"^\| `(\w+)` \| .+? \| (\S.*?) \| .*\|$", re.MULTILINE)
_FIELD = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)

ENVELOPE_SECTIONS: dict[str, tuple[type[BaseModel], ...]] = {
    "TaskEnvelope": (TaskEnvelope,),
    "constraints": (Constraints,),
    "Goal conditions": (GoalCondition,),
    "Budget": (Budget,),
    "policies": (Policies,),
    "policies.hitl": (HitlPolicy,),
    "Runtime policies": (RuntimePolicy,),
    "metadata": (Metadata,),
    "outputContract": (JsonSchemaContract, FreeformContract, FacetsContract),
}
OBJECTS: tuple[type[BaseModel], ...] = (
    Diagnostic,
    Planning,
    PlanningTry,
    payloads.NodeSummary,
    payloads.EdgeSummary,
    payloads.PlanDifference,
    payloads.KeptNode,
    payloads.ChangedNode,
    payloads.ScreenPlan,
    payloads.ScreenNode,
    payloads.ErrorInfo,
    payloads.ContractError,
    HitlOption,
    payloads.ScreenRequest,
    payloads.ScreenQuestion,
    Usage,
    payloads.PolicyCause,
    payloads.GoalConditionResult,
)


def _fields(*models: type[BaseModel]) -> list[str]:
    return sorted(wire_name(name) for model in models for name in model.model_fields)


def _documented(text: str) -> list[str]:
    return sorted(_FIELD.findall(text))


@pytest.mark.parametrize("heading", ENVELOPE_SECTIONS)
def test_the_document_has_the_fields_of_the_envelopes_models(heading: str) -> None:
    assert _documented(section(ENVELOPE, heading)) == _fields(*ENVELOPE_SECTIONS[heading])


@pytest.mark.parametrize("heading", ENVELOPE_SECTIONS)
def test_the_document_calls_those_fields_required_that_are(heading: str) -> None:
    documented = sorted(
        (name, default == "required") for name, default in _ROW.findall(section(ENVELOPE, heading))
    )
    models = ENVELOPE_SECTIONS[heading]
    fields = [
        (wire_name(name), field.is_required())
        for model in models
        for name, field in model.model_fields.items()
    ]
    assert documented == sorted(fields)


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_the_document_has_the_fields_of_each_payload_and_an_example_with_no_other(event_type: str) -> None:
    text = section(EVENTS, f"`{event_type}`")
    fields = _fields(PAYLOADS[event_type])  # pyright: ignore[reportArgumentType] - one of EVENT_TYPES
    assert _documented(text) == fields
    (example,) = fenced(text, "json")
    frame = check_frame(orjson.loads(example))
    assert frame.type == event_type
    assert set(frame.payload) <= set(fields)
    assert not frame.model_extra


def test_the_document_has_the_fields_of_a_partial_output() -> None:
    text = section(EVENTS, "Partial output: `node_delta`")
    assert _documented(text) == _fields(payloads.NodeDeltaPayload)
    (example,) = fenced(text, "json")
    validate_document(NodeDelta, orjson.loads(example))


def test_the_document_has_the_types_in_their_order_and_the_fields_of_the_frame() -> None:
    assert sections(EVENTS) == [
        "The frame",
        *(f"`{each}`" for each in EVENT_TYPES),
        "Partial output: `node_delta`",
        "Objects inside payloads",
    ]
    assert _documented(section(EVENTS, "The frame")) == _fields(FlexEvent)


def test_the_document_has_the_objects_inside_payloads() -> None:
    parts = re.split(r"^### (\w+)$", section(EVENTS, "Objects inside payloads"), flags=re.MULTILINE)
    documented = {name: _documented(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    assert documented == {model.__name__: _fields(model) for model in OBJECTS}


def test_no_model_inside_a_payload_is_left_out() -> None:
    definitions = chain.from_iterable(
        model.model_json_schema().get("$defs", {}) for model in PAYLOADS.values()
    )
    assert set(definitions) == {model.__name__ for model in OBJECTS}


def test_the_examples_of_the_envelope_are_accepted() -> None:
    examples = fenced((ROOT / ENVELOPE).read_text(), "json")
    assert len(examples) >= 3
    for example in examples:
        parse_envelope(example.encode())


def test_the_browser_example_listens_to_every_type() -> None:
    listed = re.search(r"const TYPES = \[(.*?)\]", (ROOT / "examples/watch.html").read_text(), re.DOTALL)
    assert listed
    assert sorted(re.findall(r'"(\w+)"', listed[1])) == sorted(EVENT_TYPES)
