"""Misspelt words: the known word that was most likely meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

MAX_WORD_CHARS = 100
"""A longer word is taken for none that is known."""

_MAX_EDITS = 2
_SHORT_WORD_CHARS = 5
_OTHER_WORDS = frozenset({"callback", "planned"})
"""Words of their own that happen to be near one of ours (`fallback`, `planner`)."""


def misspelling_of(word: str, known: Iterable[str]) -> str | None:
    """The known word of which `word` is a misspelling: other capitals, snake_case, one or two edits. None for others.

    The nearest one counts, of equally near ones the first. Short words (up to five letters) may differ by one edit. A
    known word itself is no misspelling.
    """
    if len(word) > MAX_WORD_CHARS or word in _OTHER_WORDS:
        return None
    return _misspelling_of(word, tuple(known))


@lru_cache(maxsize=1_024)
def _misspelling_of(word: str, known: tuple[str, ...]) -> str | None:
    """Callers send the same keys with each document."""
    plain = _plain(word)
    others = [(each, _plain(each)) for each in known if each != word]
    likely = [pair for pair in others if abs(len(pair[1]) - len(plain)) <= _MAX_EDITS]
    for edits in range(_MAX_EDITS + 1):
        for each, each_plain in likely:
            allowed = 1 if len(each) <= _SHORT_WORD_CHARS else _MAX_EDITS
            if edits <= allowed and _within(plain, each_plain, edits):
                return each
    return None


def nearest_word(word: str, known: Iterable[str]) -> str | None:
    """The best suggestion for a word that is refused already; None where nothing is like it."""
    words = [each for each in known if each != word]
    close = get_close_matches(word[:MAX_WORD_CHARS], words, n=1)
    return misspelling_of(word, words) or (close[0] if close else None)


def suggest(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?` to end a sentence with, or nothing."""
    nearest = nearest_word(word, known)
    return f"; did you mean {nearest!r}?" if nearest is not None else ""


def _plain(word: str) -> str:
    return word.replace("_", "").replace("-", "").casefold()


def _within(left: str, right: str, edits: int) -> bool:
    """Whether at most `edits` letters are left out, put in, exchanged or swapped with their neighbour."""
    if abs(len(left) - len(right)) > edits:
        return False
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    left, right = left[start:], right[start:]
    if not left or not right or edits == 0:
        return len(left) + len(right) <= edits
    one_less = edits - 1
    return (
        _within(left[1:], right[1:], one_less)
        or _within(left[1:], right, one_less)
        or _within(left, right[1:], one_less)
        or (left[:2] == right[1::-1] and _within(left[2:], right[2:], one_less))
    )
