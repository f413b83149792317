"""Any order of commands, doubled messages and late workers: promises 2, 4 and 5 hold, and every run can still end."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runs import commands as c
from runs.decide import step
from runs.errors import RunError
from runs.event import Event, JsonObject
from runs.evolve import fold_all
from runs.outstanding import Work, outstanding
from runs.state import RunState, new_run
from runs.transitions import PAUSED, WAITING
from runs.usage import NOTHING_USED, add_usage
from schemas.vocabulary import Priority, ResponseType
from tests.support.given import ANN, BOB, NOON, RUN_ID, node, plan

WRONG = ({"instancePath": "", "keyword": "type", "message": "no", "params": {}, "schemaPath": "#"},)
NODE_IDS = ["a", "b", "c", "d"]
AGAIN = {"id": "again", "trigger": "manual", "action": "replan"}
USED = [
    None,
    {"inputTokens": 3},
    {"costMicros": 5, "currency": "EUR"},
    {"costMicros": 2, "currency": "USD", "seconds": 0.5},
]
offsets = st.integers(-1, 1)
"""How far a message is from the attempt that is current: a late one, the right one, one too early."""
node_ids = st.sampled_from(NODE_IDS)
used = st.sampled_from(USED)


def make_plan(fallback: str, max_attempts: int) -> dict[str, object]:
    contract = {"fallback": fallback, "maxAttempts": max_attempts}
    shapes = [("a", ()), ("b", ("a",)), ("c", ("a",)), ("d", ("b", "c"))]
    return plan(*(node(name, *needs, contract=contract) for name, needs in shapes))


class AnyOrder(RuleBasedStateMachine):
    """Throws commands at a run without asking whether they make sense; a refusal must leave no trace."""

    state: RunState
    log: list[Event]
    now: datetime
    fallback: str
    delivered_valid: bool

    @initialize(
        approval=st.booleans(),
        on_reject=st.sampled_from(["fail", "rerun", "replan"]),
        quorum=st.integers(1, 2),
        deadline=st.sampled_from([None, 500]),
        fallback=st.sampled_from(["retry", "hitl", "abort"]),
        head_start=st.integers(0, 12),
        asks_first=st.booleans(),
    )
    def begin(
        self,
        approval: bool,
        on_reject: str,
        quorum: int,
        deadline: int | None,
        fallback: str,
        head_start: int,
        asks_first: bool,
    ) -> None:
        self.state, self.log, self.now = new_run(RUN_ID), [], NOON
        self.fallback, self.delivered_valid = fallback, False
        hitl = {
            "onReject": on_reject,
            "quorum": quorum,
            "expiresInSeconds": 400,
            "onExpiry": "escalate",
            "escalateTo": "legal",
            "plan": asks_first,
        }
        envelope = {
            "objective": "o",
            "policies": {"requiresHitlApproval": approval, "hitl": hitl, "runtime": [AGAIN]},
            "constraints": {"deadlineSeconds": deadline} if deadline else {},
        }
        self.send(c.StartRun(now=self.now, envelope=envelope, schema_hash="h"))
        self.make_progress(head_start, "output")

    def send(self, *commands: c.Command) -> bool:
        before = self.state
        try:
            events, after = step(self.state, commands)
        except RunError:
            assert self.state is before
            return False
        self.log += events
        self.state = after
        return True

    def current(self, node_id: str) -> int:
        return self.state.nodes[node_id].attempt if node_id in self.state.nodes else 0

    @rule(seconds=st.integers(-50, 100))
    def clock(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(offset=offsets)
    def request_plan(self, offset: int) -> None:
        self.send(
            c.RequestPlan(
                now=self.now, attempt=self.state.plan_attempt + 1 + offset, planner="p", capability_count=1
            )
        )

    @rule(offset=offsets, max_attempts=st.integers(1, 3))
    def accept_plan(self, offset: int, max_attempts: int) -> None:
        self.send(
            c.AcceptPlan(
                now=self.now,
                attempt=self.state.plan_attempt + offset,
                plan=make_plan(self.fallback, max_attempts),
            )
        )

    @rule(offset=offsets, lost=st.booleans())
    def planner_trouble(self, offset: int, lost: bool) -> None:
        self.send(
            c.RejectPlan(
                now=self.now,
                attempt=self.state.plan_attempt + offset,
                diagnostics=[],
                retryable=True,
                lost=lost,
            )
        )

    @rule(node_id=node_ids, offset=offsets)
    def start_node(self, node_id: str, offset: int) -> None:
        self.send(c.StartNode(now=self.now, node_id=node_id, attempt=self.current(node_id) + 1 + offset))

    @rule(node_id=node_ids, offset=offsets, wrong=st.booleans(), usage=used)
    def complete_node(self, node_id: str, offset: int, wrong: bool, usage: JsonObject | None = None) -> None:
        errors = WRONG if wrong else ()
        attempt = self.current(node_id) + offset
        self.send(
            c.CompleteNode(
                now=self.now,
                node_id=node_id,
                attempt=attempt,
                output=attempt,
                duration_ms=1,
                errors=errors,
                usage=usage,
            )
        )

    @rule(node_id=node_ids, offset=offsets, lost=st.booleans(), retryable=st.booleans(), usage=used)
    def fail_node(
        self, node_id: str, offset: int, lost: bool, retryable: bool, usage: JsonObject | None = None
    ) -> None:
        self.send(
            c.FailNode(
                now=self.now,
                node_id=node_id,
                attempt=self.current(node_id) + offset,
                error_code="x",
                message="x",
                lost=lost,
                retryable=retryable,
                usage=usage,
            )
        )

    @rule(node_id=node_ids, offset=offsets, usage=used)
    def clarify(self, node_id: str, offset: int, usage: JsonObject | None = None) -> None:
        self.send(
            c.RequestClarification(
                now=self.now,
                node_id=node_id,
                attempt=self.current(node_id) + offset,
                question="which?",
                usage=usage,
            )
        )

    @rule(wrong=st.booleans(), repair=st.lists(node_ids, unique=True, max_size=2))
    def deliver(self, wrong: bool, repair: list[str]) -> None:
        errors = WRONG if wrong else ()
        done = self.send(c.DeliverOutput(now=self.now, output="o", errors=errors, repair=tuple(repair)))
        self.delivered_valid |= done and not wrong

    @precondition(lambda self: self.state.requests)
    @rule(
        data=st.data(),
        kind=st.sampled_from(["approval", "rejection", "option", "freeform", "edit"]),
        actor=st.sampled_from([ANN, BOB]),
        wrong=st.booleans(),
    )
    def respond(self, data: st.DataObject, kind: ResponseType, actor: c.Actor, wrong: bool) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.state.requests)))
        self.send(
            c.ResolveRequest(
                now=self.now,
                request_id=request_id,
                response_type=kind,
                actor=actor,
                option_id="retry",
                text="t",
                edited_output=self.edited(request_id),
                errors=WRONG if wrong else (),
            )
        )

    @rule(node_id=st.sampled_from([None, *NODE_IDS]))
    def plan_again(self, node_id: str | None) -> None:
        self.send(c.TriggerPolicy(now=self.now, actor=ANN, policy_id="again", node_id=node_id))

    @rule(pause=st.booleans())
    def pause_or_resume(self, pause: bool) -> None:
        command = c.PauseRun if pause else c.ResumeRun
        self.send(command(now=self.now, actor=ANN))

    @rule(priority=st.sampled_from(["normal", "high"]))
    def prioritize(self, priority: Priority) -> None:
        self.send(c.SetPriority(now=self.now, actor=ANN, priority=priority))

    @invariant()
    def usage_is_the_sum_over_the_events(self) -> None:
        total = NOTHING_USED
        for event in self.log:
            usage = event.payload.get("usage") or (event.detail or {}).get("usage")
            total = total if usage is None else add_usage(total, usage)
        assert self.state.usage == total

    @invariant()
    def the_log_has_one_order_and_folds_to_the_state(self) -> None:
        assert [event.seq for event in self.log] == list(range(1, len(self.log) + 1))
        assert fold_all(new_run(RUN_ID), self.log) == self.state
        times = [event.recorded_at for event in self.log]
        assert times == sorted(times)

    @invariant()
    def start_is_first_and_complete_is_last(self) -> None:
        types = [event.type for event in self.log]
        assert types[0] == "start"
        assert "complete" not in types[:-1]

    @invariant()
    def an_attempt_has_one_start_and_at_most_one_result(self) -> None:
        current: dict[str | None, int] = {}
        unanswered: set[str | None] = set()
        for event in self.log:
            # A new plan counts on where the one before it stopped, so that late answers are told apart.
            node_key = event.node_id
            if event.type == "node_start":
                assert event.payload["attempt"] == current.get(node_key, 0) + 1
                current[node_key] = event.payload["attempt"]
                unanswered.add(node_key)
            elif event.type in ("node_complete", "node_error"):
                assert event.payload["attempt"] == current[node_key]
                assert node_key in unanswered
                unanswered.discard(node_key)

    @invariant()
    def completed_means_that_a_valid_output_was_delivered(self) -> None:
        if self.state.status == "completed":
            assert self.delivered_valid

    @invariant()
    def a_run_that_waits_for_nobody_has_something_to_do(self) -> None:
        if self.state.finished:
            assert not outstanding(self.state)
        elif self.state.status not in WAITING:
            assert any(work.queue != "timer" for work in outstanding(self.state).values())

    def teardown(self) -> None:
        """However it got here, doing what is outstanding ends the run in exactly one `complete`."""
        for _ in range(200):
            if self.state.finished:
                break
            self.now += timedelta(seconds=61)
            self.do_next()
        assert self.state.finished, self.state
        assert [event.type for event in self.log].count("complete") == 1

    @rule(steps=st.integers(1, 12), stop_before=st.sampled_from(["node", "output", None]))
    def make_progress(self, steps: int, stop_before: str | None) -> None:
        for _ in range(steps):
            due = [work.kind for work in outstanding(self.state).values() if work.queue != "timer"]
            if not due or due[0] == stop_before:
                return
            self.do_next()

    def edited(self, request_id: str) -> object:
        """Something else than what the request asks about."""
        return make_plan("retry", 2) if self.state.requests[request_id].subject == "plan" else "e"

    def do_next(self) -> None:
        if self.state.status == PAUSED:
            self.send(c.ResumeRun(now=self.now, actor=ANN))
            return
        due = [work for work in outstanding(self.state).values() if work.queue != "timer"]
        if due:
            self.do(due[0])
            return
        request = self.state.open_requests[0]
        self.send(c.ExpireRequest(now=self.now, request_id=request.id))
        if self.state.finished or request.id not in [each.id for each in self.state.open_requests]:
            return
        for actor in (BOB, ANN):
            for kind in ("approval", "edit", "option", "freeform"):
                self.send(
                    c.ResolveRequest(
                        now=self.now,
                        request_id=request.id,
                        response_type=kind,
                        actor=actor,
                        option_id="retry",
                        text="t",
                        edited_output=self.edited(request.id),
                    )
                )

    def do(self, work: Work) -> None:
        if work.kind == "plan" and not work.started:
            self.request_plan(0)
        elif work.kind == "plan":
            self.accept_plan(0, 3)
        elif work.kind == "output":
            self.deliver(False, [])
        elif not work.started:
            self.start_node(work.ref, 0)
        else:
            self.complete_node(work.ref, 0, False)


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestAnyOrder = AnyOrder.TestCase
