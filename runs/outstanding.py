"""`outstanding(state) -> {work}`: which plan, nodes, output and timers are due. A function of the state, nothing else.

The log is the outbox: `flex_work` is the table of these values, written in the same commit as the events, so work can
neither be lost nor invented.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime

from runs.policy_timers import policy_timers
from runs.settle import blocked_nodes, needs_plan, output_due
from runs.state import NodeState, RunState
from runs.transitions import AWAITING_HUMAN, PAUSED, READY, RUNNING, WAITING_RETRY
from runs.values import changed, value
from schemas.capability import WORKER_QUEUE_PREFIX
from schemas.vocabulary import WorkKind

WorkKey = tuple[WorkKind, str]
"""(kind, reference): the identity of a piece of work within its run."""

PLAN_QUEUE = "plan"
TIMER_QUEUE = "timer"
OUTPUT_QUEUE = "node.default"


def node_queue(group: str) -> str:
    """The queue on which the workers of a capability group find their nodes."""
    return f"node.{group}"


REMOTE_QUEUES = node_queue(WORKER_QUEUE_PREFIX)
"""How the queues begin whose nodes go to remote workers: gateways take them from the table, no broker carries them."""


def is_remote(queue: str) -> bool:
    """Whether the nodes of this queue go to remote workers."""
    return queue.startswith(REMOTE_QUEUES)


@value
class Work:
    """One thing to do.

    `kind` is plan, node, output, request_expiry, task_expiry, policy_timeout or deadline; `ref` is the id of the node
    or request, or the name of the policy's timer ('' otherwise).
    `attempt` is the number that doing it will carry, or that of the task whose time is over.
    `started` work is in flight under a lease. `due_at` None: now.
    `front`: it goes to the front of its queue, since it has waited its turn before.
    """

    kind: WorkKind
    ref: str
    queue: str
    attempt: int
    started: bool = False
    due_at: datetime | None = None
    front: bool = False

    @property
    def key(self) -> WorkKey:
        return (self.kind, self.ref)


_recent: deque[tuple[RunState, Mapping[WorkKey, Work]]] = deque(maxlen=4)
"""Of the states asked about last: what decides, appends and looks ahead asks about the same two in turn."""


def outstanding(state: RunState) -> Mapping[WorkKey, Work]:
    """All that is due in this run, by key. Empty for a finished run."""
    for known, works in _recent:
        if known is state:
            return works
    works = _outstanding(state)
    _recent.append((state, works))
    return works


def same_outstanding(state: RunState, copy: RunState) -> None:
    """Note that `copy` has the work of `state`: it differs in nothing that work follows from."""
    _recent.append((copy, outstanding(state)))


def output_is_outstanding(state: RunState) -> bool:
    """Whether `outstanding` has the run's output, without looking for the rest."""
    return state.exists and not state.finished and state.status != PAUSED and output_due(state)


def _outstanding(state: RunState) -> dict[WorkKey, Work]:
    if not state.exists or state.finished:
        return {}
    works = _node_work(state)
    if needs_plan(state):
        # What is under way goes on until the new plan is there; nothing starts.
        works = [*_plan_work(state), *(work for work in works if work.started)]
    if state.priority == "high":
        works = [_in_front(work, state) for work in works]
    if state.status == PAUSED:
        # Time stands still as well: the timers come back with the run, later by as long as the pause took.
        return {work.key: work for work in works if work.started}
    works += _timers(state)
    if output_due(state):
        works.append(Work("output", "", OUTPUT_QUEUE, state.final_attempt + 1))
    return {work.key: work for work in works}


def _in_front(work: Work, state: RunState) -> Work:
    """Work of a run that goes before others: in front of its queue, and as old as the run where a queue goes by age."""
    if work.started or work.due_at is not None:
        return work
    return changed(work, front=True, due_at=state.created_at)


def _timers(state: RunState) -> list[Work]:
    works = [
        Work("request_expiry", request.id, TIMER_QUEUE, 1, due_at=due_at)
        for request in state.open_requests
        if (due_at := request.expires_at if request.announced else request.announced_at) is not None
    ]
    works += [
        Work("task_expiry", node.id, TIMER_QUEUE, node.attempt, due_at=node.expires_at)
        for node in state.nodes.values()
        if node.status == AWAITING_HUMAN and node.expires_at is not None
    ]
    works += [
        Work("policy_timeout", timer.ref, TIMER_QUEUE, timer.attempt, due_at=timer.due_at)
        for timer in policy_timers(state)
    ]
    if state.deadline_at is not None:
        works.append(Work("deadline", "", TIMER_QUEUE, 1, due_at=state.deadline_at))
    return works


def _plan_work(state: RunState) -> list[Work]:
    if state.plan_in_progress:
        return [Work("plan", "", PLAN_QUEUE, state.plan_attempt, started=True)]
    return [Work("plan", "", PLAN_QUEUE, state.plan_attempt + 1, due_at=state.plan_due_at)]


def _node_work(state: RunState) -> list[Work]:
    blocked = blocked_nodes(state)
    works = [work for node in state.nodes.values() if (work := _work_of(node)) is not None]
    return [work for work in works if work.started or work.ref not in blocked]


def _work_of(node: NodeState) -> Work | None:
    if node.status == READY:
        return Work("node", node.id, node_queue(node.queue), node.attempt + 1)
    if node.status == WAITING_RETRY:
        # As old as the attempt that was lost, so that a queue that goes by age has it in front, too.
        due_at = node.started_at if node.front else node.due_at
        return Work(
            "node", node.id, node_queue(node.queue), node.attempt + 1, due_at=due_at, front=node.front
        )
    if node.status == RUNNING:
        return Work("node", node.id, node_queue(node.queue), node.attempt, started=True)
    return None
