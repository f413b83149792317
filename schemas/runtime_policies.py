"""Runtime policies: when something happens in a run, something is done."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Self

from pydantic import model_validator

from schemas.base import Model, Reference, flaw, refused
from schemas.policy_actions import Action, AnyAction, Hitl, Step, step_of, written_out
from schemas.policy_triggers import AnyTrigger, Watched

_ABOUT_NO_NODE = frozenset({"onStart", "onPlan", "onBudget"})


class RuntimePolicy(Model):
    """A rule of the run: when `trigger` is met, `action` is taken. The forms of trigger and action have models each.

    The words of before (`trigger: "node_complete"`, or `{event, nodeId, …}`) stay valid; `watched` and `taken` are the
    same models for all forms.
    """

    id: Reference | None = None
    enabled: bool = True
    trigger: AnyTrigger
    action: AnyAction

    @cached_property
    def watched(self) -> Watched:
        """The trigger in its one form."""
        return Watched(self.trigger)

    @cached_property
    def taken(self) -> Action:
        """The action, with its short form written out."""
        return written_out(self.action)

    @property
    def asks(self) -> Hitl | None:
        """The action where it asks people."""
        return self.taken if isinstance(self.taken, Hitl) else None

    def steps(self) -> Iterator[tuple[tuple[str, ...], Step | Action]]:
        """All that it may do, each with its place below the policy."""
        yield ("action",), self.taken
        if self.asks is not None:
            for place, step in (
                ("approveAction", self.asks.approve_action),
                ("rejectAction", self.asks.reject_action),
            ):
                if (written := step_of(step)) is not None:
                    yield ("action", place), written

    def to_wire(self) -> dict[str, Any]:
        """The policy as it was sent."""
        return self.model_dump(by_alias=True, exclude_unset=True)

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        found = [
            flaw("contradiction", message, *place)
            for place, step in self.steps()
            if (message := self._objection(step.type)) is not None
        ]
        if found:
            raise refused(*found)
        return self

    def _objection(self, word: str) -> str | None:
        """Why an action cannot be taken when this trigger is met; None where it can."""
        watched = self.watched
        if watched.kind == "onStart" and word in ("hitl", "goto", "retry", "replan"):
            return "At the start of a run there is no plan yet; use onPlan."
        if word == "retry" and (watched.kind in _ABOUT_NO_NODE or self._names_no_node()):
            return f"{watched.kind} is about no node that could run again; use goto."
        return None

    def _names_no_node(self) -> bool:
        watched = self.watched
        if watched.kind == "manual":
            return watched.selector.node_id is None
        return watched.kind == "onTimeout" and watched.selector.any_node
