"""One attempt of one capability: running it within its time, and what it ends with."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

import structlog

from eventstore.task_names import name_task
from executor.capability import (
    AnswersLater,
    Capability,
    CapabilityContext,
    CapabilityError,
    ClarificationNeeded,
)
from executor.config import ExecutorConfig
from executor.in_flight import WORKER_STOPPED, InFlightTask
from executor.outputs import OutputRefused, as_json, keep
from executor.safe_text import describe_error, describe_traceback
from runs.commands import Command, CompleteNode, FailNode, RequestClarification
from runs.event import Json, JsonObject
from schemas.clean_text import clean_text
from schemas.parsing import validate_document
from schemas.refusal import DocumentRefused
from schemas.usage import Usage

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Produced:
    """An output, what the node's contract says of it, and what the capability says that it used."""

    output: Json
    duration_ms: int
    errors: tuple[JsonObject, ...] = ()
    usage: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """No output. With `lost` the attempt counts as one whose worker died: another worker tries again at once.

    `usage` is what the attempt used all the same; the last three are as in CapabilityError.
    """

    code: str
    message: str
    retryable: bool = True
    lost: bool = False
    usage: JsonObject | None = None
    retry_after_seconds: float = 0
    endpoint_failed: bool = False
    outcome_unknown: bool = False


