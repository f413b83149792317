"""The four envelopes that everybody starts with."""

from tests.support.linkedin import carry_out, example, plan_of, refusal_of


def test_variants_are_planned_as_brief_drafts_in_parallel_and_review() -> None:
    plan = plan_of(example("linkedin-variants"))
    assert [
        (node["id"], node["kind"], node["capabilityId"], node["dependsOn"]) for node in plan["nodes"]
    ] == [
        ("brief", "structuring", "stub.linkedin.brief", []),
        ("draft-a", "execution", "stub.linkedin.draft", ["brief"]),
        ("draft-b", "execution", "stub.linkedin.draft", ["brief"]),
        ("review", "validation", "stub.linkedin.review", ["draft-a", "draft-b"]),
    ]
    assert plan["edges"] == [
        {"from": "brief", "to": "draft-a"},
        {"from": "brief", "to": "draft-b"},
        {"from": "draft-a", "to": "review"},
        {"from": "draft-b", "to": "review"},
    ]


def test_every_node_has_a_contract_and_a_queue() -> None:
    for node in plan_of(example("linkedin-flat-record"))["nodes"]:
        assert node["contract"]["maxAttempts"] == 3
        assert node["contract"]["fallback"] == "retry"
        assert node["contract"]["output"]["type"] == "object"
        assert all(node["contract"]["expectations"])
        assert (node["queue"], node["agentType"]) == ("default", "ai")


def test_variants_are_delivered_without_a_transformation() -> None:
    plan = plan_of(example("linkedin-variants"))
    assert plan["metadata"]["delivery"] == "direct"
    first = plan["metadata"]["composition"]["variants"][0]
    assert first["body"] == {"$node": "draft-a", "$pointer": "/body"}


def test_the_callers_lengths_are_in_the_contract_of_each_draft() -> None:
    plan = plan_of(example("linkedin-variants"))
    for node in plan["nodes"][1:3]:
        properties = node["contract"]["output"]["properties"]
        assert (properties["headline"]["minLength"], properties["headline"]["maxLength"]) == (5, 120)
        assert properties["body"]["minLength"] == 20
        assert properties["callToAction"]["minLength"] == 3


def test_each_variant_has_its_own_instruction() -> None:
    plan = plan_of(example("linkedin-variants"))
    instructions = [node["bundle"]["variant"]["instructions"] for node in plan["nodes"][1:3]]
    assert instructions == [
        ["Variant A should highlight team culture."],
        ["Variant B should highlight career growth."],
    ]


def test_every_node_takes_what_its_descriptor_says() -> None:
    plan = plan_of(example("linkedin-variants"))
    company = {"$input": "/contextBundles/0/payload"}
    for node in plan["nodes"]:
        assert {"channel", "audience", "goal"} <= set(node["bundle"]["inputKeys"])
        assert node["bundle"]["facets"]["company_profile"] == company
    assert plan["nodes"][1]["bundle"]["facets"]["creative_brief"] == {"$node": "brief"}
    drafts = [{"$node": "draft-a"}, {"$node": "draft-b"}]
    assert plan["nodes"][-1]["bundle"]["facets"]["post_copy"] == drafts


def test_variants_complete_with_what_the_inputs_say() -> None:
    output = carry_out(example("linkedin-variants")).output
    first, second = output["variants"]
    assert "team culture" in first["headline"] + first["body"]
    assert "career growth" in (second["headline"] + second["body"]).lower()
    for variant in (first, second):
        assert "Machines that explain themselves" in variant["body"]
        assert "opening of the Ghent test hall" in variant["body"]
        assert "platform engineers" in variant["body"]
        assert "Northwind Robotics" in variant["headline"]


def test_a_flat_record_goes_through_a_transformation() -> None:
    done = carry_out(example("linkedin-flat-record"))
    shape = done.plan["nodes"][-1]
    assert (shape["id"], shape["kind"], shape["capabilityId"]) == (
        "shape",
        "transformation",
        "stub.transform.reshape",
    )
    assert shape["dependsOn"] == ["draft-a", "review"]
    assert done.plan["metadata"]["composition"] == {"$node": "shape"}
    assert set(done.output) == {"title", "text", "cta", "wordCount"}
    assert done.output["title"] == done.of("draft-a")["headline"]
    assert done.output["wordCount"] == len(done.output["text"].split())


def test_the_approval_envelope_is_planned_like_any_other() -> None:
    assert len(carry_out(example("linkedin-approval")).output["variants"]) == 2


def test_what_no_capability_can_do_is_refused_with_every_reason() -> None:
    (reason,) = refusal_of(example("infeasible"))
    assert (reason["code"], reason["path"]) == ("facet_unavailable", "/outputContract/facets/0")
    assert "post_copy" in reason["message"]
