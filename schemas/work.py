"""What workers and services send about the attempts that they were given."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.base import NOT_BLANK, Model, Note, Reference, Text, flaw, refused
from schemas.hitl import HitlOption
from schemas.plan import CapabilityId, CapabilityVersion
from schemas.usage import Usage
from schemas.vocabulary import LogLevel

MAX_SERVED = 1_000
"""Capabilities that one claim may name."""

MAX_SLOTS = 100
"""Attempts that one claim may ask for."""

MAX_WAIT_SECONDS = 60.0

ErrorCode = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NOT_BLANK)]


class WorkError(Model):
    """Why an attempt has no output. `retryable` is false where a further attempt would fail the same way."""

    code: ErrorCode
    message: Note = ""
    retryable: bool = True


class Question(Model):
    """A question to a person, which ends the attempt; the next one finds the answer in its bundle (`answers`)."""

    question: Text
    options: Annotated[list[HitlOption], Field(max_length=100)] = Field(default_factory=list[HitlOption])
    allow_free_form: bool = True
    additional_context: Any = None


class CapabilityResult(Model):
    """What an attempt ended with: an output, which may be null, or an error, or a question to a person."""

    output: Any = None
    usage: Usage | None = None
    error: WorkError | None = None
    ask: Question | None = None

    @property
    def has_output(self) -> bool:
        """Whether there is an output, which may be null."""
        return "output" in self.model_fields_set

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        given = [self.has_output, self.error is not None, self.ask is not None]
        if not any(given):
            raise refused(flaw("missing", "A result has an 'output', an 'error' or an 'ask'.", "output"))
        if sum(given) > 1:
            raise refused(flaw("contradiction", "A result has one of 'output', 'error' and 'ask'.", "output"))
        return self


class ServedCapability(Model):
    """A capability that a worker can do; without `version`, in every version."""

    id: CapabilityId
    version: CapabilityVersion | None = None


class ClaimBody(Model):
    """The body of `work/claim`: who asks, what it can do, how many attempts it takes, and how long it waits."""

    worker_id: Reference
    capabilities: Annotated[list[ServedCapability], Field(min_length=1, max_length=MAX_SERVED)]
    slots: Annotated[int, Field(ge=1, le=MAX_SLOTS)] = 1
    wait_seconds: Annotated[float, Field(ge=0, le=MAX_WAIT_SECONDS)] = 20.0


class HeartbeatBody(Model):
    """The body of `work/{token}/heartbeat`, which may be left out: it says nothing."""


class CompleteBody(Model):
    """The body of `work/{token}/complete`: the output, which may be null, and what was used for it."""

    output: Any
    usage: Usage | None = None


class FailBody(Model):
    """The body of `work/{token}/fail`: the error, and what was used until then."""

    error: WorkError
    usage: Usage | None = None


class AskBody(Question):
    """The body of `work/{token}/ask`: the question, and what was used until then."""

    usage: Usage | None = None


class DeltaBody(Model):
    """The body of `work/{token}/delta`: a piece of text, or JSON Patch operations, for those who watch."""

    text: Annotated[str, StringConstraints(max_length=65_536)] = ""
    patch: Annotated[list[dict[str, Any]], Field(max_length=1_000)] = Field(
        default_factory=list[dict[str, Any]]
    )


class LogBody(Model):
    """The body of `work/{token}/log`: a line for people."""

    message: Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=NOT_BLANK)]
    level: LogLevel = "info"
