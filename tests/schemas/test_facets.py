"""The facet catalogue, and the schemas made from it."""

from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from schemas.contract_schema import FREEFORM_SCHEMA, effective_schema, with_facets
from schemas.facets import CATALOGUE, DIALECT, FACETS, Facet, FacetFaulty, facets_schema, load_catalogue

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


BADGE: dict[str, Any] = {
    "$schema": DIALECT,
    "title": "badge",
    "description": "A badge.",
    "type": "object",
    "required": ["holder"],
    "properties": {"holder": {"type": "string"}},
}


def test_each_facet_is_a_file_of_the_catalogue() -> None:
    assert {path.stem for path in CATALOGUE.glob("*.json")} == set(FACETS)
    assert [facet.name for facet in FACETS.values() if facet.many] == ["post_copy"]
    for name, facet in FACETS.items():
        assert orjson.loads((CATALOGUE / f"{name}.json").read_bytes())["schema"] == facet.schema
        assert (facet.name, facet.description) == (name, facet.schema["description"])


def test_a_further_file_is_a_further_facet(tmp_path: Path) -> None:
    (tmp_path / "badge.json").write_bytes(orjson.dumps({"schema": BADGE}))
    (tmp_path / "notes.txt").write_text("not a facet")
    (facet,) = load_catalogue(tmp_path).values()
    assert (facet.name, facet.description, facet.schema, facet.many) == ("badge", "A badge.", BADGE, False)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"{", "this is not JSON"),
        ([], "a facet is an object"),
        ({"schema": BADGE, "may": True}, "unknown key 'may'"),
        ({"schema": BADGE, "many": 1}, "'many' must be true or false"),
        ({"many": True}, "'schema' is missing"),
        ({"schema": BADGE | {"$schema": "http://json-schema.org/draft-07/schema#"}}, "'$schema' must be"),
        ({"schema": BADGE | {"title": "Badge"}}, "'title' must be 'badge'"),
        ({"schema": BADGE | {"description": " "}}, "'description' must say"),
        ({"schema": BADGE | {"type": "array"}}, "must be of type object"),
        ({"schema": BADGE | {"properties": []}}, "must be of type object"),
        ({"schema": BADGE | {"required": ["holder", "level"]}}, "'required' names 'level'"),
    ],
)
def test_a_file_that_is_no_facet_is_refused_by_name(tmp_path: Path, content: Any, fault: str) -> None:
    path = tmp_path / "badge.json"
    path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    with pytest.raises(FacetFaulty) as refused:
        load_catalogue(tmp_path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert fault in message


RECURSIVE: dict[str, Any] = {
    "$schema": DIALECT,
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"$ref": "#/$defs/text"}, "replies": {"type": "array", "items": {"$ref": "#"}}},
    "$defs": {"text": {"type": "string", "minLength": 1}},
    "examples": [{"$ref": "#/left/alone"}],
}


@pytest.mark.parametrize("many", [False, True])
def test_a_registered_facet_keeps_its_references_where_a_run_pins_it(many: bool) -> None:
    thread = Facet("a thread/of~posts", "Posts and replies", RECURSIVE, many)
    contract = with_facets(
        {"mode": "facets", "facets": [thread.name, "review"]}, {**FACETS, thread.name: thread}
    )
    assert list(contract["facetSchemas"]) == [thread.name]
    schema = effective_schema(contract)
    assert isinstance(schema, dict)
    good, bad = {"text": "a", "replies": [{"text": "b"}]}, {"text": "a", "replies": [{"text": ""}]}
    delivered = jsonschema.Draft202012Validator(schema)
    for value, fits in ((good, True), (bad, False), ([good], many), ([bad], False)):
        errors = list(delivered.iter_errors({thread.name: value, "review": {}}))
        assert any(thread.name in each.absolute_path for each in errors) is not fits
        assert jsonschema.Draft202012Validator(thread.delivered()).is_valid(value) is fits


def test_a_contract_without_registered_facets_stays_as_it_is() -> None:
    for contract in ({"mode": "facets", "facets": ["review", "unheard_of"]}, {"schema": {"type": "string"}}):
        assert with_facets(contract, FACETS) is contract
