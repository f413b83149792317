"""A post as one text, and how its parts give way when the whole of it has limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from executor.capability import CapabilityError
from executor.stubs.limits import Bounds, fit, impossible
from runs.expression import word_count

FULL_TEXT = "fullText"


@dataclass(frozen=True, slots=True)
class Post:
    """The parts of one variant."""

    headline: str
    body: str
    call_to_action: str
    hashtags: tuple[str, ...]

    def full_text(self) -> str:
        """The post as a transformation joins it."""
        parts = (self.headline, self.body, self.call_to_action, " ".join(self.hashtags))
        return "\n\n".join(part for part in parts if part)


def fit_whole(
    post: Post, whole: Bounds, bounds: Mapping[str, Bounds], further: Sequence[str], *, least_tags: int
) -> Post:
    """The post with its whole text within `whole`: the body gives way first, then the hashtags, then the rest.

    Raises CapabilityError where none of that is enough.
    """
    if whole.keeps(post.full_text()):
        return post
    whole.check(FULL_TEXT)
    for candidate in _candidates(post, whole, bounds, further, least_tags):
        try:
            fitted = replace(
                candidate, body=fit("body", candidate.body, _left_for_body(candidate, whole, bounds), further)
            )
        except CapabilityError:
            continue  # the next candidate leaves the body more room
        if whole.keeps(fitted.full_text()):
            return fitted
    raise impossible(FULL_TEXT, whole)


def _candidates(
    post: Post, whole: Bounds, bounds: Mapping[str, Bounds], further: Sequence[str], least_tags: int
) -> Iterator[Post]:
    yield post
    fewer_tags = replace(post, hashtags=post.hashtags[:least_tags])
    yield fewer_tags
    for share in (5, 8, 20):
        room = max(1, whole.most // share)
        words = max(1, whole.most_words // share)
        yield replace(
            fewer_tags,
            headline=fit("headline", post.headline, _at_most(bounds["headline"], room, words), further),
            call_to_action=fit(
                "callToAction", post.call_to_action, _at_most(bounds["callToAction"], room, words), further
            ),
        )


def _at_most(bounds: Bounds, characters: int, words: int) -> Bounds:
    return replace(
        bounds,
        most=max(bounds.least, min(bounds.most, characters)),
        most_words=max(bounds.least_words, min(bounds.most_words, words)),
    )


def _left_for_body(post: Post, whole: Bounds, bounds: Mapping[str, Bounds]) -> Bounds:
    """What the other parts leave to the body."""
    text, body = post.full_text(), bounds["body"]
    around, words_around = len(text) - len(post.body), word_count(text) - word_count(post.body)
    return Bounds(
        max(body.least, whole.least - around),
        min(body.most, whole.most - around),
        max(body.least_words, whole.least_words - words_around),
        min(body.most_words, whole.most_words - words_around),
    )
