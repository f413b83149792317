"""What a LinkedIn post can speak of: what the envelope says, and generic words where it says nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from executor.stubs.linkedin.instructions import MAX_FOCUS_CHARS, PostInstructions, understand
from executor.stubs.linkedin.said import said_audience, said_channel, said_goal, said_of_company, said_voice
from executor.stubs.reading import clip, line, lines_of, object_at, sentence, spoken
from runs.event import JsonObject

NO_COMPANY = "our company"
NO_AUDIENCE = "everyone who works in our field"

DEFAULT_ANGLES = (
    "the idea behind the work",
    "the latest news",
    "the people behind the work",
    "the next chapter",
    "an ordinary day at work",
    "the road so far",
)

_PURPOSE = re.compile(
    r"\bthat\s+(invite|announce|celebrate|introduce|promote|explain|share|present|welcome|thank|show|tell)s?\s+([^.;!?]+)",
    re.IGNORECASE,
)
_TOPIC = re.compile(
    r"\b(?:about|announcing|celebrating|introducing|promoting|on the occasion of)\s+([^.,;!?]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class GoalWords:
    """How a goal is said in a sentence, and what readers are asked to do."""

    said: str
    ask: str


_GOALS: dict[str, GoalWords] = {
    "employee": GoalWords("We are looking for new colleagues.", "see the open roles at {company}"),
    "hire": GoalWords("We are looking for new colleagues.", "see the open roles at {company}"),
    "hiring": GoalWords("We are looking for new colleagues.", "see the open roles at {company}"),
    "recruit": GoalWords("We are looking for new colleagues.", "see the open roles at {company}"),
    "talent": GoalWords("We are looking for new colleagues.", "see the open roles at {company}"),
    "event": GoalWords("You are invited.", "save your place with {company}"),
    "registration": GoalWords("You are invited.", "save your place with {company}"),
    "awareness": GoalWords("We would like more people to know what we do.", "follow {company} on LinkedIn"),
    "lead": GoalWords("We would like to hear what you need.", "get in touch with {company}"),
    "sales": GoalWords("We would like to hear what you need.", "get in touch with {company}"),
    "launch": GoalWords("Something new is here.", "have a first look at {company}"),
}
_DEFAULT_ASK = "follow {company} on LinkedIn"


@dataclass(frozen=True, slots=True)
class Story:
    """The facts of one node, each a clean line; '' where the envelope says nothing."""

    company: str
    core_value: str
    recent_event: str
    audience: str
    goal: str
    voice: str
    channel: str
    objective: str

    @property
    def company_or_generic(self) -> str:
        return self.company or NO_COMPANY

    @property
    def goal_said(self) -> str:
        """A sentence about the goal; '' without one."""
        words = _goal_words(self.goal)
        if words is not None:
            return words.said
        return sentence(f"Our aim: {self.goal}") if self.goal else ""

    @property
    def ask(self) -> str:
        """What readers are asked to do, beginning with a verb."""
        words = _goal_words(self.goal)
        return (words.ask if words is not None else _DEFAULT_ASK).replace(
            "{company}", self.company_or_generic
        )

    @property
    def purpose(self) -> str:
        """`We invite engineers.` out of `Create posts that invite engineers`; '' for other objectives."""
        found = _PURPOSE.search(self.objective)
        return sentence(f"We {found[1].lower()} {found[2].strip()}") if found is not None else ""

    @property
    def topic(self) -> str:
        """What the objective says that the posts are about; '' where it does not."""
        found = _TOPIC.search(self.objective)
        return clip(found[1].strip(), MAX_FOCUS_CHARS) if found is not None else ""


def _goal_words(goal: str) -> GoalWords | None:
    said = goal.casefold()
    return next((words for word, words in _GOALS.items() if word in said), None)


def read_story(context: JsonObject) -> Story:
    """The story in a ContextBundle; what is missing from the bundle is empty text."""
    company = said_of_company(context)
    return Story(
        company=line(company.get("companyName"), 120),
        core_value=line(company.get("coreValue")).strip(' "“”.'),
        recent_event=line(company.get("recentEvent")).rstrip(" ."),
        audience=line(said_audience(context)),
        goal=spoken(line(said_goal(context))),
        voice=line(said_voice(context), 100),
        channel=line(said_channel(context), 100) or "linkedin",
        objective=line(context.get("objective"), 1_000),
    )


def asked_of_all(context: JsonObject) -> PostInstructions:
    """The instructions that hold for every variant, and what was said against the output before."""
    bundle = object_at(context, "bundle")
    return understand([*lines_of(bundle.get("instructions")), *lines_of([bundle.get("feedback")])])


def asked_of(variant: JsonObject) -> PostInstructions:
    """The instructions for one variant."""
    return understand(lines_of(variant.get("instructions")))


def angle_of(variant: JsonObject, position: int, story: Story, general: PostInstructions) -> str:
    """What a variant turns on: its own instruction, else the common subject, else one of the default angles."""
    focuses: Sequence[str] = asked_of(variant).focuses
    if focuses:
        return focuses[0]
    if position == 1:
        return next(iter(general.focuses), story.topic) or DEFAULT_ANGLES[0]
    return DEFAULT_ANGLES[(position - 1) % len(DEFAULT_ANGLES)]


def position_of(variant: JsonObject) -> int:
    """The variant's place, 1 for the first."""
    position: Any = variant.get("position")
    return position if isinstance(position, int) and position > 0 else 1
