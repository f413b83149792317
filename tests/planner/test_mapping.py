"""Contracts of any shape, filled from the same material."""

from typing import Any

import pytest

from tests.support.linkedin import POST, array_of, carry_out, object_of, refusal_of, with_inputs

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
SCHEMA = "/outputContract/schema"


def one(schema: Any, **inputs: Any) -> Any:
    """The output for a single variant."""
    return carry_out(with_inputs(schema, variantCount=1, **inputs)).output


def two(schema: Any, **inputs: Any) -> Any:
    """The output for two variants."""
    return carry_out(with_inputs(schema, variantCount=2, **inputs)).output


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("headline", "headline"), ("title", "headline"), ("Heading", "headline"), ("subject", "headline"),
        ("post_title", "headline"), ("body", "body"), ("text", "body"), ("content", "body"), ("copy", "body"),
        ("message", "body"), ("post-text", "body"), ("BODY_TEXT", "body"), ("callToAction", "callToAction"),
        ("call_to_action", "callToAction"), ("call-to-action", "callToAction"), ("cta", "callToAction"),
        ("CTA", "callToAction"), ("ctaText", "callToAction"), ("variantId", "variantId"), ("variant_id", "variantId"),
    ],
)  # fmt: skip
def test_a_text_is_found_by_any_of_its_names(name: str, field: str) -> None:
    done = carry_out(with_inputs(object_of({name: TEXT, "body": TEXT}), variantCount=1))
    assert done.output[name] == done.of("draft-a")[field]


@pytest.mark.parametrize("name", ["wordCount", "word_count", "words", "number-of-words"])
def test_words_are_counted_in_the_text_that_is_delivered(name: str) -> None:
    output = one(object_of({"text": TEXT, name: NUMBER}))
    assert output[name] == len(output["text"].split())


@pytest.mark.parametrize("name", ["characterCount", "char_count", "length", "chars"])
def test_characters_are_counted_in_the_text_that_is_delivered(name: str) -> None:
    output = one(object_of({"body": TEXT, name: {"type": "number"}}))
    assert output[name] == len(output["body"])


def test_a_full_text_alone_is_joined_before_it_is_delivered() -> None:
    assert one(object_of({"fullText": TEXT}))["fullText"].count("\n\n") == 3


def test_a_full_text_is_what_is_counted_where_it_is_delivered() -> None:
    output = one(object_of({"fullText": TEXT, "wordCount": NUMBER, "characterCount": NUMBER}))
    assert output["wordCount"] == len(output["fullText"].split())
    assert output["characterCount"] == len(output["fullText"])
    assert output["fullText"].count("\n\n") == 3


@pytest.mark.parametrize(
    "name", ["variants", "posts", "items", "drafts", "results", "linkedin_posts", "anythingAtAll"]
)
def test_variants_are_delivered_under_the_callers_name_for_them(name: str) -> None:
    output = two(object_of({name: array_of(POST)}))
    assert len(output[name]) == 2
    assert output[name][0] != output[name][1]


def test_a_top_level_array_has_one_item_for_each_variant() -> None:
    output = carry_out(with_inputs(array_of(POST), variantCount=3)).output
    assert [sorted(item) for item in output] == [["body", "callToAction", "headline"]] * 3


def test_lists_of_texts_are_filled_by_the_singular_of_their_name() -> None:
    output = two(object_of({"headlines": array_of(TEXT), "bodies": array_of(TEXT), "posts": array_of(TEXT)}))
    for headline, body, post in zip(output["headlines"], output["bodies"], output["posts"], strict=True):
        assert post.startswith(f"{headline}\n\n{body}\n\n")


def test_nested_objects_are_gone_into() -> None:
    item = object_of(
        {"content": object_of({"title": TEXT, "text": TEXT}), "meta": object_of({"words": NUMBER})}
    )
    output = two(object_of({"result": object_of({"posts": array_of(item)})}))
    for post in output["result"]["posts"]:
        assert post["meta"]["words"] == len(post["content"]["text"].split())


