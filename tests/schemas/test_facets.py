"""The facet catalogue, and the schemas made from it."""

from typing import Any

import jsonschema
import pytest

from schemas.contract_schema import FREEFORM_SCHEMA, effective_schema
from schemas.facets import FACETS, facets_schema

SAMPLES: dict[str, dict[str, Any]] = {
    "company_profile": {"companyName": "Northwind Robotics", "coreValue": "Machines that explain themselves"},
    "toneOfVoice": {"voice": "inspiring", "traits": ["warm"], "avoid": ["jargon"]},
    "creative_brief": {
        "channel": "linkedin",
        "audience": "engineers",
        "goal": "hire",
        "keyMessages": ["Come"],
    },
    "post_copy": {"headline": "H", "body": "B", "callToAction": "C", "hashtags": ["#robots", "#größe"]},
    "review": {"approved": True, "findings": [{"severity": "info", "message": "fine", "variantId": "a"}]},
}


def test_each_facet_has_a_sample_here() -> None:
    assert set(SAMPLES) == set(FACETS)


@pytest.mark.parametrize("name", FACETS)
def test_the_schema_of_a_facet_is_valid_and_takes_its_sample(name: str) -> None:
    schema = FACETS[name].schema
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(SAMPLES[name])
    for key in schema["required"]:
        assert not validator.is_valid(
            {other: value for other, value in SAMPLES[name].items() if other != key}
        )


def test_a_post_with_a_hashtag_of_two_words_is_not_a_post() -> None:
    schema = FACETS["post_copy"].schema
    assert not jsonschema.Draft202012Validator(schema).is_valid(SAMPLES["post_copy"] | {"hashtags": ["#a b"]})


def test_a_contract_of_facets_wants_each_of_them_and_nothing_else() -> None:
    schema = facets_schema(["post_copy", "review"])
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    output = {name: SAMPLES[name] for name in ("post_copy", "review")}
    validator.validate(output)
    assert not validator.is_valid({"post_copy": SAMPLES["post_copy"]})
    assert not validator.is_valid(output | {"extra": 1})


def test_a_facet_that_is_not_in_the_catalogue_may_be_anything_but_must_be_there() -> None:
    validator = jsonschema.Draft202012Validator(facets_schema(["broadcast_licence"]))
    validator.validate({"broadcast_licence": 7})
    assert not validator.is_valid({})


def test_each_mode_of_contract_says_which_schema_the_output_must_meet() -> None:
    assert effective_schema({"schema": {"type": "string"}}) == {"type": "string"}
    assert effective_schema({"mode": "freeform", "instructions": "A haiku"}) == FREEFORM_SCHEMA
    assert effective_schema({"mode": "facets", "facets": ["review"]}) == facets_schema(["review"])


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        FACETS["mine"] = FACETS["review"]  # pyright: ignore[reportIndexIssue] - this is what must not work


def test_posts_may_come_one_or_many_but_not_none() -> None:
    validator = jsonschema.Draft202012Validator(facets_schema(["post_copy"]))
    post = SAMPLES["post_copy"]
    validator.validate({"post_copy": post})
    validator.validate({"post_copy": [post, post]})
    assert not validator.is_valid({"post_copy": []})
