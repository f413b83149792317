"""`@capability`: the descriptor that a function's types make, and how a bundle becomes a call."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import types
from typing import Any

import pytest
from pydantic import BaseModel, Field

from flexrun_sdk import (
    CapabilityError,
    CapabilityMistake,
    Context,
    PersonAsked,
    capabilities_in,
    capability,
    capability_of,
    prepare_call,
    result_to_json,
)
from schemas.capability import CapabilityDescriptor


class Author(BaseModel):
    name: str


class Ticket(BaseModel):
    """What a customer has written."""

    text: str
    author: Author | None = None
    opened_at: str = Field(default="today", alias="openedAt")


class Summary(BaseModel):
    headline: str


class Both(BaseModel):
    summary: Summary
    mood: str


@capability(
    id="acme.summary",
    version="1.2.0",
    facets_out="ticket_summary",
    cost={"micros": 1200, "currency": "EUR"},
    limits={"max_concurrent": 2},
    timeout_seconds=5,
    tags=["support"],
)
async def summarise(ticket: Ticket, context: Context, tone: str = "plain") -> Summary:
    """Say what a ticket is about."""
    context.log(f"tone {tone}")
    return Summary(headline=ticket.text)


@capability(id="acme.merge", facets_in={"tickets": "ticket"}, facets_out=["summary", "mood"])
def merge(tickets: list[Ticket]) -> Both:
    return Both(summary=Summary(headline=str(len(tickets))), mood="calm")


@capability(id="acme.whole")
def whole(ticket: Ticket) -> Summary:
    return Summary(headline=ticket.text)


def _of(function: Any) -> Any:
    found = capability_of(function)
    assert found is not None
    return found


def test_types_make_a_descriptor_that_the_engine_accepts():
    described = _of(summarise).described({"type": "python"})
    descriptor = CapabilityDescriptor.model_validate(described, by_alias=True, by_name=False)
    assert (descriptor.id, descriptor.version, descriptor.label) == ("acme.summary", "1.2.0", "Summarise")
    assert descriptor.description == "Say what a ticket is about."
    assert [(each.name, each.required, each.many) for each in descriptor.inputs] == [
        ("ticket", True, False),
        ("tone", False, False),
    ]
    assert descriptor.facets_out == ["ticket_summary"]
    assert descriptor.limits is not None
    assert descriptor.limits.max_concurrent == 2
    assert descriptor.cost is not None
    assert descriptor.cost.micros == 1200


def test_models_describe_facets():
    facets = {each["name"]: each for each in _of(summarise).facets}
    assert set(facets) == {"ticket", "ticket_summary"}  # tone is a plain text, which anybody may describe
    schema = facets["ticket"]["schema"]
    assert schema["title"] == "ticket"
    assert schema["description"] == "What a customer has written."
    assert schema["required"] == ["text"]
    assert "openedAt" in schema["properties"]
    assert set(schema["$defs"]) == {"Author"}
    assert facets["ticket"]["version"] == "1.2.0"
    assert {each["name"] for each in _of(merge).facets} == {"ticket", "summary"}


def test_a_bundle_becomes_a_call_and_its_result_json():
    function = _of(summarise)
    bundle = {"attempt": 3, "facets": {"ticket": {"text": "It rains in.", "openedAt": "now"}}}
    lines: list[str] = []
    context = Context(bundle, write_line=lambda message, _: lines.append(message))
    arguments = prepare_call(function, bundle, context)
    assert set(arguments) == {"ticket", "context"}
    assert result_to_json(function, asyncio.run(function.function(**arguments))) == {
        "headline": "It rains in."
    }
    assert lines == ["tone plain"]
    assert context.attempt == 3


def test_a_facet_of_which_it_takes_many_is_a_list_also_where_there_is_one():
    function = _of(merge)
    for facet in ({"text": "a"}, [{"text": "a"}]):
        arguments = prepare_call(function, {"facets": {"ticket": facet}})
        assert result_to_json(function, function.function(**arguments)) == {
            "summary": {"headline": "1"},
            "mood": "calm",
        }


def test_a_single_model_without_facets_gets_the_inputs():
    function = _of(whole)
    assert function.descriptor["inputSchema"]["required"] == ["text"]
    assert function.descriptor["outputSchema"]["properties"].keys() == {"headline"}
    assert "facetsIn" not in function.descriptor
    assert prepare_call(function, {"inputs": {"text": "x"}})["ticket"].text == "x"


@pytest.mark.parametrize(
    ("bundle", "code", "said"),
    [
        ({"facets": {}}, "facet_missing", "'ticket'"),
        ({"facets": {"ticket": {"text": 7}}}, "input_invalid", "/ticket/text"),
    ],
)
def test_a_bundle_that_lacks_what_is_needed_is_an_error_that_no_further_attempt_mends(
    bundle: dict[str, Any], code: str, said: str
):
    with pytest.raises(CapabilityError, match=said) as caught:
        prepare_call(_of(summarise), bundle)
    assert (caught.value.code, caught.value.retryable) == (code, False)


def test_what_json_cannot_hold_is_an_error_with_a_code():
    @capability(id="acme.odd")
    def odd() -> Any:
        return object()

    with pytest.raises(CapabilityError) as caught:
        result_to_json(_of(odd), odd())
    assert caught.value.code == "output_not_json"

    @capability(id="acme.short", facets_out=["a", "b"])
    def short() -> dict[str, str]:
        return {"a": ""}

    with pytest.raises(CapabilityError, match="left out b"):
        result_to_json(_of(short), short())


def test_asking_a_person_ends_the_attempt():
    context = Context({"answers": [{"text": "yes"}]})
    assert context.answers == [{"text": "yes"}]
    with pytest.raises(PersonAsked) as caught:
        context.ask("Which?", [{"id": "a", "label": "A"}])
    assert caught.value.options == ({"id": "a", "label": "A"},)


def _no_type(ticket):
    return ticket


def _starred(*tickets: Ticket) -> None: ...


def _socket(connection: types.FrameType) -> None: ...


def _plain(node: Ticket) -> str:
    return ""


@pytest.mark.parametrize(
    ("function", "facets_in", "said"),
    [
        (_no_type, None, "'ticket' has no type"),
        (_starred, None, "'tickets' must be one that is passed by its name"),
        (_socket, None, "the parameter 'connection' cannot be read from JSON"),
        (_plain, ["a", "b"], "2 facets for 1 parameters"),
        (_plain, {"other": "a"}, "'other', which is no parameter"),
    ],
)
def test_a_function_that_cannot_be_one_says_where_it_is_and_why(function: Any, facets_in: Any, said: str):
    with pytest.raises(CapabilityMistake, match=said) as caught:
        capability(id="acme.wrong", facets_in=facets_in, facets_out="x")(function)
    assert f"{__file__}:{function.__code__.co_firstlineno}" in str(caught.value)


def test_a_module_lists_its_capabilities_once_each():
    module = types.ModuleType("mine")
    module.first, module.again, module.other = whole, whole, 7  # type: ignore[attr-defined]
    assert [each.id for each in capabilities_in(module)] == ["acme.whole"]


def test_the_package_loads_nothing_of_the_engine():
    code = "import flexrun_sdk, sys; print([m for m in sys.modules if m.split('.')[0] in "
    code += "{'schemas', 'runs', 'executor', 'planner', 'eventstore', 'flexrun', 'psycopg', 'aiohttp'}])"
    done = subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
