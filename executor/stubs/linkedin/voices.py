"""How each voice says the same thing. `{}` is the subject, a noun phrase; `{company}` the company's name.

The templates are filled by `str.replace`, so braces in what callers write stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Voice:
    """The phrases of one voice; where there are several, variants take turns."""

    headlines: tuple[str, ...]
    openings: tuple[str, ...]
    values: str
    news: str
    calls: tuple[str, ...]


_NEUTRAL = Voice(
    headlines=("{} at {company}", "{company}: {}", "About {} at {company}"),
    openings=(
        "Today we would like to talk about {}.",
        "A few words about {}.",
        "This is what {} means to us.",
    ),
    values="At {company} we work by one idea: “{}”.",
    news="Our latest news: {}.",
    calls=("Read more on our page", "Get in touch with us", "Follow us for more"),
)
_INSPIRING = Voice(
    headlines=("Discover {} at {company}", "Be part of {} at {company}", "{} begins with you at {company}"),
    openings=(
        "Every good story starts somewhere. Ours starts with {}.",
        "Some things are worth getting up for. For us, one of them is {}.",
        "Imagine what becomes possible when everyone cares about {}.",
    ),
    values="One idea carries everything we do at {company}: “{}”.",
    news="And the story goes on: {}.",
    calls=("Come and shape it with us", "Take the next step with us", "Join us on the way"),
)
_CONFIDENT = Voice(
    headlines=("{company} stands for {}", "{}: that is {company}", "{company} takes {} seriously"),
    openings=(
        "We know what we are good at, and it begins with {}.",
        "Ask us about {}. We have an answer.",
        "At our place, {} is not a promise but a practice.",
    ),
    values="{company} is built on one conviction: “{}”.",
    news="The proof is in the news: {}.",
    calls=("Convince yourself", "Talk to us", "Make your move"),
)
_FRIENDLY = Voice(
    headlines=(
        "Come and see {} at {company}",
        "Join the talk about {} at {company}",
        "Say hello to {} at {company}",
    ),
    openings=(
        "Hello there! Let us tell you about {}.",
        "Pull up a chair: this one is about {}.",
        "We would love to share something with you: {}.",
    ),
    values="What keeps us together at {company}: “{}”.",
    news="Have you heard? {}.",
    calls=("Drop us a line", "Come and say hello", "Stay a while and have a look"),
)
_FORMAL = Voice(
    headlines=("{company} on {}", "{} at {company}: an introduction", "An invitation to {} at {company}"),
    openings=(
        "We are pleased to present {}.",
        "Allow us to draw your attention to {}.",
        "It is our pleasure to report on {}.",
    ),
    values="The work of {company} rests on one principle: “{}”.",
    news="We are able to announce the following: {}.",
    calls=(
        "Please visit our page",
        "We look forward to hearing from you",
        "Further details are available on request",
    ),
)
_PLAYFUL = Voice(
    headlines=("Psst: {} at {company}", "Guess who is into {}? {company}!", "{company} + {} = a good day"),
    openings=(
        "Three, two, one: here comes {}!",
        "Plot twist: it was {} all along.",
        "Confession time. We cannot stop talking about {}.",
    ),
    values="The motto on our fridge at {company}: “{}”.",
    news="Fresh from the oven: {}.",
    calls=("Come out and play", "Slide into our inbox", "Curious? Click along"),
)

_BY_WORD = {
    "inspir": _INSPIRING, "visionary": _INSPIRING, "uplift": _INSPIRING, "motivat": _INSPIRING, "warm": _FRIENDLY,
    "confident": _CONFIDENT, "bold": _CONFIDENT, "assert": _CONFIDENT, "direct": _CONFIDENT,
    "friend": _FRIENDLY, "casual": _FRIENDLY, "human": _FRIENDLY, "approach": _FRIENDLY,
    "informal": _FRIENDLY, "formal": _FORMAL, "professional": _FORMAL, "serious": _FORMAL, "corporate": _FORMAL,
    "play": _PLAYFUL, "funny": _PLAYFUL, "humor": _PLAYFUL, "humour": _PLAYFUL, "witty": _PLAYFUL, "fun": _PLAYFUL,
}  # fmt: skip


def voice_of(brand_voice: str) -> Voice:
    """The voice that the brand's words for it come closest to; a neutral one where none is near."""
    said = brand_voice.casefold()
    return next((voice for word, voice in _BY_WORD.items() if word in said), _NEUTRAL)


def fill(template: str, subject: str, company: str) -> str:
    """The template about `subject`; each placeholder is filled once, so what is filled in is never read as one."""
    parts = template.split("{company}")
    return company.join(part.replace("{}", subject) for part in parts)
