"""What is registered, on the child's side of the sandbox: the next call has the same, mostly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from planner.planner import JsonObject, PlanContext


@dataclass(slots=True)
class Listed:
    """The capabilities, facets and disabled capabilities of the last call."""

    text: bytes = b""
    capabilities: Sequence[JsonObject] = ()
    facets: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    disabled: Sequence[JsonObject] = ()

    def read(self, text: bytes) -> None:
        """Take what is registered from its JSON (`listed_text`)."""
        if text != self.text:
            listed = orjson.loads(text)
            self.text, self.capabilities, self.facets = text, listed["capabilities"], listed["facets"]
            self.disabled = listed["disabled"]

    def context(self, argument: dict[str, Any]) -> PlanContext:
        """The context out of what `context_argument` made of it."""
        known = ("run_id", "attempt", "feedback", "forbidden", "max_nodes", "rejected", "tried", "ground")
        return PlanContext(
            facets=self.facets, disabled=self.disabled, **{key: argument[key] for key in known}
        )


def context_argument(context: PlanContext) -> dict[str, Any]:
    """A context as a call of the sandbox takes it; its facets are listed apart."""
    return {
        "run_id": context.run_id,
        "attempt": context.attempt,
        "feedback": context.feedback,
        "forbidden": list(context.forbidden),
        "max_nodes": context.max_nodes,
        "rejected": list(context.rejected),
        "tried": list(context.tried),
        "ground": context.ground,
    }


@dataclass(slots=True)
class ListedText:
    """What is registered as JSON, which is written anew only where it has changed."""

    _listed: tuple[Sequence[JsonObject], Mapping[str, JsonObject], Sequence[JsonObject]] | None = None
    _text: bytes = b""

    def of(self, capabilities: Sequence[JsonObject], context: PlanContext) -> bytes:
        """The JSON of these capabilities, and of what the context lists."""
        listed = (capabilities, context.facets, context.disabled)
        if self._listed is None or any(new is not old for new, old in zip(listed, self._listed, strict=True)):
            self._listed = listed
            self._text = listed_text(capabilities, context.facets, context.disabled)
        return self._text


def listed_text(
    capabilities: Sequence[JsonObject],
    facets: Mapping[str, JsonObject] | None = None,
    disabled: Sequence[JsonObject] = (),
) -> bytes:
    """What `Listed.read` takes."""
    listed = {"capabilities": list(capabilities), "facets": dict(facets or {}), "disabled": list(disabled)}
    return orjson.dumps(listed)
