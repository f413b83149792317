"""What the LinkedIn stubs write: out of the inputs, within the limits, the same every time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from executor.capability import CapabilityContext, CapabilityError
from executor.stubs.shipped import stub_capabilities
from schemas.facets import FACETS
from tests.support.linkedin import STUBS, carry_out, with_inputs

COMPANY = {
    "companyName": "Northwind Robotics",
    "coreValue": "Machines that explain themselves",
    "recentEvent": "opening of the Ghent test hall",
}


def bundle(
    limits: dict[str, Any] | None = None, /, *, required: tuple[str, ...] = (), **changes: Any
) -> dict[str, Any]:
    """The ContextBundle of a draft; `limits` are the properties of its contract's output."""
    own = {
        "audience": "platform engineers",
        "goal": "attract_new_employees",
        "brandVoice": "inspiring",
        "company": COMPANY,
        "variant": {"id": "a", "label": "Variant A", "position": 1},
    }
    outer = {
        name: changes.pop(name) for name in ("previousErrors", "dependencies", "objective") if name in changes
    }
    output = {"type": "object", "properties": limits or {}, "required": list(required)}
    merged = {name: value for name, value in {**own, **changes}.items() if value is not None}
    return {
        "objective": "Write",
        "contract": {"output": output},
        "bundle": merged,
        "dependencies": {},
        **outer,
    }


def draft(context: dict[str, Any]) -> dict[str, Any]:
    """What stub.linkedin.draft makes of it."""
    made: dict[str, Any] = asyncio.run(STUBS["stub.linkedin.draft"].run(CapabilityContext(context)))
    return made


def text_of(post: dict[str, Any]) -> str:
    """The whole post."""
    return "\n".join([post["headline"], post["body"], post["callToAction"]])


def test_every_stub_says_that_it_is_one() -> None:
    for capability in stub_capabilities():
        assert capability.descriptor.id.startswith("stub.")
        assert "(stub)" in capability.descriptor.label


def test_what_the_inputs_say_shows() -> None:
    text = text_of(draft(bundle()))
    for fact in (*COMPANY.values(), "platform engineers", "open roles"):
        assert fact in text


def test_the_same_bundle_gives_the_same_post() -> None:
    assert draft(bundle()) == draft(bundle())


@pytest.mark.parametrize("position", range(1, 7))
def test_each_position_has_a_post_of_its_own(position: int) -> None:
    first = draft(bundle())
    other = draft(bundle(variant={"id": "x", "position": position}))
    assert (other["body"] == first["body"]) == (position == 1)


def test_each_voice_says_it_differently() -> None:
    voices = [
        "inspiring",
        "confident",
        "friendly",
        "formal",
        "playful",
        "neutral",
        "Bold and direct",
        "warm, informal",
    ]
    posts = {voice: text_of(draft(bundle(brandVoice=voice))) for voice in voices}
    assert len(set(posts.values())) == 6
    assert posts["Bold and direct"] == posts["confident"]
    assert posts["warm, informal"] == posts["friendly"]


@pytest.mark.parametrize(
    ("instruction", "subject"),
    [
        ("Variant A should highlight team culture.", "team culture"),
        ("Focus on career growth!", "career growth"),
        ("This variant must emphasise the four-day week; nothing else", "the four-day week"),
        ("mention {company} and {0}", "{company} and {0}"),
    ],
)
def test_an_instruction_is_what_the_post_turns_on(instruction: str, subject: str) -> None:
    post = draft(bundle(variant={"id": "a", "position": 1, "instructions": [instruction]}))
    assert subject in post["headline"]
    assert subject in post["body"]


def test_an_instruction_about_words_is_kept() -> None:
    post = draft(bundle(instructions=["Keep it under 25 words."]))
    assert len(post["body"].split()) <= 25
    assert post["body"].endswith("…")


def test_hashtags_are_left_out_when_asked_unless_the_contract_wants_them() -> None:
    instructions = ["No hashtags, please"]
    wanted = {"hashtags": {"type": "array", "minItems": 2}}
    assert "hashtags" not in draft(bundle(instructions=instructions))
    assert len(draft(bundle(wanted, required=("hashtags",), instructions=instructions))["hashtags"]) >= 2


@pytest.mark.parametrize("company", [None, {}, {"companyName": None}, {"companyName": ""}, "x", [1]])
@pytest.mark.parametrize(
    "missing", [{}, {"audience": None, "goal": None, "brandVoice": None, "variant": None}]
)
def test_what_is_not_known_is_said_in_general_words(company: Any, missing: dict[str, Any]) -> None:
    text = text_of(draft(bundle(company=company, **missing)))
    assert "None" not in text
    assert "our company" in text
    assert "  " not in text


def test_a_bundle_with_nothing_in_it_gives_a_post() -> None:
    for context in (
        {},
        {"bundle": None},
        {"bundle": {"variant": []}, "dependencies": {"brief": 3}, "contract": "x"},
    ):
        post = draft(context)
        assert post["headline"]
        assert post["variantId"] == "1"


