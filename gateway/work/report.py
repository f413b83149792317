"""Applies what was reported about an attempt to its run: an output, an error, a question to a person.

Whoever reports has the token of the attempt (`eventstore.task_tokens`), which says which attempt it is. Whether that is
still under way is for the run's own rules: what comes late is refused (StaleAttempt, RunFinished) and changes nothing.
An output that the attempt has delivered already may be delivered again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, cast

import orjson

from contracts.checker import ContractChecker
from contracts.problems import CheckerUnavailable, CheckFailed, SchemaRefused
from eventstore.handler import Outcome
from eventstore.run_writer import RunWriter
from eventstore.store import EventStore
from eventstore.task_tokens import TaskKey
from runs.commands import Command, CompleteNode, FailNode, RecordLog, RequestClarification
from runs.errors import RunFinished, RunUnknown, StaleAttempt
from runs.event import Json, JsonObject
from runs.state import NodeState, RunState
from runs.transitions import COMPLETED, RUNNING
from schemas.json_text import MAX_OUTPUT_BYTES
from schemas.usage import Usage
from schemas.vocabulary import LogLevel
from schemas.work import CapabilityResult, Question, WorkError

ReportStatus = Literal["completed", "output_invalid", "failed", "asked"]
"""`completed`: the output is the node's; `output_invalid`: it breaks the node's contract, so the attempt has failed."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a report came to; `errors` are those of the node's contract, Ajv-like."""

    status: ReportStatus
    outcome: Outcome
    errors: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Reports:
    """All methods raise RunError where the attempt is over, CheckerUnavailable, StoreError.

    `store` has the states of runs, and `writer` changes them.
    """

    store: EventStore
    writer: RunWriter
    contracts: ContractChecker
    clock: Callable[[], datetime]

    async def apply(self, task: TaskKey, result: CapabilityResult) -> Report:
        """Whatever the attempt ended with."""
        if result.error is not None:
            return await self.fail(task, result.error, result.usage)
        if result.ask is not None:
            return await self.ask(task, result.ask, result.usage)
        return await self.complete(task, result.output, result.usage)

    async def complete(self, task: TaskKey, output: Json, usage: Usage | None = None) -> Report:
        """An output, checked by the node's contract."""
        checked: _Verdict | None = await self._judge_ahead(task, output)
        jitter = _jitter()

        async def build(state: RunState) -> Sequence[Command]:
            nonlocal checked
            if _has_delivered(state, task, output):
                checked = None
                return []
            node = _current(state, task)
            schema: JsonObject | bool | None = node.contract.get("output")
            if checked is None or checked.schema != schema:
                checked = await self._judge(schema, output)
            now = self.clock()
            if checked.failure is not None:
                return [replace(_failure(task, checked.failure, now, jitter), usage=_used(usage))]
            command = CompleteNode(
                now=now,
                node_id=node.id,
                attempt=task.attempt,
                output=output,
                duration_ms=_duration_ms(node, now),
                errors=checked.errors,
                usage=_used(usage),
                jitter=jitter,
            )
            return [command]

        outcome = await self.writer.transact(task.run_id, build)
        if checked is None:
            return Report("completed", outcome)
        if checked.failure is not None:
            return Report("failed", outcome)
        return Report("output_invalid" if checked.errors else "completed", outcome, checked.errors)

    async def fail(
        self,
        task: TaskKey,
        error: WorkError,
        usage: Usage | None = None,
        *,
        gives_back: bool = False,
        outcome_unknown: bool = False,
    ) -> Report:
        """The attempt has no output. A worker that `gives_back` stops in the middle: another takes over at once.

        With `outcome_unknown` it may have had an effect.
        """
        jitter = _jitter()

        async def build(state: RunState) -> Sequence[Command]:
            _current(state, task)
            failure = _failure(task, error, self.clock(), jitter)
            return [replace(failure, lost=gives_back, outcome_unknown=outcome_unknown, usage=_used(usage))]

        return Report("failed", await self.writer.transact(task.run_id, build))

    async def ask(self, task: TaskKey, question: Question, usage: Usage | None = None) -> Report:
        """A question to a person ends the attempt; the next one has the answer."""
        options = tuple(option.model_dump(by_alias=True) for option in question.options)

        async def build(state: RunState) -> Sequence[Command]:
            _current(state, task)
            command = RequestClarification(
                now=self.clock(),
                node_id=task.node_id,
                attempt=task.attempt,
                question=question.question,
                options=options,
                allow_free_form=question.allow_free_form,
                additional_context=question.additional_context,
                usage=_used(usage),
            )
            return [command]

        return Report("asked", await self.writer.transact(task.run_id, build))

    async def log(self, task: TaskKey, message: str, level: LogLevel) -> None:
        """A line for people."""

        async def build(state: RunState) -> Sequence[Command]:
            _current(state, task)
            return [RecordLog(now=self.clock(), message=message, level=level, node_id=task.node_id)]

        await self.writer.transact(task.run_id, build)

    async def _judge_ahead(self, task: TaskKey, output: Json) -> _Verdict | None:
        """Judged before its turn comes, so that the reports of one run do not wait for each other's checks."""
        node = (await self.store.load(task.run_id)).nodes.get(task.node_id)
        if node is None or (node.status, node.attempt) != (RUNNING, task.attempt):
            return None
        return await self._judge(node.contract.get("output"), output)

    async def _judge(self, schema: JsonObject | bool | None, output: Json) -> _Verdict:
        size = len(orjson.dumps(output))
        if size > MAX_OUTPUT_BYTES:
            message = f"the output takes {size:,} bytes of JSON; {MAX_OUTPUT_BYTES:,} are allowed"
            return _Verdict(schema, failure=WorkError(code="output_too_large", message=message))
        if schema is None:
            return _Verdict(schema)
        try:
            errors = await self.contracts.check(schema, output)
        except SchemaRefused as refused:
            message = f"the contract cannot be used: {refused}"
            return _Verdict(
                schema, failure=WorkError(code="contract_invalid", message=message, retryable=False)
            )
        except CheckerUnavailable:
            raise
        except CheckFailed as failure:
            message = f"the output could not be checked: {failure}"
            return _Verdict(schema, failure=WorkError(code="output_not_checked", message=message))
        return _Verdict(schema, tuple(cast("list[JsonObject]", errors)))


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What the contract of a node says of an output, or why it says nothing."""

    schema: JsonObject | bool | None
    errors: tuple[JsonObject, ...] = ()
    failure: WorkError | None = None


def _current(state: RunState, task: TaskKey) -> NodeState:
    """The node of the attempt. Raises RunUnknown, RunFinished, and StaleAttempt where the attempt is not under way."""
    if not state.exists:
        raise RunUnknown(f"there is no run {task.run_id}")
    if state.finished:
        raise RunFinished(f"run {task.run_id} is {state.status}; nothing may follow", status=state.status)
    node = state.nodes.get(task.node_id)
    if node is None or not _is_of_this_plan(state, task):
        raise StaleAttempt(f"the plan that had node {task.node_id} is replaced", nodeId=task.node_id)
    if node.status != RUNNING or node.attempt != task.attempt:
        raise StaleAttempt(
            f"attempt {task.attempt} of node {node.id} is over; it is {node.status} at attempt {node.attempt}",
            nodeId=node.id,
            attempt=node.attempt,
        )
    return node


def _is_of_this_plan(state: RunState, task: TaskKey) -> bool:
    return task.plan_version is None or task.plan_version == state.plan_version


def _has_delivered(state: RunState, task: TaskKey, output: Json) -> bool:
    node = state.nodes.get(task.node_id)
    return (
        node is not None
        and _is_of_this_plan(state, task)
        and node.status == COMPLETED
        and node.attempt == task.attempt
        and node.output == output
    )


def _failure(task: TaskKey, error: WorkError, now: datetime, jitter: float) -> FailNode:
    return FailNode(
        now=now,
        node_id=task.node_id,
        attempt=task.attempt,
        error_code=error.code,
        message=error.message or error.code,
        retryable=error.retryable,
        jitter=jitter,
    )


def _used(usage: Usage | None) -> JsonObject | None:
    return usage.model_dump(by_alias=True, exclude_none=True) if usage is not None else None


def _duration_ms(node: NodeState, now: datetime) -> int:
    return max(0, int((now - (node.started_at or now)).total_seconds() * 1000))


def _jitter() -> float:
    return random.random()  # noqa: S311 - spreads retries
