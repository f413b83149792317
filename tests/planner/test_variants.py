"""How many variants there are, who says so, and what happens when two say different things."""

from typing import Any

import pytest

from planner.derive.variants import read_instructions
from tests.support.linkedin import (
    POST,
    array_of,
    carry_out,
    envelope,
    object_of,
    plan_of,
    refusal_of,
    with_inputs,
)

TEXT = {"type": "string"}
RECORD = object_of({"title": TEXT, "text": TEXT})


def count_of(task: dict[str, Any]) -> int:
    """How many drafts the plan has."""
    plan = plan_of(task)
    drafts = [node for node in plan["nodes"] if node["id"].startswith("draft-")]
    assert plan["metadata"]["variantCount"] == len(drafts)
    return len(drafts)


def posts(**limits: int) -> dict[str, Any]:
    """A contract for an array of posts."""
    return object_of({"variants": array_of(POST, **limits)})


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_one_to_six_variants_are_made_and_all_differ(count: int) -> None:
    output = carry_out(with_inputs(posts(), variantCount=count)).output
    assert len({post["body"] for post in output["variants"]}) == count


def test_six_variants_about_the_same_subject_still_differ() -> None:
    instructions = ["Variants A, B, C, D, E and F should highlight team culture."]
    task = {**with_inputs(posts(), variantCount=6), "specialInstructions": instructions}
    output = carry_out(task).output["variants"]
    assert len({(post["headline"], post["body"]) for post in output}) == 6
    assert all("team culture" in post["headline"].lower() + post["body"] for post in output)


@pytest.mark.parametrize("place", ["inputs", "policies", "constraints"])
def test_the_number_may_stand_in_inputs_policies_or_constraints(place: str) -> None:
    task = with_inputs(posts(), variantCount=None)
    task[place] = {**task.get(place, {}), "variantCount": 3}
    assert count_of(task) == 3


@pytest.mark.parametrize("value", [0, 7, -1, 10**30, 2.5, "2", True, [2], {"n": 2}])
def test_a_number_that_cannot_be_is_refused_with_its_place(value: Any) -> None:
    (reason,) = refusal_of(with_inputs(posts(), variantCount=value))
    assert (reason["code"], reason["path"]) == ("variant_count_invalid", "/inputs/variantCount")
    assert "6" in reason["message"]


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert count_of(with_inputs(posts(), variantCount=3.0)) == 3


def test_two_places_that_disagree_are_refused() -> None:
    task = with_inputs(posts(), variantCount=2)
    (reason,) = refusal_of({**task, "policies": {"variantCount": 3}})
    assert (reason["code"], reason["path"]) == ("variant_count_conflict", "/policies/variantCount")


@pytest.mark.parametrize(
    ("schema", "count"),
    [
        (posts(minItems=4, maxItems=4), 4),
        (posts(minItems=3), 3),
        (posts(maxItems=1), 1),
        (posts(), 2),
        (RECORD, 1),
        (array_of(POST, minItems=5), 5),
        (object_of({"variantA": POST, "variantB": POST, "variantC": POST}), 3),
    ],
)
def test_the_contract_says_the_number_where_nothing_else_does(schema: Any, count: int) -> None:
    task = {**with_inputs(schema, variantCount=None), "objective": "Write posts for LinkedIn"}
    assert count_of(task) == count


@pytest.mark.parametrize(
    ("objective", "count"),
    [
        ("Write three LinkedIn posts", 3),
        ("Create 4 LinkedIn post variants", 4),
        ("Draft a LinkedIn post", 1),
        ("Draft a LinkedIn post in 5 variants", 5),
        ("Create LinkedIn posts", 2),
    ],
)
def test_the_objective_says_the_number_where_the_inputs_do_not(objective: str, count: int) -> None:
    assert count_of({**with_inputs(posts(), variantCount=None), "objective": objective}) == count


