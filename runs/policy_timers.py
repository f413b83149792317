"""The timers of runtime policies: when the `ms` of `onTimeout` are over, for the run or for an attempt of a node.

Each is named by the place of its policy in the envelope, and by the node: `2` or `2:draft`. What a policy has reacted
to is kept as a mark in the state, so that it does so once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from runs.selectors import selects
from runs.state import NodeState, RunState
from runs.transitions import AWAITING_HUMAN, RUNNING
from runs.values import value
from schemas.policy_triggers import OnTimeout
from schemas.runtime_policies import RuntimePolicy

_AT_WORK = frozenset({RUNNING, AWAITING_HUMAN})


@value
class PolicyTimer:
    """The time of one policy, for the run (`node_id` None, `attempt` 1) or for an attempt of a node."""

    ref: str
    policy_id: str
    policy: RuntimePolicy
    ms: int
    due_at: datetime
    node_id: str | None = None
    attempt: int = 1

    @property
    def mark(self) -> str:
        return f"timeout {self.ref} {self.attempt}"


def policy_timers(state: RunState) -> Iterator[PolicyTimer]:
    """The timers that have not been reacted to."""
    for number, name, policy in state.policies.named():
        trigger = policy.watched.trigger
        if policy.enabled and isinstance(trigger, OnTimeout):
            for timer in _timers(state, str(number), name, policy, trigger.ms):
                if timer.mark not in state.marks:
                    yield timer


def _timers(state: RunState, ref: str, name: str, policy: RuntimePolicy, ms: int) -> Iterator[PolicyTimer]:
    selector = policy.watched.selector
    if not selector.any_node:
        for node in state.nodes.values():
            if node.status in _AT_WORK and selects(selector, node):
                yield _of_node(ref, name, policy, ms, node)
    elif state.created_at is not None:
        # Time stands still in a pause.
        due_at = state.created_at + timedelta(milliseconds=ms, seconds=state.paused_seconds)
        yield PolicyTimer(ref, name, policy, ms, due_at)


def _of_node(ref: str, name: str, policy: RuntimePolicy, ms: int, node: NodeState) -> PolicyTimer:
    began = node.started_at or node.finished_at
    assert began is not None  # noqa: S101 - a node that is at work was started
    due_at = began + timedelta(milliseconds=ms)
    return PolicyTimer(f"{ref}:{node.id}", name, policy, ms, due_at, node.id, node.attempt)
