"""Any order of what people do, through pauses, tasks and forks: the promises of approval hold, read from the log."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from runs import commands as c
from runs.decide import step
from runs.errors import NotReady, RunError
from runs.event import Event
from runs.evolve import evolve, fold_all
from runs.fork import ForkChange, fork_commands, retry_commands
from runs.outstanding import outstanding
from runs.state import RunState, new_run
from runs.transitions import AWAITING_HUMAN, PAUSED
from schemas.vocabulary import ResponseType
from tests.support.given import NOON, RUN_ID, node, plan

PEOPLE = {
    "sue": c.Actor("sue", verified=True),
    "ann": c.Actor("ann", ("editor",), verified=True),
    "bob": c.Actor("bob", ("editor",), verified=True),
    "cat": c.Actor("cat", ("editor",), verified=True),
    "eve": c.Actor("eve", ("guest",), verified=True),
}
people = st.sampled_from(sorted(PEOPLE))
OUTPUTS = ("x", "y")
TASK = "task"
"""A person's node, of every second run or so."""

TASK_SECONDS = 60
MOVES_ON = frozenset({"approved", "edited", "answered"})
LOOSER: tuple[dict[str, Any], ...] = (
    {"requiresHitlApproval": False},
    {"hitl": {}},
    {"hitl": {"approvers": ["guest"]}},
    {"runtime": []},
)


