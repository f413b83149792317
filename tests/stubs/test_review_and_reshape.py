"""The review's simple rules, and the language of mappings."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from executor.capability import CapabilityContext, CapabilityError
from executor.stubs.reshape import ReshapeStub
from runs.expression import evaluate
from tests.support.linkedin import STUBS, VARIANTS, carry_out, with_inputs

POST = {
    "headline": "Team culture at Acme",
    "body": "All of Acme about team culture.",
    "callToAction": "Write to Acme.",
}


def review(drafts: dict[str, Any], **bundle: Any) -> dict[str, Any]:
    """What stub.linkedin.review says of these drafts, by variant id."""
    variants = [
        {
            "id": name,
            "label": f"Variant {name.upper()}",
            "node": f"draft-{name}",
            "position": 1,
            **bundle.pop(name, {}),
        }
        for name in drafts
    ]
    context = {
        "bundle": {"variants": variants, "company": {"companyName": "Acme"}, **bundle},
        "dependencies": {f"draft-{name}": draft for name, draft in drafts.items()},
    }
    made: dict[str, Any] = asyncio.run(STUBS["stub.linkedin.review"].run(CapabilityContext(context)))
    return made


def found(made: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Severity and variant of each finding."""
    return [(each["severity"], each.get("variantId")) for each in made["findings"]]


def test_a_good_draft_is_approved_without_remarks() -> None:
    made = review({"a": POST})
    assert (made["approved"], made["findings"]) == (True, [])
    assert "1 variant(s) reviewed" in made["summary"]


def test_what_is_missing_is_an_error() -> None:
    made = review({"a": {**POST, "body": "  "}, "b": {}})
    assert not made["approved"]
    missing = [
        (each["variantId"], each["message"]) for each in made["findings"] if "is missing" in each["message"]
    ]
    assert missing == [
        ("a", "The body is missing."),
        ("b", "The headline is missing."),
        ("b", "The body is missing."),
        ("b", "The callToAction is missing."),
    ]


def test_the_same_text_twice_is_no_variant() -> None:
    made = review({"a": POST, "b": {**POST, "callToAction": "Acme calls."}})
    assert not made["approved"]
    assert ("error", "b") in found(made)
    assert "Variant A" in made["findings"][0]["message"]


def test_a_company_that_is_not_named_is_remarked() -> None:
    assert found(review({"a": dict.fromkeys(POST, "Something else")})) == [("warning", "a")]


def test_an_instruction_that_is_not_followed_is_remarked() -> None:
    made = review({"a": POST}, a={"instructions": ["Highlight the view."]})
    assert found(made) == [("warning", "a")]
    assert "the view" in made["findings"][0]["message"]


def test_what_a_template_cannot_do_is_left_to_a_person_in_so_many_words() -> None:
    made = review({"a": POST}, instructions=["Write like a pirate."], a={"instructions": ["Rhyme."]})
    assert made["approved"]
    assert {each["message"].rsplit(": ")[-1] for each in made["findings"]} == {
        "Write like a pirate.",
        "Rhyme.",
    }


def test_a_post_that_linkedin_would_cut_is_remarked() -> None:
    assert found(review({"a": {**POST, "body": "Acme team culture " * 300}})) == [("warning", "a")]


def test_the_stubs_drafts_pass_their_own_review() -> None:
    made = carry_out(with_inputs(VARIANTS, variantCount=6)).of("review")
    assert (made["approved"], made["findings"]) == (True, [])


def reshape(mapping: Any) -> Any:
    """What stub.transform.reshape makes of OUTPUTS."""
    return ReshapeStub().compute({"bundle": {"mapping": mapping}, "dependencies": OUTPUTS})


OUTPUTS = {"n": {"text": "one two  three", "tags": ["#a", "#b"], "list": [{"x": 1}], "empty": ""}}
TAGS = {"$node": "n", "$pointer": "/tags"}


@pytest.mark.parametrize(
    ("mapping", "value"),
    [
        (1, 1),
        (None, None),
        ("{text}", "{text}"),
        ({"$node": "n", "$pointer": "/text"}, "one two  three"),
        ({"$node": "n", "$pointer": "/list/0/x"}, 1),
        ({"$value": {"$node": "n"}}, {"$node": "n"}),
        (
            {"$object": {"$node": {"$value": 1}, "a": {"$node": "n", "$pointer": "/tags"}}},
            {"$node": 1, "a": ["#a", "#b"]},
        ),
        ({"$count": "words", "$of": {"$node": "n", "$pointer": "/text"}}, 3),
        ({"$count": "characters", "$of": {"$node": "n", "$pointer": "/text"}}, 14),
        (
            {
                "$join": [{"$node": "n", "$pointer": "/tags"}, "x", {"$node": "n", "$pointer": "/empty"}],
                "$with": "|",
            },
            "#a #b|x",
        ),
        ([{"a": [{"$node": "n", "$pointer": "/tags/1"}]}], [{"a": ["#b"]}]),
    ],
)
def test_a_mapping_is_carried_out(mapping: Any, value: Any) -> None:
    assert reshape(mapping) == value
    assert evaluate(mapping, OUTPUTS) == value


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        ({"$node": "m"}, "mapping_unresolved"),
        ({"$node": "n", "$pointer": "/nothing"}, "mapping_unresolved"),
        ({"$node": ["n"]}, "mapping_invalid"),
        ({"$node": "n", "$pointer": 7}, "mapping_invalid"),
        ({"$count": "verbs", "$of": "x"}, "mapping_invalid"),
        ({"$count": "words", "$of": {"$node": "n"}}, "mapping_invalid"),
        ({"$join": "x"}, "mapping_invalid"),
    ],
)
def test_a_mapping_that_makes_no_sense_fails_for_good(mapping: Any, code: str) -> None:
    with pytest.raises(CapabilityError) as failure:
        reshape(mapping)
    assert (failure.value.code, failure.value.retryable) == (code, False)


def test_a_bundle_without_a_mapping_fails_for_good() -> None:
    with pytest.raises(CapabilityError) as failure:
        asyncio.run(STUBS["stub.transform.reshape"].run(CapabilityContext({"bundle": {}})))
    assert failure.value.code == "mapping_missing"
