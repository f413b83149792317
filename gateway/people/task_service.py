"""Nodes that people do: submitting their output, or declining."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.checker import ContractChecker
from eventstore.handler import Outcome, RunHandler
from gateway.errors import NotFound
from gateway.operators import operator_text
from gateway.people.contract_checks import ContractChecks, schema_of_node
from gateway.run_id import canonical_run_id
from runs.bundle import context_bundle
from runs.commands import Actor, Command, DeclineTask, SubmitTask
from runs.errors import RunUnknown, StaleAttempt
from runs.event import JsonObject
from runs.state import RunState
from runs.transitions import AWAITING_HUMAN
from schemas.control import TaskDeclineBody, TaskSubmitBody

_TASK_ID = re.compile(r"([^.]{36})\.([0-9]{1,9})-([0-9]{1,9})\.([A-Za-z0-9_.-]{1,100})")


def task_id(run_id: str, plan_version: int | None, attempt: int, node_id: str) -> str:
    """Names one attempt of a node under one plan, so that a form that is sent late is not taken for another attempt."""
    return f"{run_id}.{plan_version}-{attempt}.{node_id}"


class NoSuchTask(NotFound):
    """No task has this id."""

    code = "task_unknown"


@dataclass(frozen=True, slots=True)
class TaskId:
    """One attempt of a node under one plan of a run; see `task_id`."""

    run_id: str
    plan_version: int
    attempt: int
    node_id: str

    @classmethod
    def parse(cls, text: str) -> TaskId:
        """Raises NoSuchTask, RunUnknown."""
        found = _TASK_ID.fullmatch(text)
        if found is None:
            raise NoSuchTask(f"There is no task {text[:200]!r}: that is not a task id.")
        run_id, version, attempt, node_id = found.groups()
        return cls(canonical_run_id(run_id), int(version), int(attempt), node_id)

    def require_current(self, state: RunState) -> None:
        """Raise RunUnknown, or StaleAttempt where the node is not at this attempt any more."""
        if not state.exists:
            raise RunUnknown(f"there is no run {self.run_id}")
        node = state.nodes.get(self.node_id)
        if node is None or (state.plan_version, node.attempt) != (self.plan_version, self.attempt):
            raise StaleAttempt(f"this attempt of node {self.node_id} is over", nodeId=self.node_id)


@dataclass(frozen=True, slots=True)
class Tasks:
    """All methods raise RunError where the rules refuse, CheckerUnavailable, StoreError."""

    handler: RunHandler
    contracts: ContractChecker
    clock: Callable[[], datetime]

    async def submit(self, task: TaskId, body: TaskSubmitBody, actor: Actor) -> Outcome:
        """A person's output, checked by the node's contract."""
        checks = ContractChecks(self.contracts)

        async def build(state: RunState) -> Sequence[Command]:
            task.require_current(state)
            errors = await checks.errors(schema_of_node(state, task.node_id), body.output)
            command = SubmitTask(
                now=self.clock(),
                node_id=task.node_id,
                output=body.output,
                actor=actor,
                errors=errors,
                claimed_operator=operator_text(body.operator),
                note=body.note,
            )
            return [command]

        return await self.handler.transact(task.run_id, build)

    async def decline(self, task: TaskId, body: TaskDeclineBody, actor: Actor) -> Outcome:
        """A person will not do it: the node has failed, and its fallback applies."""

        async def build(state: RunState) -> Sequence[Command]:
            task.require_current(state)
            command = DeclineTask(
                now=self.clock(),
                node_id=task.node_id,
                actor=actor,
                reason=body.reason,
                claimed_operator=operator_text(body.operator),
                note=body.note,
            )
            return [command]

        return await self.handler.transact(task.run_id, build)


def task_bundle(state: RunState, task: TaskId) -> JsonObject:
    """What the person gets to see: inputs, policies, and the outputs of the nodes before. Raises RunError."""
    task.require_current(state)
    node = state.nodes[task.node_id]
    if node.status != AWAITING_HUMAN:
        raise StaleAttempt(f"node {node.id} is {node.status}; no person's work is awaited", nodeId=node.id)
    return context_bundle(state, node)
