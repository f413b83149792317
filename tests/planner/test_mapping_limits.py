"""Contracts with limits, and contracts that cannot be filled."""

from typing import Any

import pytest

from tests.support.linkedin import POST, array_of, carry_out, envelope, object_of, refusal_of, with_inputs

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
SCHEMA = "/outputContract/schema"


def one(schema: Any, **inputs: Any) -> Any:
    """The output for a single variant."""
    return carry_out(with_inputs(schema, variantCount=1, **inputs)).output


def two(schema: Any, **inputs: Any) -> Any:
    """The output for two variants."""
    return carry_out(with_inputs(schema, variantCount=2, **inputs)).output


def test_something_else_with_a_title_is_not_a_post() -> None:
    image = object_of({"title": TEXT, "url": TEXT})
    (reason,) = refusal_of(with_inputs(object_of({"body": TEXT, "image": image}), variantCount=1))
    assert reason["path"] == f"{SCHEMA}/properties/image/properties/url"
    named = object_of({"title": TEXT})
    (reason,) = refusal_of(with_inputs(object_of({"body": TEXT, "image": named}), variantCount=1))
    assert reason["path"] == f"{SCHEMA}/properties/image"


def test_a_contract_that_contains_itself_is_filled_without_its_echo() -> None:
    schema = {**POST, "properties": {**POST["properties"], "left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    assert set(one(schema)) <= {"headline", "body", "callToAction", "left", "right"}


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        (object_of({"title": TEXT, "licence": TEXT}), "/properties/licence"),
        (object_of({"variants": array_of(object_of({"body": TEXT, "licence": TEXT}))}),
         "/properties/variants/items/properties/licence"),
        (object_of({"title": NUMBER}), "/properties/title"),
        (object_of({"body": {"type": "string", "format": "uri"}}), "/properties/body"),
        (object_of({"body": {"type": "string", "minLength": 9, "maxLength": 8}}), "/properties/body"),
        (object_of({"body": {"type": "string", "minLength": 90_000}}), "/properties/body"),
        (object_of({"company": {"type": "string", "maxLength": 3}, "body": TEXT}), "/properties/company"),
        (object_of({"body": False}), "/properties/body"),
        ({**object_of({"body": TEXT}), "required": ["body", "licence"]}, ""),
        ({"type": "object", "additionalProperties": False}, ""),
        ({"type": "integer"}, ""),
        ({"$ref": "#/$defs/none"}, ""),
        (False, ""),
    ],
)  # fmt: skip
def test_what_cannot_be_filled_is_refused_with_its_place(schema: Any, path: str) -> None:
    reasons = refusal_of(with_inputs(schema, variantCount=1))
    assert {(reason["code"], reason["path"]) for reason in reasons} == {
        ("contract_unsatisfiable", SCHEMA + path)
    }


def test_a_contract_for_something_else_that_can_be_had_gets_that_alone() -> None:
    done = carry_out(with_inputs(object_of({"channel": TEXT}), variantCount=1))
    assert done.output == {"channel": "linkedin"}
    assert [node["id"] for node in done.plan["nodes"]] == ["brief"]


def test_a_missing_property_is_named_beside_what_there_is() -> None:
    (reason,) = refusal_of(
        envelope(object_of({"variants": array_of(object_of({"body": TEXT, "licence": TEXT}))}))
    )
    assert "'licence'" in reason["message"]
    assert "callToAction" in reason["message"]


def test_every_missing_property_is_named() -> None:
    reasons = refusal_of(
        with_inputs(object_of({"a_b_c": TEXT, "body": TEXT, "d_e_f": NUMBER}), variantCount=1)
    )
    assert [reason["path"] for reason in reasons] == [
        f"{SCHEMA}/properties/a_b_c",
        f"{SCHEMA}/properties/d_e_f",
    ]


@pytest.mark.parametrize("variants", [1, 2])
@pytest.mark.parametrize(
    ("name", "limits", "able"),
    [
        ("body", {"minLength": 6_000, "maxLength": 10_000_000}, "maxLength 5000"),
        ("headline", {"minLength": 201}, "maxLength 200"),
        ("callToAction", {"minLength": 301}, "maxLength 300"),
    ],
)
def test_a_text_longer_than_a_draft_may_be_is_refused_when_planned(
    name: str, limits: dict[str, int], able: str, variants: int
) -> None:
    post = object_of({name: {**TEXT, **limits}})
    schema = post if variants == 1 else object_of({"variants": array_of(post)})
    (reason,) = refusal_of(with_inputs(schema, variantCount=variants))
    place = f"/properties/{name}" if variants == 1 else f"/properties/variants/items/properties/{name}"
    assert (reason["code"], reason["path"]) == ("contract_unsatisfiable", SCHEMA + place)
    assert able in reason["message"]
    assert f"the contract wants minLength {limits['minLength']}" in reason["message"]


