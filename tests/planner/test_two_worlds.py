"""Ten contracts over the support world, planned by the code that plans LinkedIn posts, carried out or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planner.node_factory import read_node_factory
from planner.planner import JsonObject, PlanRefused
from tests.support.worlds import FOLDER, carry_out_support, plan_support

TICKET = {"subject": "Refund", "text": "I was charged twice for one invoice!"}
TEXT = {"type": "string"}


def envelope(contract: JsonObject, objective: str = "Deal with this ticket", **more: Any) -> JsonObject:
    return {
        "objective": objective,
        "inputs": {"facets": {"ticket": TICKET}},
        "outputContract": contract,
        **more,
    }


def schema(properties: JsonObject, required: list[str] | None = None, **more: Any) -> JsonObject:
    wanted = list(properties) if required is None else required
    return {
        "mode": "json_schema",
        "schema": {"type": "object", "required": wanted, "properties": properties, **more},
    }


def nodes(plan: JsonObject) -> list[str]:
    return [node["capabilityId"] for node in plan["nodes"]]


def test_one_facet_goes_through_a_person_to_the_end():
    task = envelope({"mode": "facets", "facets": ["sent_reply"]})
    plan = plan_support(task)
    assert nodes(plan) == [
        "support.classify",
        "support.look_up",
        "support.draft",
        "support.check_style",
        "support.approve",
        "support.send",
    ]
    assert plan["nodes"][4]["agentType"] == "human"
    assert plan["metadata"]["cost"]["micros"] == 3360
    assert plan["metadata"]["proved"] is True
    assert "Refund" in carry_out_support(task)["sent_reply"]["text"]


def test_people_are_told_what_to_do_in_the_words_of_the_description():
    plan = plan_support(envelope({"mode": "facets", "facets": ["sent_reply"]}))
    told, gives = plan["nodes"][4]["contract"]["expectations"]
    assert told.startswith("A person reads the draft")
    assert gives == "Gives approval."


@pytest.mark.parametrize(("agent", "bounded"), [("human", {"timeoutSeconds": 60}), ("ai", {})])
def test_a_person_has_the_time_that_the_descriptor_says(agent: str, bounded: JsonObject):
    descriptor = {"id": "a", "agentType": agent, "timeoutSeconds": 60}
    made = read_node_factory({}, {"a": descriptor}).node(
        node_id="a", capability_id="a", label="A", depends_on=[], output=True, expectations=[], bundle={}
    )
    assert made["contract"] == {
        "output": True,
        "expectations": [],
        "maxAttempts": 3,
        "fallback": "retry",
        **bounded,
    }


def test_two_facets_share_the_work_that_both_need():
    task = envelope({"mode": "facets", "facets": ["reply_draft", "help_article"]})
    assert nodes(plan_support(task)) == ["support.classify", "support.look_up", "support.draft"]
    assert carry_out_support(task)["help_article"]["title"] == "Invoices"


def test_the_example_fills_an_enum_an_object_and_a_list():
    task: JsonObject = json.loads((FOLDER / "answer.json").read_text())
    output = carry_out_support(task)
    assert output["category"] == "billing"
    assert output["style"] == {"passed": True, "remarks": []}
    draft = next(node for node in plan_support(task)["nodes"] if node["capabilityId"] == "support.draft")
    assert "2000" in json.dumps(draft["contract"]["output"]), "a length that is not promised is asked for"


def test_a_flat_record_takes_members_of_several_facets():
    task = envelope(schema({"category": TEXT, "advice": TEXT, "body": TEXT}, additionalProperties=False))
    output = carry_out_support(task)
    assert set(output) == {"category", "advice", "body"}


def test_nested_objects_are_filled_by_shape_and_by_name():
    article = {
        "type": "object",
        "required": ["title", "advice"],
        "properties": {"title": TEXT, "advice": TEXT},
    }
    task = envelope(
        schema({"answer": schema({"source": article, "replyDraft": {"type": "object"}})["schema"]})
    )
    output = carry_out_support(task)
    assert output["answer"]["source"]["title"] == "Invoices"
    assert output["answer"]["replyDraft"]["greeting"] == "Good day"


def test_free_text_is_the_facet_of_which_the_objective_speaks():
    task = envelope({"mode": "freeform", "instructions": "One paragraph."}, "Draft a reply to this ticket")
    assert carry_out_support(task).startswith("You wrote to us about")


def test_a_hint_and_an_annotation_say_which_facet_stands_where():
    contract = schema({"note": {"type": "string", "x-facet": "help_article#advice"}, "text": TEXT})
    contract["hints"] = {"/properties/text": "reply_draft#body"}
    assert carry_out_support(envelope(contract))["text"].startswith("You wrote to us about")


def test_what_cannot_be_proved_is_refused_with_its_place_and_the_nearest_contract():
    contract = schema({"category": {"enum": ["billing", "technical"]}, "advice": TEXT})
    with pytest.raises(PlanRefused) as caught:
        plan_support(envelope(contract))
    by_code = {each["code"]: each for each in caught.value.diagnostics}
    assert by_code["contract_unsatisfiable"]["path"] == "/outputContract/schema/properties/category"
    assert list(by_code["nearest_contract"]["nearest"]["schema"]["properties"]) == ["advice"]


def test_a_ticket_that_is_not_there_is_named_with_what_needs_it():
    task = envelope({"mode": "facets", "facets": ["sent_reply"]})
    task["inputs"] = {}
    with pytest.raises(PlanRefused) as caught:
        plan_support(task)
    reasons = {each["path"]: each for each in caught.value.diagnostics}
    lacking = reasons["/inputs/facets/ticket"]
    assert lacking["neededBy"] == [
        "support.draft needs it to give reply_draft",
        "support.classify needs it to give ticket_class",
    ]


def test_a_policy_forbids_people_and_the_refusal_says_whom():
    policies = {"planner": {"selection": {"forbid": ["human"]}}}
    with pytest.raises(PlanRefused) as caught:
        plan_support(envelope({"mode": "facets", "facets": ["sent_reply"]}, policies=policies))
    told = json.dumps(caught.value.diagnostics)
    assert "support.approve" in told
    assert "selection.forbid" in told


def test_a_kind_that_a_policy_requires_is_in_the_plan():
    policies = {"planner": {"topology": {"requiredKinds": ["validation"]}, "selection": {"avoid": ["human"]}}}
    task = envelope({"mode": "facets", "facets": ["reply_draft"]}, policies=policies)
    assert nodes(plan_support(task))[-1] == "support.check_style"


def test_a_bound_that_no_plan_keeps_is_refused_with_a_plan_that_breaks_it():
    policies = {"planner": {"topology": {"maxNodes": 2}}}
    with pytest.raises(PlanRefused) as caught:
        plan_support(envelope({"mode": "facets", "facets": ["reply_draft"]}, policies=policies))
    (reason,) = caught.value.diagnostics
    assert (reason["code"], reason["path"]) == ("plan_too_large", "/policies/planner/topology")
    assert "has 3 nodes" in reason["message"]


def test_an_input_of_a_facets_name_is_this_facet_where_its_schema_accepts_it():
    task = envelope({"mode": "facets", "facets": ["ticket_class"]})
    task["inputs"] = {"ticket": TICKET}
    assert carry_out_support(task)["ticket_class"]["urgent"] is True
    task["inputs"] = {"ticket": "no ticket at all"}
    with pytest.raises(PlanRefused):
        plan_support(task)