class AnyPromises(RuleBasedStateMachine):
    """One run after the other: a fork goes on as a run of its own, under the rules of the first."""

    state: RunState
    log: list[Event]
    now: datetime
    loosened: bool

    @initialize(
        quorum=st.integers(1, 3),
        forbid=st.booleans(),
        expires=st.sampled_from([None, 60, 300]),
        task=st.sampled_from([None, "execution", "validation"]),
    )
    def begin(self, quorum: int, forbid: bool, expires: int | None, task: str | None) -> None:
        self.quorum, self.forbid = quorum, forbid
        rules: dict[str, Any] = {"approvers": ["editor"], "quorum": quorum, "forbidSubmitter": forbid}
        if expires is not None:
            rules["expiresInSeconds"] = expires
        policies = {
            "requiresHitlApproval": True,
            "hitl": {**rules, "onReject": "rerun"},
            "runtime": [] if task else [{"id": "look", "trigger": "node_complete", "action": "hitl"}],
        }
        self.state, self.log, self.now, self.forks = new_run(RUN_ID), [], NOON, 0
        envelope = {"objective": "o", "policies": policies}
        self.send(c.StartRun(now=self.now, envelope=envelope, schema_hash=None, submitted_by="sue"))
        contract = {"maxAttempts": 1, "fallback": "hitl"}
        self.send(c.RequestPlan(now=self.now, attempt=1, planner="p", capability_count=1))
        nodes = [node("a", contract=contract)]
        if task is not None:
            terms = {"maxAttempts": 2, "fallback": "hitl", "timeoutSeconds": TASK_SECONDS}
            person = {"agentType": "human", "kind": task, "bundle": {"assignees": ["editor"]}}
            nodes.append(node(TASK, contract=terms, **person))
        self.send(c.AcceptPlan(now=self.now, attempt=1, plan=plan(*nodes)))
        self.work(False)

    def send(self, *commands: c.Command) -> bool:
        try:
            events, self.state = step(self.state, commands)
        except RunError:
            return False
        self.log += events
        return True

    @rule(seconds=st.integers(0, 50))
    def clock(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(fails=st.booleans())
    def work(self, fails: bool) -> None:
        if TASK in self.state.nodes:
            self.send(c.StartNode(now=self.now, node_id=TASK, attempt=self.state.nodes[TASK].attempt + 1))
        attempt = self.state.nodes["a"].attempt + 1
        if not self.send(c.StartNode(now=self.now, node_id="a", attempt=attempt)):
            self.send(c.DeliverOutput(now=self.now, output="x"))
        elif fails:
            facts: dict[str, Any] = {"node_id": "a", "attempt": attempt, "error_code": "e", "message": "m"}
            self.send(c.FailNode(now=self.now, **facts))
        else:
            facts = {"node_id": "a", "attempt": attempt, "output": "x", "duration_ms": 1}
            self.send(c.CompleteNode(now=self.now, **facts))

    @rule(
        name=people,
        kind=st.sampled_from(["approval", "approval", "edit", "option", "freeform", "withdraw", "rejection"]),
        text=st.sampled_from(OUTPUTS),
    )
    def respond(self, name: str, kind: ResponseType, text: str) -> None:
        if not self.state.open_ids:
            self.work(False)
        for request in self.state.open_requests[:1]:
            facts: dict[str, Any] = {"option_id": "retry", "text": text, "edited_output": text}
            self.send(
                c.ResolveRequest(
                    now=self.now,
                    request_id=request.id,
                    response_type=kind,
                    actor=PEOPLE[name],
                    **facts,
                )
            )

    @rule(name=people, text=st.sampled_from(OUTPUTS), breaks=st.sampled_from([False, False, True]))
    def submit(self, name: str, text: str, breaks: bool) -> None:
        errors: tuple[dict[str, Any], ...] = ({"instancePath": "", "message": "no"},) if breaks else ()
        facts: dict[str, Any] = {"node_id": TASK, "output": text, "errors": errors}
        taken = TASK in self.state.nodes and self.send(
            c.SubmitTask(now=self.now, actor=PEOPLE[name], **facts)
        )
        assert not (taken and breaks)

    @rule(name=people, rarely=st.integers(0, 4))
    def decline(self, name: str, rarely: int) -> None:
        if not rarely and TASK in self.state.nodes:
            self.send(c.DeclineTask(now=self.now, node_id=TASK, actor=PEOPLE[name], reason="no"))

    @rule(pause=st.booleans())
    def pause_or_resume(self, pause: bool) -> None:
        self.send((c.PauseRun if pause else c.ResumeRun)(now=self.now, actor=PEOPLE["eve"]))

    @rule()
    def timers(self) -> None:
        for work in outstanding(self.state).values():
            if work.kind == "request_expiry" and work.due_at is not None and work.due_at <= self.now:
                assert self.send(c.ExpireRequest(now=self.now, request_id=work.ref))
            elif work.kind == "task_expiry" and work.due_at is not None and work.due_at <= self.now:
                assert self.send(c.ExpireTask(now=self.now, node_id=work.ref, attempt=work.attempt))
        for request_id in self.state.open_ids:
            self.send(c.ExpireRequest(now=self.now, request_id=request_id))
        if TASK in self.state.nodes:
            attempt = self.state.nodes[TASK].attempt
            self.send(c.ExpireTask(now=self.now, node_id=TASK, attempt=attempt))

    @rule(name=people, looser=st.none() | st.sampled_from(LOOSER), stays=st.integers(0, 3))
    def fork(self, name: str, looser: dict[str, Any] | None, stays: int) -> None:
        if looser == {"runtime": []} and TASK in self.state.nodes:
            looser = None  # these runs have no such policy
        if looser is None and stays:
            return
        actor, original = PEOPLE[name], self.state
        change = ForkChange(operator=name, roles=actor.roles, policies=looser)
        try:
            commands = fork_commands(original, change, self.now)
        except RunError:
            return
        barred = self.forbid and name in (*original.authors, *original.editors)
        if looser is not None:
            assert "editor" in actor.roles
            assert not barred
            # What somebody who may decide has loosened is no longer under the rules that are watched here.
            return
        written = self.writers()
        self.forks += 1
        self.log, self.state = [], new_run(f"01900000-0000-7000-8000-{self.forks:012d}")
        assert self.send(*commands)
        assert {*original.authors, *written, name} <= set(self.state.authors)

    @rule(name=people)
    def retry(self, name: str) -> None:
        original = self.state
        change = ForkChange(operator=name, roles=PEOPLE[name].roles)
        try:
            commands = retry_commands(original, change, self.now)
        except NotReady:
            assert not original.finished or original.status == "completed"
            return
        assert original.finished
        written = self.writers()
        self.forks += 1
        self.log, self.state = [], new_run(f"01900000-0000-7000-8000-{self.forks:012d}")
        assert self.send(*commands)
        assert {*original.authors, *original.editors, *written, name} <= set(self.state.authors)

    @invariant()
    def the_log_folds_to_the_state(self) -> None:
        assert fold_all(new_run(self.state.run_id), self.log) == self.state

    @invariant()
    def a_decision_is_made_by_enough_different_people_who_may_make_it(self) -> None:
        for before, event in self.folded():
            if event.type != "hitl_resolved" or event.payload["decision"] not in MOVES_ON:
                continue
            request = before.requests[event.payload["requestId"]]
            authors = set(before.authors) if self.forbid else set[str]()
            agreed = {vote["operator"] for vote in request.votes} - authors
            last = event.payload["operator"]
            editing = request.proposal is None and event.payload["decision"] == "edited"
            if request.proposal is not None and request.proposal["responseType"] == "edit" and self.forbid:
                agreed.discard(request.proposal["operator"])
                authors.add(request.proposal["operator"])
            assert last not in authors
            assert not (editing and self.forbid)
            assert len({*agreed, last}) >= self.quorum
            assert all("editor" in PEOPLE[name].roles for name in {*agreed, last})

    @invariant()
    def a_task_is_done_by_its_assignees_in_its_time(self) -> None:
        for before, event in self.folded():
            if event.node_id != TASK or event.type not in ("node_complete", "node_error"):
                continue
            task, is_error = before.nodes[TASK], event.type == "node_error"
            name = ((event.detail or {}) if is_error else event.payload).get("operator")
            if name is None:
                by_request = (event.detail or {}).get("origin") is not None
                assert by_request or (is_error and event.payload["error"]["code"] == "timeout")
                continue
            assert task.status == AWAITING_HUMAN
            assert "editor" in PEOPLE[name].roles
            at = before.paused_at if before.status == PAUSED and before.paused_at else event.recorded_at
            assert task.expires_at is not None
            assert at < task.expires_at
            assert not is_error or event.payload["error"]["code"] == "declined"

    @invariant()
    def who_wrote_the_output_of_a_task_does_not_decide(self) -> None:
        if not self.forbid:
            return
        writers: set[str] = set()
        for event in self.log:
            if event.node_id == TASK and event.type == "node_complete" and event.payload.get("operator"):
                writers |= (
                    {event.payload["operator"]} if self.state.nodes[TASK].kind == "execution" else set()
                )
            if event.type == "hitl_resolved" and event.payload["decision"] in MOVES_ON:
                assert event.payload["operator"] not in writers

    @invariant()
    def nothing_expires_in_a_pause_nor_before_its_time(self) -> None:
        for before, event in self.folded():
            if event.type == "hitl_resolved" and event.payload["decision"] == "expired":
                request = before.requests[event.payload["requestId"]]
                assert before.status != PAUSED
                assert request.expires_at is not None
                assert request.expires_at <= event.recorded_at
            if event.type == "node_error" and event.payload["error"]["code"] == "timeout":
                task = before.nodes[TASK]
                assert (before.status != PAUSED, task.status) == (True, AWAITING_HUMAN)
                assert task.expires_at is not None
                assert task.expires_at <= event.recorded_at

    @invariant()
    def an_output_is_delivered_by_a_decision_only(self) -> None:
        for before, event in self.folded():
            if event.type == "complete" and event.payload["status"] == "completed":
                decided = [request.decision for request in before.requests.values()]
                assert decided[-1] in ("approved", "edited")

    def writers(self) -> set[str]:
        """Who wrote the output of the task, in a node whose output is work."""
        if TASK not in self.state.nodes or self.state.nodes[TASK].kind != "execution":
            return set()
        done = [event.payload for event in self.log if event.type == "node_complete"]
        return {payload["operator"] for payload in done if payload.get("operator")}

    def folded(self) -> list[tuple[RunState, Event]]:
        """Each event with the state that it came into; only the last ones, since those before were looked at."""
        state = new_run(self.state.run_id)
        pairs: list[tuple[RunState, Event]] = []
        for event in self.log:
            pairs.append((state, event))
            state = evolve(state, event)
        return pairs[-12:]


AnyPromises.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestAnyPromises = AnyPromises.TestCase
