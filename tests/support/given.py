"""given(events or commands).when(command).then(events): the words of the domain's tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from runs import commands as c
from runs.decide import step
from runs.event import Event
from runs.state import RunState, new_run
from schemas.vocabulary import ResponseType

RUN_ID = "01900000-0000-7000-8000-000000000001"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ANN = c.Actor("ann", ("editor",), verified=True)
BOB = c.Actor("bob", ("legal",), verified=True)
ENVELOPE: dict[str, Any] = {"objective": "write", "outputContract": {"schema": True}}


def at(seconds: float) -> datetime:
    """Noon plus so many seconds."""
    return NOON + timedelta(seconds=seconds)


def node(node_id: str, *needs: str, **more: Any) -> dict[str, Any]:
    """A plan's node in wire form."""
    base = {"id": node_id, "capabilityId": f"test.{node_id}", "kind": "execution", "label": node_id.upper()}
    return {**base, "dependsOn": list(needs), **more}


def plan(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A plan in wire form."""
    return {"nodes": list(nodes), "edges": [], **more}


@dataclass
class Given:
    """A run and what has happened in it so far."""

    state: RunState = field(default_factory=lambda: new_run(RUN_ID))
    log: list[Event] = field(default_factory=list)
    new: list[Event] = field(default_factory=list)
    now: datetime = NOON

    def when(self, *commands: c.Command) -> Given:
        """Decide; the result is in `new` and `state`."""
        events, state = step(self.state, commands)
        return replace(self, state=state, new=events, log=self.log + events)

    def later(self, seconds: float) -> Given:
        """The same run some time later."""
        return replace(self, now=self.now + timedelta(seconds=seconds))

    @property
    def types(self) -> list[str]:
        """The types of the new events."""
        return [event.type for event in self.new]

    def started(self, **envelope: Any) -> Given:
        """An accepted run."""
        whole = {**ENVELOPE, **envelope}
        return self.when(c.StartRun(now=self.now, envelope=whole, schema_hash="h", submitted_by="sue"))

    def planned(self, *nodes: dict[str, Any], **more: Any) -> Given:
        """A run with a plan of these nodes."""
        attempt = self.state.plan_attempt + 1
        return self.when(
            c.RequestPlan(now=self.now, attempt=attempt, planner="test", capability_count=1),
            c.AcceptPlan(now=self.now, attempt=attempt, plan=plan(*nodes, **more)),
        )

    def start(self, node_id: str) -> Given:
        """Claim the node's next attempt."""
        attempt = self.state.nodes[node_id].attempt + 1
        return self.when(c.StartNode(now=self.now, node_id=node_id, attempt=attempt))

    def complete(self, node_id: str, output: Any = "done", errors: tuple[dict[str, Any], ...] = ()) -> Given:
        """Report the current attempt's output."""
        attempt = self.state.nodes[node_id].attempt
        return self.when(
            c.CompleteNode(
                now=self.now, node_id=node_id, attempt=attempt, output=output, duration_ms=1, errors=errors
            )
        )

    def fail(self, node_id: str, **more: Any) -> Given:
        """Report that the current attempt failed."""
        attempt = self.state.nodes[node_id].attempt
        return self.when(
            c.FailNode(
                now=self.now, node_id=node_id, attempt=attempt, error_code="boom", message="it broke", **more
            )
        )

    def deliver(
        self, output: Any = "done", errors: tuple[dict[str, Any], ...] = (), repair: tuple[str, ...] = ()
    ) -> Given:
        """Deliver the composed output."""
        return self.when(c.DeliverOutput(now=self.now, output=output, errors=errors, repair=repair))

    def respond(self, response_type: str, actor: c.Actor = ANN, **more: Any) -> Given:
        """Answer the only open request."""
        (request,) = self.state.open_requests
        return self.when(
            c.ResolveRequest(
                now=self.now,
                request_id=request.id,
                response_type=cast(ResponseType, response_type),
                actor=actor,
                **more,
            )
        )


def waiting_for_approval(**hitl: Any) -> Given:
    """A run of one node whose output waits for a person under these rules."""
    policies = {"requiresHitlApproval": True, "hitl": hitl}
    return Given().started(policies=policies).planned(node("a")).start("a").complete("a").deliver({"n": 1})