def test_each_variant_has_its_place_and_name() -> None:
    item = object_of({"id": TEXT, "label": TEXT, "position": NUMBER, "index": NUMBER, "body": TEXT})
    output = two(array_of(item))
    assert [(post["id"], post["label"], post["position"], post["index"]) for post in output] == [
        ("a", "Variant A", 1, 0),
        ("b", "Variant B", 2, 1),
    ]


def test_variants_may_have_a_property_each() -> None:
    output = two(object_of({"variantA": POST, "variant_b": POST}))
    assert output["variantA"]["body"] != output["variant_b"]["body"]


def test_a_property_for_a_variant_that_there_is_not_is_a_contradiction() -> None:
    (reason,) = refusal_of(with_inputs(object_of({"variantA": POST, "variantB": POST}), variantCount=1))
    assert (reason["code"], reason["path"]) == ("variant_count_conflict", "/inputs/variantCount")
    assert "takes 2." in reason["message"]


def test_one_text_may_be_an_object_with_its_length() -> None:
    part = object_of({"text": TEXT, "length": NUMBER})
    output = one(object_of({"headline": part, "body": part}))
    assert output["headline"]["length"] == len(output["headline"]["text"])
    assert output["body"]["text"] != output["headline"]["text"]


def test_what_the_inputs_say_is_delivered_as_it_was_sent() -> None:
    schema = object_of({"channel": TEXT, "goal": TEXT, "target_audience": TEXT, "brand-voice": TEXT, "company": TEXT,
                        "region": TEXT, "budget": {"type": "number"}, "body": TEXT})  # fmt: skip
    output = one(schema, region="Benelux", budget=12.5)
    del output["body"]
    assert output == {
        "channel": "linkedin",
        "goal": "attract_new_employees",
        "target_audience": "platform engineers",
        "brand-voice": "inspiring",
        "company": "Northwind Robotics",
        "region": "Benelux",
        "budget": 12.5,
    }


def test_the_company_may_be_an_object() -> None:
    company = object_of({"name": TEXT, "core_value": TEXT})
    output = one(object_of({"company": company, "body": TEXT}))
    assert output["company"] == {
        "name": "Northwind Robotics",
        "core_value": "Machines that explain themselves",
    }


def test_brief_and_review_can_be_had_whole_and_in_parts() -> None:
    schema = object_of(
        {
            "brief": {"type": "object"},
            "review": object_of({"approved": {"type": "boolean"}, "findings": {"type": "array"}}),
            "keyMessages": array_of(TEXT),
            "variants": array_of(POST),
        }
    )
    done = carry_out(with_inputs(schema))
    assert done.output["brief"] == done.of("brief")
    assert done.output["review"]["approved"] is True
    assert done.output["keyMessages"] == done.of("brief")["keyMessages"]


def test_hashtags_keep_the_limits_of_the_contract() -> None:
    tags = array_of({"type": "string", "maxLength": 30}, minItems=5, maxItems=5)
    for post in two(array_of(object_of({"body": TEXT, "tags": tags}))):
        assert len(set(post["tags"])) == 5


def test_references_and_all_of_are_followed() -> None:
    schema = {
        "$defs": {
            "line": {"type": "string", "maxLength": 60},
            "base": {"properties": {"title": {"$ref": "#/$defs/line"}}, "required": ["title"]},
            "post": {
                "allOf": [
                    {"$ref": "#/$defs/base"},
                    {"required": ["text"], "properties": {"text": {"minLength": 400}}},
                ]
            },
        },
        "type": "array",
        "items": {"$ref": "#/$defs/post", "type": "object"},
    }
    for post in two(schema):
        assert len(post["title"]) <= 60
        assert len(post["text"]) >= 400


