"""How callers call things. Names are compared without case, underscores, hyphens and blanks."""

from __future__ import annotations

from functools import lru_cache

_MAX_CACHED_CHARS = 60


def canonical(name: str) -> str:
    """`call_to_action`, `call-to-action` and `callToAction` are one name."""
    return _cached(name) if len(name) <= _MAX_CACHED_CHARS else _plain(name)


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


_cached = lru_cache(maxsize=4096)(_plain)


def _index(table: dict[str, str]) -> dict[str, str]:
    return {canonical(name): field for field, names in table.items() for name in (field, *names.split())}


VARIANT_FIELDS = _index(
    {
        "headline": "title heading header subject hook subjectLine postTitle headlineText titleText",
        "body": "text content copy post message bodyText postText bodyCopy mainText postBody caption bodyContent",
        "callToAction": "cta action ctaText callToActionText",
        "hashtags": "tags hashTags hashtagList",
        "fullText": "fullPost fullCopy completeText wholeText plainText rendered renderedText fullMessage",
        "wordCount": "words numberOfWords wordTotal numWords wordsCount",
        "characterCount": "charCount characters chars numberOfCharacters numChars length charactersCount",
        "variantId": "id variant variantKey key",
        "label": "name variantLabel variantName",
        "position": "number order variantNumber ordinal sequence",
        "index": "variantIndex",
        "instruction": "specialInstruction variantInstruction",
    }
)
"""Canonical name → what a variant has."""

RUN_FIELDS = _index(
    {
        "channel": "platform network medium socialNetwork",
        "objective": "task",
        "goal": "campaignGoal",
        "audience": "targetAudience",
        "brandVoice": "voice tone toneOfVoice",
        "companyName": "company brand brandName organisation organization employer organisationName organizationName",
        "coreValue": "companyValue",
        "recentEvent": "companyEvent",
        "industry": "sector",
        "variantCount": "count total numberOfVariants numberOfPosts postCount totalVariants",
        "runId": "",
        "keyMessages": "",
        "angles": "",
        "reviewSummary": "",
        "findings": "reviewFindings",
        "reviewPassed": "passedReview reviewApproved",
    }
)
"""Canonical name → what the run as a whole has."""

BRIEF_FIELDS = _index(
    {
        "channel": "platform",
        "audience": "targetAudience target",
        "goal": "purpose objective",
        "keyMessages": "messages",
        "angles": "",
        "toneOfVoice": "tone voice brandVoice",
    }
)

REVIEW_FIELDS = _index(
    {
        "approved": "ok passed valid",
        "summary": "text message conclusion",
        "findings": "issues remarks problems",
    }
)

COMPANY_FIELDS = _index(
    {
        "companyName": "name company title",
        "coreValue": "value values",
        "recentEvent": "event news",
        "industry": "sector",
    }
)

FIELD_PARTS = _index(
    {"text": "value content copy body headline", "wordCount": "words", "characterCount": "length chars"}
)
"""What an object that stands for one text may ask of it: `{"headline": {"text": …, "length": …}}`."""


def _set(names: str) -> frozenset[str]:
    return frozenset(map(canonical, names.split()))


BRIEF_OBJECTS = _set("brief creativeBrief")
REVIEW_OBJECTS = _set("review reviewReport validation validationReport qualityReport")
COMPANY_OBJECTS = _set("company companyProfile profile brand organisation organization")

POST_OBJECTS = _set(
    "post variant draft copy content message postCopy linkedin linkedinPost socialPost update publication record "
    "article header main data payload result output item fields attributes text entry"
)
"""Objects that hold a post, whatever its parts are called."""

POST_LISTS = _set(
    "variants posts items drafts copies contents messages postCopy postCopies linkedinPosts socialPosts updates "
    "texts publications records articles results outputs entries options proposals alternatives versions data list "
    "postVariants"
)
"""Lists that hold the posts even where their items say nothing of themselves."""


def singular(name: str) -> str:
    """`headlines` → `headline`, `bodies` → `body`: the canonical name of one item."""
    plain = canonical(name)
    return plain[:-3] + "y" if plain.endswith("ies") else plain.removesuffix("s")
