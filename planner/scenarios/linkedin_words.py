"""Whether an envelope asks for LinkedIn posts. What is not said is not assumed."""

from __future__ import annotations

import re

from planner.planner import JsonObject
from planner.text import as_list, as_object, words

CHANNEL = "linkedin"

_VERBS = words(
    "create draft write compose produce prepare make generate craft develop design need want give deliver "
    "creating drafting writing composing producing preparing making generating crafting"
)
_NOUNS = words(
    "post posts posting postings variant variants update updates copy announcement announcements content"
)
_OTHER_THINGS = words(
    "about regarding concerning report reports analysis analyses audit dashboard tool app script strategy plan "
    "calendar policy guideline guidelines list overview summary statistics metrics ad ads video licence license "
    "contract course training presentation"
)
_REFUSALS = words("not never don't don\u2019t without avoid stop")
_WORD = re.compile("[\\w'\u2019]+")
_REACH = 12


def asks_for_linkedin(envelope: JsonObject) -> bool:
    """`inputs.channel` is LinkedIn, or the objective asks for LinkedIn posts to be made."""
    return names_channel(envelope) or _objective_asks(envelope.get("objective"))


def names_channel(envelope: JsonObject) -> bool:
    """Whether `inputs.channel` (a text, or a list of one) is LinkedIn."""
    channel = as_object(envelope.get("inputs")).get("channel")
    listed = as_list(channel)
    only = listed[0] if len(listed) == 1 else channel
    return isinstance(only, str) and only.strip().casefold() == CHANNEL


def _objective_asks(objective: object) -> bool:
    """A verb of making, soon after it a post, LinkedIn beside them, and nothing else in between that is made."""
    if not isinstance(objective, str):
        return False
    said = _WORD.findall(objective.casefold())
    return any(
        _asks_from(said, start)
        for start, word in enumerate(said)
        if word in _VERBS and not _REFUSALS & set(said[max(0, start - 3) : start])
    )


def _asks_from(said: list[str], start: int) -> bool:
    for index in range(start + 1, min(start + _REACH, len(said))):
        if said[index] in _OTHER_THINGS:
            return False
        if said[index] in _NOUNS:
            return CHANNEL in said[start : index + _REACH // 2]
    return False
