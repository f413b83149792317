"""Words of policies: what is no word is refused with the right one, also where an earlier contract had another."""

from typing import Any, cast

from schemas.base import Model, flaw, json_type, refused
from schemas.explain import TAG_MARK
from schemas.spelling import suggest

Words = tuple[str, ...]


def word_or_object(value: Any) -> Any:
    """Refuse what is neither a word nor an object."""
    if not isinstance(value, str | dict | Model):
        raise refused(flaw("wrong_type", f"This must be a string or an object, not {json_type(value)}."))
    return cast("Any", value)


def check_word(word: Any, known: Words, legacy: dict[str, str], *place: str) -> None:
    """Refuse a word that is none of `known`, at `place`; `legacy` has the right ones for those of earlier contracts."""
    if not isinstance(word, str):
        raise refused(flaw("wrong_type", f"This must be a string, not {json_type(word)}.", *place))
    if word not in known:
        right = legacy.get(word)
        more = f"; did you mean {right!r}?" if right else suggest(word, known) or "."
        raise refused(flaw("not_allowed", f"This must be {_listed(known)}{more}", *place))


def check_member(value: dict[str, Any], key: str, known: Words, legacy: dict[str, str]) -> None:
    """Refuse an object whose `key` is missing, or no word of `known`."""
    if key not in value:
        raise refused(flaw("missing", "This is required.", key))
    check_word(value[key], known, legacy, key)


def tag_of(value: Any, key: str) -> str:
    """The tag of a union's member: `word` for a word, and what an object has in `key`."""
    if isinstance(value, str):
        return TAG_MARK + "word"
    word = getattr(value, key, None) if isinstance(value, Model) else cast("dict[str, Any]", value).get(key)
    return TAG_MARK + str(word)


def _listed(words: Words) -> str:
    quoted = [repr(word) for word in words]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"
