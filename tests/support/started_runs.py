"""Runs to append to: just started, or advanced by random commands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from uuid_utils import uuid7

from eventstore.batch import Lease
from eventstore.handler import RunHandler
from runs import commands as c
from runs.errors import RunError
from runs.state import RunState
from schemas.vocabulary import ResponseType
from tests.support.by_hand import ByHand
from tests.support.given import ANN, BOB, ENVELOPE, node, plan

WRONG = ({"instancePath": "", "keyword": "type", "message": "no", "params": {}, "schemaPath": "#"},)


def new_run_id() -> str:
    """An id as the gateway makes them."""
    return str(uuid7())


async def started_run(handler: RunHandler, run_id: str | None = None, **envelope: Any) -> ByHand:
    """An accepted run."""
    run = ByHand(handler, run_id or new_run_id())
    whole = {**ENVELOPE, **envelope}
    await run.do(c.StartRun, envelope=whole, schema_hash="h", thread_id=run.run_id, submitted_by="sue")
    return run


class Walk:
    """A random path: mostly sensible commands, some that the rules refuse, on a clock that mostly advances."""

    def __init__(self, handler: RunHandler, seed: int) -> None:
        self.run_id = new_run_id()
        self._handler = handler
        self._random = Random(seed)
        self._now = datetime.now(UTC) - timedelta(days=1)

    async def start(self) -> None:
        """The first event."""
        hitl = {
            "onReject": self._random.choice(["fail", "rerun", "replan"]),
            "quorum": self._random.choice([1, 2]),
            "expiresInSeconds": self._random.choice([None, 300]),
            "onExpiry": self._random.choice(["reject", "approve", "escalate"]),
            "escalateTo": "legal",
        }
        envelope = {
            **ENVELOPE,
            "policies": {
                "requiresHitlApproval": self._random.random() < 0.7,
                "hitl": hitl,
                "runtime": [{"id": "again", "trigger": "manual", "action": "replan"}],
            },
            "constraints": {"deadlineSeconds": 5000} if self._random.random() < 0.5 else {},
            "metadata": {"clientId": "acme", "runLabel": "walk"},
        }
        command = c.StartRun(now=self._now, envelope=envelope, schema_hash="h", thread_id="t")
        await self._handler.execute(self.run_id, command)

    async def step(self) -> bool:
        """One or two commands in one append; False when the rules refused them."""
        self._now += timedelta(seconds=self._random.choice([-1, 0, 1, 1, 30, 100]))

        async def build(state: RunState) -> list[c.Command]:
            return [self._command(state) for _ in range(self._random.choice([1, 1, 2]))]

        try:
            await self._handler.transact(self.run_id, build, lease=Lease("walker", 60))
        except RunError:
            return False
        return True

    def _command(self, state: RunState) -> c.Command:
        if state.plan_version is None or (state.replan_reason is not None and self._random.random() < 0.7):
            return self._planning(state)
        if state.status == "paused" and self._random.random() < 0.7:
            return c.ResumeRun(now=self._now, actor=ANN)
        if self._random.random() < 0.1:
            return self._control(state)
        if state.open_requests and self._random.random() < 0.6:
            return self._decision(state)
        done = all(each.status == "completed" for each in state.nodes.values())
        return self._output() if done else self._node_command(state)

    def _planning(self, state: RunState) -> c.Command:
        attempt = state.plan_attempt + (0 if state.plan_in_progress else 1)
        if not state.plan_in_progress:
            return c.RequestPlan(now=self._now, attempt=attempt, planner="p", capability_count=2)
        if self._random.random() < 0.2:
            return c.RejectPlan(now=self._now, attempt=attempt, diagnostics=[], retryable=True)
        contract = {"fallback": self._random.choice(["retry", "hitl"]), "maxAttempts": 3}
        shape = [("a", ()), ("b", ("a",)), ("c", ("a",)), ("d", ("b", "c"))]
        nodes = [node(name, *needs, contract=contract) for name, needs in shape]
        return c.AcceptPlan(now=self._now, attempt=attempt, plan=plan(*nodes))

    def _node_command(self, state: RunState) -> c.Command:
        active = [
            each for each in state.nodes.values() if each.status in ("ready", "waiting_retry", "running")
        ]
        sensible = bool(active) and self._random.random() < 0.8
        chosen = self._random.choice(active if sensible else list(state.nodes.values()))
        if chosen.status in ("ready", "waiting_retry"):
            return c.StartNode(now=self._now, node_id=chosen.id, attempt=chosen.attempt + 1)
        what = self._random.choice(["complete", "complete", "complete", "wrong", "fail", "lose", "clarify"])
        about: dict[str, Any] = {"now": self._now, "node_id": chosen.id, "attempt": chosen.attempt}
        if what in ("complete", "wrong"):
            errors = WRONG if what == "wrong" else ()
            output = {"text": "é\u2028" * chosen.attempt, "number": 1.5, "big": 2**63 - 1, "none": None}
            return c.CompleteNode(output=output, duration_ms=1, errors=errors, **about)
        if what == "clarify":
            return c.RequestClarification(question="why?", **about)
        return c.FailNode(error_code="x", message="x", lost=what == "lose", **about)

    def _output(self) -> c.Command:
        if self._random.random() < 0.3:
            return c.DeliverOutput(now=self._now, output=1, errors=WRONG, repair=("b",))
        return c.DeliverOutput(now=self._now, output={"all": [1, "two"]})

    def _decision(self, state: RunState) -> c.Command:
        request = self._random.choice(state.open_requests)
        if self._random.random() < 0.2:
            return c.ExpireRequest(now=self._now, request_id=request.id)
        likely: list[ResponseType] = ["option", "freeform"]
        if request.subject == "output":
            likely = ["approval", "rejection", "edit"]
        return c.ResolveRequest(
            now=self._now,
            request_id=request.id,
            response_type=self._random.choice(likely),
            actor=self._random.choice([ANN, BOB]),
            note="so be it",
            text="because",
            option_id="retry",
            edited_output={"edited": True},
        )

    def _control(self, state: RunState) -> c.Command:
        what = self._random.choice(
            ["log"] * 6 + ["again"] * 3 + ["pause"] * 6 + ["resume"] * 3 + ["abort", "first", "turn"]
        )
        if what == "again":
            return c.TriggerPolicy(now=self._now, actor=ANN, policy_id="again")
        if what == "log":
            return c.RecordLog(now=self._now, message="walking", detail={"step": state.seq})
        if what in ("first", "turn"):
            return c.SetPriority(now=self._now, actor=ANN, priority="high" if what == "first" else "normal")
        asked = {"pause": c.PauseRun, "resume": c.ResumeRun, "abort": c.AbortRun}
        return asked[what](now=self._now, actor=ANN)
