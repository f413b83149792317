"""The runs whose logs are kept: between them every type of event, and each way in which a run goes on or ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runs import commands as c
from runs.fork import ForkChange, fork_commands, retry_commands
from runs.state import new_run
from tests.support.given import ANN, BOB, NOON, Given, at, node, waiting_for_approval

CAT = c.Actor("cat", verified=True)
WRONG = (
    {"instancePath": "/n", "keyword": "type", "message": "must be text", "params": {}, "schemaPath": "#"},
)
FORK_ID = "01900000-0000-7000-8000-000000000002"


def approved() -> Given:
    return waiting_for_approval(approvers=["editor"]).later(5).respond("approval", note="good")


def voted_and_edited() -> Given:
    given = waiting_for_approval(quorum=3).respond("approval", ANN).respond("approval", BOB)
    given = given.respond("edit", CAT, edited_output={"n": 9}).respond("approval", ANN)
    return given.respond("withdraw", ANN, note="wait").respond("approval", ANN).respond("approval", BOB)


def rejected_and_planned_again() -> Given:
    given = waiting_for_approval(onReject="replan").respond("rejection", note="wrong company")
    given = (
        given.planned(node("a"), node("b", "a")).start("a").complete("a").start("b").complete("b", {"n": 2})
    )
    return given.deliver({"n": 2}).respond("approval")


def planned_again_in_the_middle() -> Given:
    """One branch is done and kept, one is under way and dropped, and then a capability is not used again."""
    rules = [
        {"id": "again", "trigger": "manual", "action": {"type": "replan", "rationale": "go left"}},
        {"id": "around", "trigger": "onNodeError", "action": "replan"},
    ]
    given = Given().started(policies={"runtime": rules}).planned(node("a"), node("b"), node("c", "a", "b"))
    given = given.start("a").start("b").complete("a", "A")
    given = given.when(c.TriggerPolicy(now=at(5), actor=ANN, policy_id="again"))
    given = given.planned(node("a"), node("d", "a")).start("d").fail("d")
    given = given.planned(node("a"), node("b", "a", bundle={"feedback": "around"}))
    return given.start("b").complete("b", "B").deliver("B")


def prioritized() -> Given:
    """Before the others while it is paused and after that, and then in its turn again."""
    given = Given().started().planned(node("a"), node("b", "a"))
    given = given.when(c.PauseRun(now=at(1), actor=ANN))
    given = given.when(c.SetPriority(now=at(2), actor=ANN, priority="high", reason="the launch is today"))
    given = given.when(c.ResumeRun(now=at(3), actor=BOB)).start("a").complete("a")
    given = given.when(c.SetPriority(now=at(4), actor=BOB, priority="normal"))
    return given.start("b").complete("b").deliver()


def paused_and_announced() -> Given:
    given = waiting_for_approval(expiresInSeconds=60, onExpiry="approve")
    (request,) = given.state.open_requests
    given = given.when(c.PauseRun(now=at(20), actor=ANN, reason="lunch")).when(
        c.ResumeRun(now=at(620), actor=BOB)
    )
    given = given.when(c.ExpireRequest(now=at(650), request_id=request.id))
    return given.when(c.ExpireRequest(now=at(660), request_id=request.id))


def expired_and_escalated() -> Given:
    given = waiting_for_approval(expiresInSeconds=60, onExpiry="escalate", escalateTo="legal")
    (request,) = given.state.open_requests
    return given.when(c.ExpireRequest(now=at(60), request_id=request.id))


def task_submitted() -> Given:
    look = node(
        "look", "a", agentType="human", bundle={"assignees": ["legal"]}, contract={"timeoutSeconds": 600}
    )
    given = (
        Given().started().planned(node("a"), look, node("b", "look")).start("a").complete("a").start("look")
    )
    return given.when(
        c.SubmitTask(now=at(9), node_id="look", output={"approved": True}, actor=BOB, note="fine")
    )


def task_declined_and_out_of_time() -> Given:
    look = node("look", agentType="human", contract={"timeoutSeconds": 60, "fallback": "hitl"})
    given = Given().started().planned(look).start("look")
    given = given.when(c.DeclineTask(now=at(5), node_id="look", actor=ANN, reason="on leave"))
    given = given.later(10).respond("option", BOB, option_id="retry").start("look")
    return given.when(c.ExpireTask(now=at(70), node_id="look", attempt=2))


def clarified() -> Given:
    options = ({"id": "x", "label": "X"}, {"id": "y", "label": "Y"})
    ask = c.RequestClarification(now=NOON, node_id="a", attempt=1, question="Which city?", options=options)
    given = Given().started().planned(node("a"), node("b")).start("a").start("b").when(ask).complete("b")
    return given.respond("option", option_id="y", text="Ghent").start("a").complete("a").deliver()


def asked_by_policies() -> Given:
    runtime = [
        {"id": "plan", "trigger": "plan_generated", "action": "hitl", "question": "Is this the plan?"},
        {
            "id": "node",
            "trigger": {"event": "node_complete", "nodeId": "a"},
            "action": "hitl",
            "question": "Good?",
        },
        {"id": "note", "trigger": "node_start", "action": "log", "message": "it begins"},
    ]
    given = Given().started(policies={"runtime": runtime}).planned(node("a"), node("b", "a"))
    return given.respond("approval").start("a").complete("a")


def failed_by_policy() -> Given:
    policies = {"runtime": [{"id": "strict", "trigger": "validation_error", "action": "fail"}]}
    return Given().started(policies=policies).planned(node("a")).start("a").complete("a", 1, WRONG)


def retried() -> Given:
    given = Given().started().planned(node("a", contract={"maxAttempts": 3}), node("b")).start("a").fail("a")
    given = given.later(60).start("a").complete("a", 1, WRONG).later(60).start("a").complete("a", "one")
    return given.start("b")


def lost_and_found() -> Given:
    given = Given().started().planned(node("a")).start("a").fail("a", lost=True, loss=c.Loss("w1"))
    return given.start("a").fail("a", lost=True).start("a").complete("a").deliver()


def poisoned_node() -> Given:
    given = Given().started().planned(node("a"))
    for worker in ("w1", "w2", "w3"):
        given = given.start("a").fail("a", lost=True, loss=c.Loss(worker, "stalled"))
    return given


def poisoned_plan() -> Given:
    given = Given().started()
    for attempt in (1, 2, 3):
        lost = [{"code": "planner_lost", "message": "gone", "path": ""}]
        loss = c.Loss(f"w{attempt}", "died")
        given = given.later(120)
        given = given.when(c.RequestPlan(now=given.now, attempt=attempt, planner="p", capability_count=0))
        given = given.when(
            c.RejectPlan(
                now=given.now, attempt=attempt, diagnostics=lost, retryable=True, lost=True, loss=loss
            )
        )
    return given


def infeasible() -> Given:
    diagnostics = [
        {"code": "facet_unavailable", "message": "no capability gives it", "path": "/outputContract"}
    ]
    given = Given().started().when(c.RequestPlan(now=NOON, attempt=1, planner="p", capability_count=4))
    return given.when(c.RejectPlan(now=NOON, attempt=1, diagnostics=diagnostics))


def repaired() -> Given:
    given = Given().started().planned(node("a"), node("b"), node("review", "a", "b"))
    for name in ("a", "b", "review"):
        given = given.start(name).complete(name)
    given = given.deliver({"n": 1}, WRONG, repair=("a",)).start("a").complete("a", "better")
    return given.start("review").complete("review").deliver({"n": "one"})


def never_valid() -> Given:
    given = Given().started().planned(node("a"))
    for _ in range(3):
        given = given.start("a").complete("a").deliver({"n": 1}, WRONG, repair=("a",))
    return given


def aborted() -> Given:
    given = waiting_for_approval().when(c.RecordLog(now=at(1), message="called off", level="warning"))
    return given.when(c.AbortRun(now=at(2), actor=ANN, reason="campaign cancelled", claimed_operator="bob"))


def out_of_time() -> Given:
    given = Given().started(constraints={"deadlineSeconds": 60}).planned(node("a"), node("b", "a")).start("a")
    return given.when(c.ExpireDeadline(now=at(60)))


def fork_retried() -> Given:
    given = Given().started().planned(node("a"), node("b", "a", contract={"maxAttempts": 1}))
    failed = given.start("a").complete("a", "A").start("b").fail("b")
    change = ForkChange(operator="ann", reason="again")
    return _forked(retry_commands(failed.state, change, NOON)).start("b").complete("b").deliver("out")


def fork_changed() -> Given:
    done = Given().started().planned(node("a"), node("b", "a")).start("a").complete("a", "A")
    done = done.start("b").complete("b").deliver()
    change = ForkChange(operator="ann", from_node_id="b", inputs={"tone": "dry"}, nodes=[node("x", "a")])
    return _forked(fork_commands(done.state, change, NOON))


def _forked(commands: Sequence[c.Command]) -> Given:
    return Given(state=new_run(FORK_ID)).when(*commands)


SCENARIOS: dict[str, Callable[[], Given]] = {
    made.__name__: made
    for made in (
        approved,
        voted_and_edited,
        rejected_and_planned_again,
        planned_again_in_the_middle,
        paused_and_announced,
        prioritized,
        expired_and_escalated,
        task_submitted,
        task_declined_and_out_of_time,
        clarified,
        asked_by_policies,
        failed_by_policy,
        retried,
        lost_and_found,
        poisoned_node,
        poisoned_plan,
        infeasible,
        repaired,
        never_valid,
        aborted,
        out_of_time,
        fork_retried,
        fork_changed,
    )
}
