"""Places of a contract that no facet fills, delivered by a transformation where one is registered."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from planner.checking import plan_faults
from planner.derive.planner import derive_plan
from planner.planner import JsonObject, PlanContext, PlanRefused

TICKET = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
SUMMARY = {"type": "object", "properties": {"summary": {"type": "string"}}, "required": ["summary"]}
FACETS: dict[str, JsonObject] = {
    name: {"version": "1.0.0", "many": False, "schema": schema}
    for name, schema in {"ticket": TICKET, "ticket_summary": SUMMARY}.items()
}
SUMMARISE: JsonObject = {
    "id": "acme.summarise",
    "version": "1.0.0",
    "label": "Summarise",
    "facetsIn": ["ticket"],
    "facetsOut": ["ticket_summary"],
}
RESHAPE: JsonObject = {
    "id": "acme.reshape",
    "version": "1.0.0",
    "label": "Reshape",
    "kind": "transformation",
    "outputSchema": {},
    "home": {"type": "model"},
}
MOOD = {"enum": ["calm", "angry"], "type": "string"}


def plan(schema: Any, *known: JsonObject, policies: JsonObject | None = None) -> JsonObject:
    envelope: JsonObject = {
        "objective": "Deal with this ticket",
        "inputs": {"facets": {"ticket": {"text": "It is broken."}}},
        "outputContract": {"mode": "json_schema", "schema": schema},
        **({"policies": policies} if policies else {}),
    }
    made = derive_plan(envelope, {each["id"]: each for each in known}, PlanContext(facets=FACETS))
    assert plan_faults(made, list(known)) == []
    return made


def record(**members: Any) -> JsonObject:
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def test_it_makes_what_no_facet_fills_of_the_facets_that_fill_the_rest():
    made = plan(record(summary={"type": "string"}, mood=MOOD), RESHAPE, SUMMARISE)
    reshape = next(each for each in made["nodes"] if each["capabilityId"] == "acme.reshape")
    assert reshape["dependsOn"] == ["acme.summarise"]
    assert reshape["bundle"]["facets"] == {"ticket_summary": {"$node": "acme.summarise"}}
    owed = reshape["contract"]["output"]
    jsonschema.validate({"mood": "calm"}, owed)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"mood": "furious"}, owed)
    assert made["metadata"]["composition"] == {
        "summary": {"$node": "acme.summarise", "$pointer": "/summary"},
        "mood": {"$node": "acme.reshape", "$pointer": "/mood"},
    }
    assert made["metadata"]["facets"] == ["ticket_summary"]


def test_it_takes_no_part_where_facets_fill_everything():
    made = plan(record(summary={"type": "string"}), RESHAPE, SUMMARISE)
    assert [each["capabilityId"] for each in made["nodes"]] == ["acme.summarise"]


def test_definitions_go_along_and_other_references_have_it_make_the_whole():
    defined = {**record(mood={"$ref": "#/$defs/mood"}), "$defs": {"mood": MOOD}}
    (node,) = plan(defined, RESHAPE)["nodes"]
    jsonschema.validate({"mood": "angry"}, node["contract"]["output"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"mood": "furious"}, node["contract"]["output"])

    twice = record(mood=MOOD, before={"$ref": "#/properties/mood"})
    made = plan(twice, RESHAPE)
    assert made["nodes"][0]["contract"]["output"] == twice
    assert made["metadata"]["composition"] == {"$node": "acme.reshape"}


@pytest.mark.parametrize(
    ("schema", "policies"),
    [
        (record(mood=MOOD), {"planner": {"selection": {"forbid": ["acme.reshape"]}}}),
        (record(mood={"x-facet": "nobody_gives_this"}), None),
        (record(mood={"type": "string", "enum": [1]}), None),
    ],
    ids=["forbidden", "told to be a facet", "impossible"],
)
def test_what_it_may_not_or_cannot_make_is_refused_as_ever(schema: Any, policies: JsonObject | None):
    with pytest.raises(PlanRefused) as caught:
        plan(schema, RESHAPE, SUMMARISE, policies=policies)
    assert caught.value.diagnostics[0]["code"] == "contract_unsatisfiable"
    assert caught.value.diagnostics[0]["path"] == "/outputContract/schema/properties/mood"
