"""One variant of a post, out of templates."""

from __future__ import annotations

from dataclasses import replace

from executor.stubs.limits import Bounds, bounds_of, fit
from executor.stubs.linkedin.hashtags import fit_hashtags, make_hashtags
from executor.stubs.linkedin.instructions import PostInstructions
from executor.stubs.linkedin.post_limits import FULL_TEXT, Post, fit_whole
from executor.stubs.linkedin.story import Story, angle_of, asked_of, asked_of_all, position_of, read_story
from executor.stubs.linkedin.voices import fill, voice_of
from executor.stubs.reading import capitalised, line, lines_of, object_at, sentence
from executor.stubs.shaping import contract_properties, required_names
from runs.event import JsonObject
from schemas.facets import FACETS


def draft_post(context: JsonObject) -> JsonObject:
    """A `post_copy` for the variant in the ContextBundle. Raises CapabilityError `limits_impossible`."""
    story = read_story(context)
    variant = object_at(context, "bundle", "variant")
    position = position_of(variant)
    general, own = asked_of_all(context), asked_of(variant)
    brief = object_at(context, "dependencies", "brief") or object_at(context, "facets", "creative_brief")
    angles = lines_of(brief.get("angles"))
    angle = angles[position - 1] if position <= len(angles) else angle_of(variant, position, story, general)
    more = tuple(focus for focus in (*own.focuses, *general.focuses) if focus != angle)
    post = _write(story, angle, position, more, lines_of(brief.get("keyMessages")))
    tagged = (own.hashtags and general.hashtags) or "hashtags" in required_names(context)
    post = _fitted(
        post if tagged else replace(post, hashtags=()), context, _fewest_words(own, general), _further(story)
    )
    draft: JsonObject = {
        "variantId": line(variant.get("id"), 100) or str(position),
        "headline": post.headline,
        "body": post.body,
        "callToAction": post.call_to_action,
    }
    return {**draft, "hashtags": list(post.hashtags)} if tagged else draft


def _write(story: Story, angle: str, position: int, more: tuple[str, ...], messages: list[str]) -> Post:
    """The post as the templates have it; each position takes its turn with them."""
    voice = voice_of(story.voice)
    company = story.company_or_generic
    turn = position - 1
    headline = fill(voice.headlines[(turn + turn // 3) % 3], angle, company)
    middle = _middle(story, messages)
    start = turn % max(len(middle), 1)
    also = [sentence(f"Also worth a mention: {focus}") for focus in more]
    body = " ".join([fill(voice.openings[turn % 3], angle, company), *middle[start:], *middle[:start], *also])
    call = f"{voice.calls[turn % 3]}: {story.ask}."
    return Post(capitalised(headline), body, call, tuple(make_hashtags(story.company, angle, story.audience)))


def _middle(story: Story, messages: list[str]) -> list[str]:
    """What every variant says: the facts in the brand's voice, the brief's other messages as they are."""
    voice, company = voice_of(story.voice), story.company_or_generic
    said = [
        fill(voice.values, story.core_value, company) if story.core_value else "",
        fill(voice.news, story.recent_event, company) if story.recent_event else "",
        f"This is for {story.audience}." if story.audience else "",
    ]
    voiced = [fact for fact in (story.core_value, story.recent_event) if fact]
    said += [each for each in messages if not any(fact in each for fact in voiced)]
    return [each for each in said if each]


def _further(story: Story) -> list[str]:
    """Sentences for a text that has to be longer; true of anybody."""
    company = story.company_or_generic
    return [
        "There is a lot more to say about it.",
        f"Ask anyone at {company} and you will hear a story of their own.",
        "We share what we learn as we go.",
        "Questions are welcome at any time.",
        "Small steps count as much as large ones.",
        f"That is how work is done at {company}.",
    ]


def _fewest_words(own: PostInstructions, general: PostInstructions) -> int | None:
    return min((each.most_words for each in (own, general) if each.most_words is not None), default=None)


def _fitted(post: Post, context: JsonObject, most_words: int | None, further: list[str]) -> Post:
    """The post within the contract's limits; what an instruction wishes goes as far as these let it."""
    properties = contract_properties(context, FACETS["post_copy"].schema)
    limits = object_at(context, "bundle", "limits")
    bounds = {name: _bounds(name, properties, limits) for name in ("headline", "body", "callToAction")}
    if most_words is not None and most_words >= bounds["body"].least_words:
        bounds["body"] = replace(bounds["body"], most_words=min(most_words, bounds["body"].most_words))
    tags = object_at(properties, "hashtags")
    fitted = Post(
        headline=fit("headline", post.headline, bounds["headline"], further),
        body=fit("body", post.body, bounds["body"], further),
        call_to_action=fit("callToAction", post.call_to_action, bounds["callToAction"], further),
        hashtags=tuple(fit_hashtags(list(post.hashtags), tags)) if post.hashtags else (),
    )
    whole = Bounds().and_characters(object_at(limits, FULL_TEXT, "characters"))
    whole = whole.and_words(object_at(limits, FULL_TEXT, "words"))
    return fit_whole(fitted, whole, bounds, further, least_tags=int(tags.get("minItems", 0)))


def _bounds(name: str, properties: JsonObject, limits: JsonObject) -> Bounds:
    words = object_at(limits, name, "words")
    return bounds_of(properties.get(name)).and_words(words)