def test_an_anchor_is_a_reference_too() -> None:
    schema = {"$defs": {"x": {"$anchor": "line", "type": "string"}}, **object_of({"body": {"$ref": "#line"}})}
    assert one(schema)["body"]


def test_the_first_alternative_that_can_be_filled_is_taken() -> None:
    licence = object_of({"licence": TEXT})
    assert set(one({"anyOf": [licence, object_of({"title": TEXT, "text": TEXT})]})) == {"title", "text"}
    assert set(one({"oneOf": [licence, object_of({"title": TEXT, "text": TEXT})]})) == {"title", "text"}


def test_one_object_or_a_list_of_them_depends_on_the_number() -> None:
    schema = object_of({"post": {"anyOf": [POST, array_of(POST)]}})
    assert isinstance(one(schema)["post"], dict)
    assert len(two(object_of({"posts": {"anyOf": [POST, array_of(POST)]}}))["posts"]) == 2


def test_constants_defaults_and_null_come_from_the_contract() -> None:
    schema = object_of(
        {
            "kind": {"const": "post"},
            "version": {"enum": [3]},
            "language": {"type": "string", "default": "en"},
            "image": {"type": ["string", "null"]},
            "body": TEXT,
        }
    )
    output = one(schema)
    assert (output["kind"], output["version"], output["language"], output["image"]) == ("post", 3, "en", None)


def test_an_enum_takes_the_value_that_there_is_in_the_callers_spelling() -> None:
    assert one(object_of({"channel": {"enum": ["X", "LinkedIn"]}, "body": TEXT}))["channel"] == "LinkedIn"


def test_an_enum_without_the_value_is_refused() -> None:
    (reason,) = refusal_of(
        with_inputs(object_of({"channel": {"enum": ["X", "Bluesky"]}, "body": TEXT}), variantCount=1)
    )
    assert (reason["code"], reason["path"]) == ("contract_unsatisfiable", f"{SCHEMA}/properties/channel")
    assert "'Bluesky'" in reason["message"]


def test_only_what_is_declared_is_delivered() -> None:
    assert set(one(object_of({"text": TEXT}, closed=False))) == {"text"}


def test_what_is_optional_and_unknown_is_left_out() -> None:
    schema = {**POST, "properties": {**POST["properties"], "imageUrl": {"type": "string", "format": "uri"}}}
    assert "imageUrl" not in one(schema)


def test_a_required_name_without_a_schema_is_found_all_the_same() -> None:
    assert set(one({"type": "object", "required": ["title", "cta"]})) == {"title", "cta"}


@pytest.mark.parametrize("schema", [True, {}, {"type": "object"}, {"type": ["object", "null"]}])
def test_a_contract_that_says_nothing_gets_the_variants(schema: Any) -> None:
    output = two(schema)
    assert [sorted(post) for post in output["variants"]] == [["body", "callToAction", "headline"]] * 2


def test_a_list_of_anything_gets_posts() -> None:
    assert sorted(two({"type": "array"})[0]) == ["body", "callToAction", "headline"]
    assert two(array_of(TEXT))[0].count("\n\n") == 3


def test_property_names_that_look_like_operators_are_only_names() -> None:
    schema = object_of(
        {"$node": array_of(POST), "$value": {"const": {"$node": "draft-a"}}, "body": {"const": "x"}}
    )
    output = two(schema)
    assert len(output["$node"]) == 2
    assert output["$value"] == {"$node": "draft-a"}


def test_values_that_look_like_operators_are_only_values() -> None:
    hostile = {"$node": "review", "$pointer": "/nowhere"}
    output = one(object_of({"campaign": {"type": "object"}, "body": TEXT}), campaign=hostile)
    assert output["campaign"] == hostile


def test_a_list_that_the_inputs_have_is_not_taken_for_the_posts() -> None:
    output = two(object_of({"posts": array_of(TEXT)}), posts=["an old one", "another old one"])
    assert "an old one" not in output["posts"]
