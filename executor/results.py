"""How an attempt can end, and the command that says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runs.commands import Command, CompleteNode, FailNode, RequestClarification
from runs.event import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Produced:
    """An output, and what the node's contract says of it."""

    output: Json
    duration_ms: int
    errors: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """No output. `lost` gives the node back as if this worker had vanished: it is tried again at once elsewhere."""

    code: str
    message: str
    retryable: bool = True
    lost: bool = False


@dataclass(frozen=True, slots=True)
class ClarificationAsked:
    """A question to a person."""

    question: str
    options: tuple[JsonObject, ...]
    allow_free_form: bool
    additional_context: Json


@dataclass(frozen=True, slots=True)
class Dropped:
    """The attempt is not this worker's any more; the log knows better and is told nothing."""

    reason: str


Result = Produced | Failed | ClarificationAsked | Dropped


def status_of(result: Result) -> str:
    """One word for the logs."""
    if isinstance(result, Produced):
        return "output_invalid" if result.errors else "completed"
    if isinstance(result, Failed):
        return "lost" if result.lost else "failed"
    return "asked" if isinstance(result, ClarificationAsked) else "dropped"


def command_for(
    result: Produced | Failed | ClarificationAsked, node_id: str, attempt: int, now: datetime, jitter: float
) -> Command:
    """The command that puts the result into the log."""
    match result:
        case Produced(output, duration_ms, errors):
            return CompleteNode(
                now=now,
                node_id=node_id,
                attempt=attempt,
                output=output,
                duration_ms=duration_ms,
                errors=errors,
                jitter=jitter,
            )
        case Failed(code, message, retryable, lost):
            return FailNode(
                now=now,
                node_id=node_id,
                attempt=attempt,
                error_code=code,
                message=message,
                retryable=retryable,
                lost=lost,
                jitter=jitter,
            )
        case ClarificationAsked(question, options, allow_free_form, additional_context):
            return RequestClarification(
                now=now,
                node_id=node_id,
                attempt=attempt,
                question=question,
                options=options,
                allow_free_form=allow_free_form,
                additional_context=additional_context,
            )
