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
_VERBS_AND_NOUNS = words("plan schedule publish approve")
"""Verbs where an instruction begins; elsewhere they may be things: `the plan for …`."""

_BEGINNINGS = words("and then please to let's lets us me can could you help")
_NOUNS = words(
    "post posts posting postings variant variants update updates copy announcement announcements content"
)
_OTHER_THINGS = words(
    "about regarding concerning report reports analysis analyses audit dashboard tool app script strategy plan "
    "calendar policy guideline guidelines list overview summary statistics metrics ad ads video licence license "
    "contract course training presentation"
)
_ENDS = words("please for about on announcing celebrating introducing thanks thank asap")
"""What may follow posts that are asked for without a verb."""

_OTHER_ACTIONS = words(
    "is are was were has have had do does did can could will would should why how what which who when where "
    "analyse analyze review summarise summarize count compare translate delete remove rate check find collect measure"
)
_SENTENCE_ENDS = re.compile(r"[.:;?!\n]+\s*\S")
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
    """A verb of making, soon after it a post, LinkedIn beside them, and nothing else in between that is made.

    Or the posts alone, as one says them over a counter: "LinkedIn variants please".
    """
    if not isinstance(objective, str):
        return False
    said = _WORD.findall(objective.casefold())
    return _names_posts(said, objective) or any(
        _asks_from(said, start)
        for start in range(len(said))
        if _is_verb(said, start) and not _REFUSALS & set(said[max(0, start - 3) : start])
    )


def _is_verb(said: list[str], at: int) -> bool:
    begins = at == 0 or said[at - 1] in _BEGINNINGS
    return said[at] in _VERBS or (begins and said[at] in _VERBS_AND_NOUNS)


def _names_posts(said: list[str], objective: str) -> bool:
    """Whether the objective is one sentence without a verb that begins with LinkedIn posts."""
    if _SENTENCE_ENDS.search(objective) or _OTHER_ACTIONS & set(said):
        return False
    first = next((index for index, word in enumerate(said[: _REACH // 2]) if word in _NOUNS), None)
    if first is None or CHANNEL not in said[:first] or (_OTHER_THINGS | _REFUSALS) & set(said[:first]):
        return False
    after = next((word for word in said[first:] if word not in _NOUNS), None)
    return after is None or after in _ENDS


def _asks_from(said: list[str], start: int) -> bool:
    for index in range(start + 1, min(start + _REACH, len(said))):
        if said[index] in _OTHER_THINGS:
            return False
        if said[index] in _NOUNS:
            return CHANNEL in said[start : index + _REACH // 2]
    return False
