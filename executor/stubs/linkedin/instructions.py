"""What a special instruction asks for, as far as a template can do it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from executor.stubs.reading import clip

MAX_FOCUS_CHARS = 80

_FOCUS = re.compile(
    r"\b(?:highlight|focus(?:es)? on|focus(?:ing)? on|emphasi[sz]e|stress|mention|feature|show|talk about|speak about|"
    r"be about|is about|cover|include|promote|celebrate|put forward|point out|underline)\s+(.+)",
    re.IGNORECASE | re.DOTALL,
)
_MOST_WORDS = re.compile(
    r"\b(?:under|below|at most|no more than|up to|max(?:imum)?(?: of)?|fewer than|less than)\s+(\d{1,4})\s+words\b",
    re.IGNORECASE,
)
_NO_HASHTAGS = re.compile(
    r"\b(?:no|without|avoid|skip|omit)\s+(?:any\s+|the\s+)?hash-?tags?\b", re.IGNORECASE
)
_FIRST_SENTENCE = re.compile(r"(.+?)[.!?;]+(?:\s|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PostInstructions:
    """The instructions for one post: subjects to speak of, and rules of form.

    `unmet` are the instructions that a template cannot follow.
    """

    focuses: tuple[str, ...] = ()
    most_words: int | None = None
    hashtags: bool = True
    unmet: tuple[str, ...] = ()


def understand(instructions: Iterable[str]) -> PostInstructions:
    """Sort instructions (clean lines) by what can be done with them."""
    focuses: list[str] = []
    unmet: list[str] = []
    limits: list[int] = []
    hashtags = True
    for instruction in instructions:
        focus = focus_of(instruction)
        words = _MOST_WORDS.search(instruction)
        if words is not None:
            limits.append(max(1, int(words[1])))
        elif _NO_HASHTAGS.search(instruction):
            hashtags = False
        elif focus:
            focuses.append(focus)
        else:
            unmet.append(instruction)
    return PostInstructions(tuple(focuses), min(limits, default=None), hashtags, tuple(unmet))


def focus_of(instruction: str) -> str:
    """The subject in `Variant A should highlight team culture.`: `team culture`; '' where none is named."""
    found = _FOCUS.search(instruction)
    if found is None:
        return ""
    ended = _FIRST_SENTENCE.match(found[1])
    subject = ended[1] if ended is not None else found[1]
    return clip(subject.strip(" \"'“”.,:;!?"), MAX_FOCUS_CHARS)
