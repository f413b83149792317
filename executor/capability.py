"""The interface of a capability, the same for stubs, models, services and tools."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Protocol

from runs.event import Json, JsonObject

if TYPE_CHECKING:
    # Not at run time: children of the sandbox raise errors, and describe nothing.
    from schemas.capability import CapabilityDescriptor


class Capability(Protocol):
    """Turns a ContextBundle into an output. One object serves all nodes, also at the same time.

    An attempt may run twice when a worker dies, so effects in the outside world should be idempotent: run id, node id
    and attempt make a good key. `run` shares the event loop with everything else in its worker: what computes for more
    than a few milliseconds is to be called by `executor.threads.run_in_thread`.
    """

    @property
    def descriptor(self) -> CapabilityDescriptor:
        """The entry of this capability in the registry."""
        ...

    async def run(self, context: CapabilityContext) -> Json:
        """The node's output: anything that JSON can hold.

        Raises CapabilityError for a failure with a code, ClarificationNeeded to ask a person; anything else that it
        raises is recorded as `capability_error` and tried again. It is cancelled when its time is up, when the run
        ends and when its lease is lost.
        """
        ...


class LogLine(Protocol):
    """Writes a line for people into the run's log."""

    async def __call__(self, message: str, level: str = "info") -> None: ...


async def discard_line(message: str, level: str = "info") -> None:
    """A `LogLine` that writes nothing, for a capability that is called without a run."""


class Delta(Protocol):
    """Shows a piece of text, or JSON Patch operations, to those who watch; it waits for nothing, and none is kept."""

    def __call__(self, text: str = "", patch: Sequence[JsonObject] = ()) -> None: ...


def discard_delta(text: str = "", patch: Sequence[JsonObject] = ()) -> None:
    """A `Delta` that shows nothing, for a capability that is called without a run."""


@dataclass(frozen=True, slots=True)
class CapabilityContext:
    """A node's bundle, and what its capability may do during the attempt.

    `bundle` is the ContextBundle (`runs.bundle`). `log` appends a `log` event; lines that are too long are cut, too
    many are omitted. `deadline` is the end of the attempt on the clock of `time.monotonic`; None is no limit. What the
    capability puts into `usage` (`schemas.usage`, wire names) is kept with its output. `delta` shows a piece of the
    output that is being made to those who watch.
    """

    bundle: JsonObject
    log: LogLine = discard_line
    deadline: float | None = None
    usage: JsonObject = field(default_factory=dict[str, Json])
    delta: Delta = discard_delta

    @property
    def attempt(self) -> int:
        """1 for the first start of this node, one more for each further one."""
        return self.bundle.get("attempt", 1)

    def remaining_seconds(self) -> float | None:
        """The seconds until the deadline, never below 0; None where there is no limit."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def clarify(
        self,
        question: str,
        options: Sequence[JsonObject] = (),
        *,
        allow_free_form: bool = True,
        additional_context: Json = None,
    ) -> NoReturn:
        """End this attempt with a question to a person; the next one finds the answer in `bundle["answers"]`.

        An option is `{id, label}`. Raises ClarificationNeeded, always.
        """
        raise ClarificationNeeded(
            question, options, allow_free_form=allow_free_form, additional_context=additional_context
        )


class CapabilityError(Exception):
    """A failure with a code. `retryable` is False where a further attempt would fail the same way.

    The next attempt is not due before `retry_after_seconds`. `endpoint_failed` says that what the capability calls
    somewhere else did not work, whatever it was asked: such failures in a row open the circuit breaker.
    `outcome_unknown` says that the call may have taken effect: a node that is not idempotent is not tried again then.
    """

    def __init__(
        self,
        code: str,
        message: str,
        retryable: bool = True,
        *,
        retry_after_seconds: float = 0,
        endpoint_failed: bool = False,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds
        self.endpoint_failed = endpoint_failed
        self.outcome_unknown = outcome_unknown


class AnswersLater(Exception):
    """The work was taken over, and its result comes by a callback within `seconds`.

    The node waits without a slot, a task or a lease of a process. For homes whose bundle carries a callback.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the result comes by a callback within {seconds:g} s")
        self.seconds = seconds


class ClarificationNeeded(Exception):
    """The capability needs a person's answer to continue."""

    def __init__(
        self,
        question: str,
        options: Sequence[JsonObject] = (),
        *,
        allow_free_form: bool = True,
        additional_context: Json = None,
    ) -> None:
        super().__init__(question)
        self.question = question
        self.options = tuple(options)
        self.allow_free_form = allow_free_form
        self.additional_context = additional_context