@pytest.mark.parametrize(
    ("schema", "count", "takes"),
    [
        (posts(minItems=2, maxItems=2), 3, "2"),
        (posts(minItems=4), 1, "4 or 5 or 6"),
        (RECORD, 2, "1"),
        (posts(maxItems=1), 6, "1"),
    ],
)
def test_a_contract_for_another_number_is_a_contradiction(schema: Any, count: int, takes: str) -> None:
    (reason,) = refusal_of(with_inputs(schema, variantCount=count))
    assert (reason["code"], reason["path"]) == ("variant_count_conflict", "/inputs/variantCount")
    assert f"asks for {count} variant(s), and the contract takes {takes}." in reason["message"]


def test_the_objectives_number_can_contradict_the_contract_too() -> None:
    task = {**with_inputs(posts(maxItems=2), variantCount=None), "objective": "Write three LinkedIn posts"}
    (reason,) = refusal_of(task)
    assert (reason["code"], reason["path"]) == ("variant_count_conflict", "/objective")


def test_an_instruction_about_a_variant_that_is_not_made_is_refused() -> None:
    instructions = ["Be brief.", "Variant D should highlight team culture."]
    (reason,) = refusal_of({**with_inputs(posts(), variantCount=2), "specialInstructions": instructions})
    assert (reason["code"], reason["path"]) == ("variant_unknown", "/specialInstructions/1")
    assert "variant D" in reason["message"]


def test_instructions_that_name_variants_count_them() -> None:
    instructions = ["Variant C should highlight team culture."]
    task = {
        **with_inputs(posts(), variantCount=None),
        "objective": "Create LinkedIn posts",
        "specialInstructions": instructions,
    }
    assert count_of(task) == 3


@pytest.mark.parametrize(
    ("instruction", "positions"),
    [
        ("Variant A should highlight team culture.", [1]),
        ("Variant 2: highlight career growth", [2]),
        ("variant b should be short", [2]),
        ("VARIANT C: no hashtags", [3]),
        ("For variant B, mention the view.", [2]),
        ("Variants A and C should speak of training.", [1, 3]),
        ("Variant A, B & variant D must name the date", [1, 2, 4]),
        ("Variants 1 and 2: stress safety", [1, 2]),
        ("Make a variant a bit shorter", []),
        ("Every variant should be kind", []),
        ("Variant A-grade steel is our product", []),
        ("Write about our plan B", []),
        ("Speak of the variant 2024 of our robot", []),
    ],
)
def test_an_instruction_goes_to_the_variants_that_it_names(instruction: str, positions: list[int]) -> None:
    read = read_instructions({"specialInstructions": [instruction]})
    assert sorted(read.of_variant) == positions
    assert read.general == (() if positions else (instruction,))


def test_a_general_instruction_reaches_every_draft() -> None:
    task = {**with_inputs(posts(), variantCount=3), "specialInstructions": ["Mention the free lunch."]}
    done = carry_out(task)
    for node in done.plan["nodes"][1:4]:
        assert node["bundle"]["instructions"] == ["Mention the free lunch."]
    assert all("the free lunch" in post["headline"] + post["body"] for post in done.output["variants"])


def test_blank_instructions_are_left_out() -> None:
    read = read_instructions({"specialInstructions": ["", "   ", "\n"]})
    assert (read.general, read.of_variant) == ((), {})


def test_what_a_person_said_of_the_last_output_reaches_every_draft() -> None:
    from planner.planner import PlanContext  # noqa: PLC0415 - only this test has a context of its own

    plan = plan_of(envelope(posts()), PlanContext("run", 2, "Mention the canteen."))
    assert all(node["bundle"]["feedback"] == "Mention the canteen." for node in plan["nodes"][1:3])


def test_as_many_instructions_as_an_envelope_may_have_can_be_planned() -> None:
    instructions = [f"Variant A should say {number}." for number in range(100)]
    plan = plan_of(envelope(specialInstructions=instructions))
    (draft,) = [node for node in plan["nodes"] if node["id"] == "draft-a"]
    assert len(draft["bundle"]["variant"]["instructions"]) == 100
