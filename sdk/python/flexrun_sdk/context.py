"""What a capability may know of its attempt, and do during it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NoReturn

from flexrun_sdk.errors import PersonAsked

Level = Literal["debug", "info", "warning", "error"]


def _discard(message: str, level: str) -> None:
    """Where nobody reads the lines."""


def _show_nobody(text: str, patch: Sequence[dict[str, Any]]) -> None:
    """Where nobody watches."""


def _never() -> bool:
    """Where nothing ends an attempt early."""
    return False


@dataclass(slots=True)
class Context:
    """Given to a parameter that is annotated `Context`, in a sync function as in an async one.

    `bundle` is everything that the node was given. `deadline` is when the attempt is cut off; None is never.
    """

    bundle: dict[str, Any]
    deadline: datetime | None = None
    write_line: Callable[[str, str], None] = _discard
    used: dict[str, Any] = field(default_factory=dict[str, Any])
    show: Callable[[str, Sequence[dict[str, Any]]], None] = _show_nobody
    is_over: Callable[[], bool] = _never

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for this attempt any more. A function in a thread asks; an async one is cancelled."""
        return self.is_over()

    @property
    def attempt(self) -> int:
        """1 for the first start of this node, one more for each further one."""
        return int(self.bundle.get("attempt", 1))

    @property
    def run_id(self) -> str:
        """The run that the node is part of; with node and attempt it makes a good idempotency key."""
        return str(self.bundle.get("runId", ""))

    @property
    def node_id(self) -> str:
        """The node of the run's plan."""
        return str(self.bundle.get("nodeId", ""))

    @property
    def answers(self) -> list[dict[str, Any]]:
        """What people have answered to the questions of earlier attempts."""
        return list(self.bundle.get("answers") or ())

    def remaining_seconds(self) -> float | None:
        """The seconds until the deadline, never below 0; None where there is no limit."""
        if self.deadline is None:
            return None
        return max(0.0, (self.deadline - datetime.now(UTC)).total_seconds())

    def log(self, message: str, level: Level = "info") -> None:
        """Write a line into the run's log. It does not wait for it, and may be called from any thread."""
        self.write_line(message, level)

    def delta(self, text: str = "", *, patch: Sequence[dict[str, Any]] = ()) -> None:
        """Show a piece of the output that is being made, as text or as JSON Patch, to those who watch the run.

        It does not wait for it, and may be called from any thread. None of it is kept: the output is what is returned.
        """
        self.show(text, patch)

    def ask(
        self,
        question: str,
        options: Sequence[dict[str, Any]] = (),
        *,
        allow_free_form: bool = True,
        additional_context: Any = None,
    ) -> NoReturn:
        """End this attempt with a question to a person; the next attempt finds the answer in `answers`.

        An option is `{"id": …, "label": …}`. Raises PersonAsked, always.
        """
        raise PersonAsked(
            question, options, allow_free_form=allow_free_form, additional_context=additional_context
        )

    def usage(
        self,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cost_micros: int | None = None,
        currency: str | None = None,
        seconds: float | None = None,
        model: str | None = None,
    ) -> None:
        """Say what this attempt has used: money in millionths of `currency`. What is said later replaces it."""
        said = {
            "inputTokens": input_tokens,
            "outputTokens": output_tokens,
            "costMicros": cost_micros,
            "currency": currency,
            "seconds": seconds,
            "model": model,
        }
        self.used.update({key: value for key, value in said.items() if value is not None})
