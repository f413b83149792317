"""How callers call the parts of a LinkedIn task. Names are compared in their canonical form."""

from __future__ import annotations

from planner.mapping.names import name_index, name_set

VARIANT_FIELDS = name_index(
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

RUN_FIELDS = name_index(
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

BRIEF_FIELDS = name_index(
    {
        "channel": "platform",
        "audience": "targetAudience target",
        "goal": "purpose objective",
        "keyMessages": "messages",
        "angles": "",
        "toneOfVoice": "tone voice brandVoice",
    }
)

REVIEW_FIELDS = name_index(
    {
        "approved": "ok passed valid",
        "summary": "text message conclusion",
        "findings": "issues remarks problems",
    }
)

COMPANY_FIELDS = name_index(
    {
        "companyName": "name company title",
        "coreValue": "value values",
        "recentEvent": "event news",
        "industry": "sector",
    }
)

TEXT_PARTS = name_index(
    {
        "text": "value content copy body headline",
        "words": "wordCount",
        "characters": "characterCount length chars",
    }
)
"""What an object that stands for one text may ask of it: `{"headline": {"text": …, "length": …}}`."""

BRIEF_OBJECTS = name_set("brief creativeBrief")
REVIEW_OBJECTS = name_set("review reviewReport validation validationReport qualityReport")
COMPANY_OBJECTS = name_set("company companyProfile profile brand organisation organization")

POST_OBJECTS = name_set(
    "post variant draft copy content message postCopy linkedin linkedinPost socialPost update publication record "
    "article header main data payload result output item fields attributes text entry"
)
"""Objects that hold a post, whichever names its parts have."""

POST_LISTS = name_set(
    "variants posts items drafts copies contents messages postCopy postCopies linkedinPosts socialPosts updates "
    "texts publications records articles results outputs entries options proposals alternatives versions data list "
    "postVariants"
)
"""Lists that hold the posts even where their items say nothing of themselves."""
