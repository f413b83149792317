"""What is registered, on the child's side of the sandbox: the next call has the same, mostly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from planner.planner import JsonObject, PlanContext


@dataclass(slots=True)
class Listed:
    """The capabilities and facets of the last call."""

    text: bytes = b""
    capabilities: Sequence[JsonObject] = ()
    facets: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])

    def read(self, text: bytes) -> None:
        """Take what is registered from its JSON (`listed_text`)."""
        if text != self.text:
            listed = orjson.loads(text)
            self.text, self.capabilities, self.facets = text, listed["capabilities"], listed["facets"]

    def context(self, argument: dict[str, Any]) -> PlanContext:
        """The context out of what `context_argument` made of it."""
        known = ("run_id", "attempt", "feedback", "forbidden", "max_nodes", "rejected", "tried", "ground")
        return PlanContext(facets=self.facets, **{key: argument[key] for key in known})


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

    _listed: tuple[Sequence[JsonObject], Mapping[str, JsonObject]] = ((), {})
    _text: bytes = b'{"capabilities":[],"facets":{}}'

    def of(self, capabilities: Sequence[JsonObject], facets: Mapping[str, JsonObject]) -> bytes:
        """The JSON of these capabilities and facets."""
        if capabilities is not self._listed[0] or facets is not self._listed[1]:
            self._listed = (capabilities, facets)
            self._text = orjson.dumps({"capabilities": capabilities, "facets": dict(facets)})
        return self._text