@dataclass(frozen=True, slots=True)
class ClarificationAsked:
    """A question to a person."""

    question: str
    options: tuple[JsonObject, ...]
    allow_free_form: bool
    additional_context: Json
    usage: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """The result comes by a callback within `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Dropped:
    """The attempt is over in the log, or its lease is lost: there is nothing to append."""

    reason: str


Result = Produced | Failed | ClarificationAsked | Deferred | Dropped


@dataclass(frozen=True, slots=True)
class Attempt:
    """A capability, its context, and the fields that log lines about the attempt carry."""

    capability: Capability
    context: CapabilityContext
    timeout_seconds: float
    names: JsonObject


async def run_attempt(
    attempt: Attempt, in_flight: InFlightTask, stopped: asyncio.Future[None], config: ExecutorConfig
) -> Result:
    """Run the capability until it ends, its time is up, or `stopped` is done. What it raises becomes a result."""
    result = await _run(attempt, in_flight, stopped, config)
    if isinstance(result, Produced | Failed | ClarificationAsked):
        return replace(result, usage=_usage(attempt))
    return result


async def _run(
    attempt: Attempt, in_flight: InFlightTask, stopped: asyncio.Future[None], config: ExecutorConfig
) -> Result:
    began = time.perf_counter()
    task = asyncio.create_task(_contained(attempt))
    name_task(task, **attempt.names)
    try:
        await asyncio.wait(
            {task, stopped}, timeout=attempt.timeout_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        in_time = task.done()
        in_flight.end()
        if not in_time:
            await _cancel(task, attempt, config.grace_seconds)
    finally:
        if not task.done():
            _abandon(task)
    if not in_time and in_flight.stop_reason is not None:
        return _stopped(in_flight.stop_reason)
    if not in_time:
        message = f"no output within {attempt.timeout_seconds:g} s"
        return Failed("timeout", message, endpoint_failed=True, outcome_unknown=True)
    return await _result_of(task, attempt, config, round((time.perf_counter() - began) * 1_000))


async def _contained(attempt: Attempt) -> object:
    # This task has a context of its own: what the capability writes to the process log carries the names, nothing else.
    structlog.contextvars.bind_contextvars(**attempt.names)
    try:
        return await attempt.capability.run(attempt.context)
    except SystemExit as error:
        # It would end the event loop, and every other node with it.
        raise CapabilityError(
            "capability_error", f"the capability tried to end the process: {error}"
        ) from error


async def _cancel(task: asyncio.Task[object], attempt: Attempt, grace_seconds: float) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=grace_seconds)
    if not task.done():
        _log.warning("capability_ignores_cancellation", grace_seconds=grace_seconds, **attempt.names)


def _abandon(task: asyncio.Task[object]) -> None:
    task.cancel()
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())


def _stopped(reason: str) -> Result:
    if reason == WORKER_STOPPED:
        return Failed(WORKER_STOPPED, "the worker was stopped; another one takes over", lost=True)
    return Dropped(reason)


async def _result_of(
    task: asyncio.Task[object], attempt: Attempt, config: ExecutorConfig, duration_ms: int
) -> Result:
    if task.cancelled():
        return Failed("capability_error", "the capability cancelled itself")
    error = task.exception()
    if error is not None:
        return _failure(error, attempt)
    try:
        output = await keep(task.result(), config.output_bytes)
        return Produced(output, duration_ms)
    except OutputRefused as refused:
        return Failed(refused.code, refused.message)


def _usage(attempt: Attempt) -> JsonObject | None:
    """What the capability reported; a report that is none is left out, and does not fail the attempt."""
    if not attempt.context.usage:
        return None
    try:
        return validate_document(Usage, attempt.context.usage).model_dump(by_alias=True, exclude_none=True)
    except DocumentRefused as refused:
        _log.warning("usage_ignored", reason=str(refused), **attempt.names)
        return None


def _failure(error: BaseException, attempt: Attempt) -> Result:
    if isinstance(error, ClarificationNeeded):
        return _question(error)
    if isinstance(error, AnswersLater):
        return Deferred(error.seconds)
    if isinstance(error, CapabilityError):
        return Failed(
            clean_text(error.code, 100),
            clean_text(error.message),
            bool(error.retryable),
            retry_after_seconds=error.retry_after_seconds,
            endpoint_failed=error.endpoint_failed,
            outcome_unknown=error.outcome_unknown,
        )
    _log.error("capability_raised", traceback=describe_traceback(error), **attempt.names)
    return Failed("capability_error", describe_error(error))


def _question(asked: ClarificationNeeded) -> Result:
    """The question, if it is one: what a person is shown is an output too."""
    try:
        options = as_json(asked.options, 64 * 1024)
        context = as_json(asked.additional_context, 256 * 1024)
    except OutputRefused as refused:
        return Failed("clarification_invalid", refused.message, retryable=False)
    if not all(_is_option(option) for option in options):
        return Failed(
            "clarification_invalid", "an option is an object with an id and a label", retryable=False
        )
    return ClarificationAsked(
        clean_text(asked.question, 10_000), tuple(options), bool(asked.allow_free_form), context
    )


def _is_option(option: Json) -> bool:
    if not isinstance(option, dict):
        return False
    members = cast("dict[str, Any]", option)
    return isinstance(members.get("id"), str) and isinstance(members.get("label"), str)


def status_of(result: Result) -> str:
    """One word for the logs."""
    if isinstance(result, Produced):
        return "output_invalid" if result.errors else "completed"
    if isinstance(result, Failed):
        return "lost" if result.lost else "failed"
    if isinstance(result, Deferred):
        return "waits_for_callback"
    return "asked" if isinstance(result, ClarificationAsked) else "dropped"


def command_for(
    result: Produced | Failed | ClarificationAsked, node_id: str, attempt: int, now: datetime, jitter: float
) -> Command:
    """The command that puts the result into the log."""
    match result:
        case Produced(output, duration_ms, errors, usage):
            return CompleteNode(
                now=now,
                node_id=node_id,
                attempt=attempt,
                output=output,
                duration_ms=duration_ms,
                errors=errors,
                usage=usage,
                jitter=jitter,
            )
        case Failed(code, message, retryable, lost, usage, retry_after_seconds):
            return FailNode(
                now=now,
                node_id=node_id,
                attempt=attempt,
                error_code=code,
                message=message,
                retryable=retryable,
                lost=lost,
                retry_after_seconds=retry_after_seconds,
                outcome_unknown=result.outcome_unknown,
                usage=usage,
                jitter=jitter,
            )
        case ClarificationAsked(question, options, allow_free_form, additional_context, usage):
            return RequestClarification(
                now=now,
                node_id=node_id,
                attempt=attempt,
                question=question,
                options=options,
                allow_free_form=allow_free_form,
                additional_context=additional_context,
                usage=usage,
            )