@pytest.mark.parametrize(
    "hostile",
    [
        "{}",
        "{company}",
        "{0.__class__.__mro__}",
        "%(x)s",
        "a\nb\tc\r",
        "x" * 9_000,
        "🙂" * 400,
        "\u2028\u0000",
        "“”",
        "<b>",
    ],
)
def test_what_callers_write_is_never_read_as_a_template(hostile: str) -> None:
    company = {"companyName": hostile, "coreValue": hostile, "recentEvent": hostile}
    variant = {"id": "a", "position": 1, "instructions": [f"highlight {hostile}"]}
    post = draft(bundle(company=company, audience=hostile, goal=hostile, brandVoice=hostile, variant=variant))
    for name in ("headline", "body", "callToAction"):
        assert not set("\n\t\r\x00\u2028") & set(post[name])
    assert len(text_of(post)) < 3_000


def test_braces_in_a_name_are_kept_as_they_are() -> None:
    post = draft(bundle(company={"companyName": "{company} & {}"}))
    assert "{company} & {}" in post["headline"]


@pytest.mark.parametrize("name", ["headline", "body", "callToAction"])
@pytest.mark.parametrize(
    ("least", "most"),
    [(0, 20), (0, 1), (5, 5), (400, 420), (77, 77), (1_000, 1_000), (0, 60), (2_000, 5_000)],
)
def test_lengths_are_kept(name: str, least: int, most: int) -> None:
    text = draft(bundle({name: {"type": "string", "minLength": least, "maxLength": most}}))[name]
    assert least <= len(text) <= most
    assert text == text.strip()


def test_a_text_is_cut_between_words_with_an_ellipsis() -> None:
    whole = draft(bundle())["body"]
    cut = draft(bundle({"body": {"maxLength": 100}}))["body"]
    assert cut.endswith("…")
    assert whole.startswith(cut[:-1])
    assert whole[len(cut) - 1] in " ,;:."


def test_a_text_is_lengthened_by_whole_sentences() -> None:
    whole = draft(bundle())["body"]
    longer = draft(bundle({"body": {"minLength": len(whole) + 50}}))["body"]
    assert longer.startswith(whole)
    assert longer.endswith(".")


@pytest.mark.parametrize(
    "limits",
    [
        {"headline": {"minLength": 10, "maxLength": 9}},
        {"body": {"maxLength": 0}},
        {"hashtags": {"minItems": 3, "maxItems": 2}},
        {"hashtags": {"minItems": 1, "items": {"maxLength": 1}}},
        {"body": {"minLength": 200_000}},
    ],
)
def test_limits_that_nothing_can_keep_are_a_failure_that_is_not_tried_again(limits: dict[str, Any]) -> None:
    with pytest.raises(CapabilityError) as failure:
        draft(bundle(limits))
    assert (failure.value.code, failure.value.retryable) == ("limits_impossible", False)


@pytest.mark.parametrize(("least", "most"), [(1, 3), (50, 60), (200, 200), (7, 7)])
def test_numbers_of_words_are_kept(least: int, most: int) -> None:
    limits = {"body": {"words": {"minimum": least, "maximum": most}}}
    assert least <= len(draft(bundle(limits=limits))["body"].split()) <= most


@pytest.mark.parametrize(
    ("least", "most"), [(0, 50), (0, 120), (0, 280), (1_200, 1_200), (600, 610), (0, 25)]
)
def test_the_whole_post_keeps_its_length(least: int, most: int) -> None:
    post = draft(bundle(limits={"fullText": {"characters": {"minimum": least, "maximum": most}}}))
    parts = [post["headline"], post["body"], post["callToAction"], " ".join(post.get("hashtags", []))]
    assert least <= len("\n\n".join(part for part in parts if part)) <= most
    assert all(parts[:3])


def test_the_errors_of_the_last_attempt_are_corrected() -> None:
    errors = [
        {
            "instancePath": "/body",
            "keyword": "maxLength",
            "params": {"limit": 90},
            "message": "x",
            "schemaPath": "#",
        },
        {"instancePath": "/variants/0/title", "keyword": "minLength", "params": {"limit": 60}},
        {"instancePath": "/nowhere", "keyword": "maxLength", "params": {"limit": 1}},
        {"instancePath": 5, "keyword": None, "params": []},
        "nonsense",
    ]
    post = draft(bundle(previousErrors=errors))
    assert len(post["body"]) <= 90
    assert len(post["headline"]) >= 60
    assert len(post["callToAction"]) > 1


def test_hashtags_are_tags() -> None:
    odd = {"companyName": "A & B, Inc. #1", "coreValue": "x"}
    for tag in draft(bundle(company=odd, audience="people, who #like tags"))["hashtags"]:
        assert tag[0] == "#"
        assert tag[1:].isalnum()


def test_a_brief_says_what_the_posts_are_for() -> None:
    brief = carry_out(with_inputs()).of("brief")
    assert set(FACETS["creative_brief"].schema["required"]) <= set(brief)
    assert "We invite platform engineers to Northwind's open day." in brief["keyMessages"]
    assert len(brief["angles"]) == 2


def test_an_unknown_goal_is_said_as_it_is() -> None:
    text = carry_out(with_inputs(goal="win the county fair")).output["variants"][0]["body"]
    assert "Our aim: win the county fair." in text


@pytest.mark.parametrize("company", ["Globex", "Ærø Færger", "山田電機", "O'Neill & Søn (Ltd.)"])
def test_other_companies_are_written_about_too(company: str) -> None:
    bundles = [{"type": "company_profile", "payload": {"companyName": company, "recentEvent": "a new ferry"}}]
    for post in carry_out(with_inputs(contextBundles=bundles)).output["variants"]:
        assert company in post["headline"]
        assert "a new ferry" in post["body"]
        assert "Northwind Robotics" not in post["headline"] + post["body"]