def test_the_case_that_was_checked_against_less_than_its_contract_is_refused_when_planned() -> None:
    body = {"type": "string", "minLength": 6_000, "maxLength": 10_000_000}
    schema = {"type": "object", "required": ["body"], "properties": {"body": body}}
    (reason,) = refusal_of(with_inputs(schema, channel="linkedin", variantCount=2))
    assert reason["path"] == f"{SCHEMA}/properties/body"


@pytest.mark.parametrize("least", [4_900, 5_000])
def test_the_longest_text_that_a_draft_may_have_is_made_even_where_the_contract_lets_in_more(
    least: int,
) -> None:
    body = {"type": "string", "minLength": least, "maxLength": 10_000_000}
    assert least <= len(one(object_of({"body": body}))["body"]) <= 5_000


def test_two_names_for_one_text_share_its_limits() -> None:
    schema = object_of(
        {"title": {"type": "string", "minLength": 70}, "headline": {"type": "string", "maxLength": 80}}
    )
    output = one(schema)
    assert output["title"] == output["headline"]
    assert 70 <= len(output["title"]) <= 80


def test_two_names_whose_limits_exclude_each_other_are_refused() -> None:
    schema = object_of(
        {"title": {"type": "string", "minLength": 70}, "headline": {"type": "string", "maxLength": 60}}
    )
    (reason,) = refusal_of(with_inputs(schema, variantCount=1))
    assert reason["path"] == f"{SCHEMA}/properties/headline"
    assert "exclude each other" in reason["message"]


@pytest.mark.parametrize(("least", "most"), [(60, 70), (1, 12), (5, 5), (300, 310)])
def test_a_number_of_words_is_asked_of_the_draft(least: int, most: int) -> None:
    count = {"type": "integer", "minimum": least, "exclusiveMaximum": most + 1}
    output = one(object_of({"text": TEXT, "wordCount": count}))
    assert least <= len(output["text"].split()) <= most


@pytest.mark.parametrize(("least", "most"), [(0, 280), (1_500, 1_600), (0, 40), (700, 700)])
def test_a_whole_post_keeps_its_length(least: int, most: int) -> None:
    schema = {"type": "string", "minLength": least, "maxLength": most}
    assert least <= len(one(schema)) <= most
    for text in two(array_of(schema)):
        assert least <= len(text) <= most


@pytest.mark.parametrize("count", [2, 3, 6])
def test_all_variants_in_one_text_share_its_length(count: int) -> None:
    schema = {"type": "string", "minLength": 900, "maxLength": 1_000}
    text = carry_out(with_inputs(schema, variantCount=count)).output
    assert [f"Variant {letter}" in text for letter in "ABCDEF"] == [index < count for index in range(6)]


def test_too_small_a_room_for_all_variants_is_refused() -> None:
    (reason,) = refusal_of(with_inputs({"type": "string", "maxLength": 60}, variantCount=6))
    assert reason["code"] in ("variant_count_conflict", "contract_unsatisfiable")


def test_a_contract_that_unfolds_without_end_is_refused_quickly() -> None:
    definitions = {
        f"n{level}": {"anyOf": [{"$ref": f"#/$defs/n{level + 1}"}, {"$ref": f"#/$defs/n{level + 1}"}]}
        for level in range(30)
    }
    schema = {
        "$defs": {**definitions, "n30": {"type": "integer"}},
        **object_of({"body": {"$ref": "#/$defs/n0"}}),
    }
    (reason,) = refusal_of(with_inputs(schema, variantCount=1))
    assert reason["code"] == "contract_too_complex"


def test_a_contract_with_hundreds_of_properties_is_looked_at_and_no_more() -> None:
    post = {**POST, "properties": {**POST["properties"], **{f"p{number}": TEXT for number in range(900)}}}
    assert len(carry_out(with_inputs(array_of(post), variantCount=2)).output) == 2
    (reason,) = refusal_of(with_inputs(array_of({**post, "required": ["p0"]}), variantCount=2))
    assert (reason["code"], reason["path"]) == ("contract_unsatisfiable", f"{SCHEMA}/items/properties/p0")
